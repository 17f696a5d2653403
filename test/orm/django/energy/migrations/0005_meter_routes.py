from django.db import migrations

from energy.routes import CreateRoute


class Migration(migrations.Migration):
    dependencies = [("energy", "0004_meters")]

    operations = [
        # the table between meters and tariffs, by one of the two columns that are unique together
        CreateRoute("Meter_tariffs", [("hash", "meter", {"modulus": 3})]),
    ]
