from django.db import migrations

from energy.routes import CreateRoute


class Migration(migrations.Migration):
    dependencies = [("energy", "0001_initial")]

    operations = [
        # consumption by residence; its children are named by the residence's code
        CreateRoute("Consumption", [
            ("list", "residence", {"label": "SELECT code FROM public.energy_residence WHERE id = $1"}),
        ], move_rows=True),
        # temperature by residence and month
        CreateRoute("Temperature", [
            ("list", "residence"),
            ("date", "read_at", {"every": "month"}),
        ], time_zone="Europe/Brussels", move_rows=True),
        # humidity by month, without the operation
        migrations.RunSQL(
            "SELECT router.create_route('energy_humidity', router.by_date('read_at', 'month'),"
            " time_zone => 'Europe/Brussels', move_rows => true)",
            reverse_sql="SELECT router.drop_route('energy_humidity')"),
    ]
