"""The user's application: buildings, and readings of what their meters and sensors say."""
from django.db import models


class Residence(models.Model):
    code = models.CharField(max_length=40, unique=True, null=True)


class Accommodation(models.Model):
    residence = models.ForeignKey(Residence, models.CASCADE, related_name="accommodations")
    number = models.CharField(max_length=10)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["residence", "number"], name="accommodation_number")]


class Reading(models.Model):
    residence = models.ForeignKey(Residence, models.CASCADE)
    accommodation = models.ForeignKey(Accommodation, models.CASCADE)
    read_at = models.DateTimeField()
    value = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        abstract = True


class Consumption(Reading):
    source = models.CharField(max_length=10, default="meter")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["residence", "accommodation", "read_at"], name="energy_consumption_once"),
            models.CheckConstraint(check=models.Q(value__gte=0), name="consumption_not_negative"),
        ]
        indexes = [models.Index(fields=["read_at"], name="consumption_read_at")]


class Temperature(Reading):
    class Meta:
        indexes = [models.Index(fields=["accommodation", "read_at"], name="temperature_of")]


class Humidity(Reading):
    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["accommodation", "read_at"], name="humidity_once"),
            models.CheckConstraint(check=models.Q(value__range=(0, 100)), name="humidity_percent"),
        ]


class Tariff(models.Model):
    name = models.CharField(max_length=40)


class Meter(models.Model):
    number = models.CharField(max_length=40)
    tariffs = models.ManyToManyField(Tariff, related_name="meters")
