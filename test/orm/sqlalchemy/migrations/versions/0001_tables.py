from alembic import op

from models import metadata

revision = "0001"
down_revision = None


def upgrade():
    metadata.create_all(op.get_bind())


def downgrade():
    for table in reversed(metadata.sorted_tables):
        op.execute(f"DROP TABLE {table.name} CASCADE")
