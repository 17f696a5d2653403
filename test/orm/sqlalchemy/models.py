"""The user's application: buildings, and readings of what their meters and sensors say."""
from sqlalchemy import (BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Identity, Integer, MetaData, Numeric,
                        String, UniqueConstraint)
from sqlalchemy.orm import declarative_base, declared_attr, relationship

metadata = MetaData(naming_convention={
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "%(table_name)s_pk",
})
Base = declarative_base(metadata=metadata)


class Residence(Base):
    __tablename__ = "residence"
    id = Column(Integer, primary_key=True)
    code = Column(String(40), unique=True)
    accommodations = relationship("Accommodation", back_populates="residence", passive_deletes=True)


class Accommodation(Base):
    __tablename__ = "accommodation"
    id = Column(Integer, primary_key=True)
    residence_id = Column(ForeignKey("residence.id", ondelete="CASCADE"), nullable=False)
    number = Column(String(10), nullable=False)
    residence = relationship(Residence, back_populates="accommodations")
    consumption = relationship("Consumption", passive_deletes=True)
    __table_args__ = (UniqueConstraint("residence_id", "number"),)


class Reading:
    """The primary key of a subclass holds its routing columns, and so is unique over the whole table."""
    id = Column(BigInteger, Identity(), primary_key=True)
    value = Column(Numeric(8, 2), nullable=False)

    @declared_attr
    def accommodation_id(cls):
        return Column(ForeignKey("accommodation.id", ondelete="CASCADE"), nullable=False)


class Consumption(Reading, Base):
    __tablename__ = "consumption"
    residence_id = Column(ForeignKey("residence.id", ondelete="CASCADE"), primary_key=True)
    read_at = Column(DateTime(timezone=True), nullable=False, index=True)
    __table_args__ = (UniqueConstraint("residence_id", "accommodation_id", "read_at"),
                      CheckConstraint("value >= 0", name="not_negative"))


class Temperature(Reading, Base):
    __tablename__ = "temperature"
    residence_id = Column(ForeignKey("residence.id", ondelete="CASCADE"), primary_key=True)
    read_at = Column(DateTime(timezone=True), primary_key=True)
    version = Column(Integer, nullable=False)
    __mapper_args__ = {"version_id_col": version}


class Humidity(Reading, Base):
    __tablename__ = "humidity"
    residence_id = Column(ForeignKey("residence.id", ondelete="CASCADE"), nullable=False)
    read_at = Column(DateTime(timezone=True), nullable=False)
    __table_args__ = (UniqueConstraint("accommodation_id", "read_at", name="humidity_once"),)
