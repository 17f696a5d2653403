from django.db import migrations

from energy.routes import CreateRoute


class Migration(migrations.Migration):
    dependencies = [("energy", "0001_initial")]
    atomic = False  # router.convert commits as it goes

    operations = [
        # consumption by residence; its children are named by the residence's code
        CreateRoute("Consumption", [
            ("list", "residence", {"label": "SELECT code FROM public.energy_residence WHERE id = $1"}),
        ]),
        # temperature by residence and month
        CreateRoute("Temperature", [
            ("list", "residence"),
            ("date", "read_at", {"every": "month"}),
        ], time_zone="Europe/Brussels"),
        # humidity by month, without the operation
        migrations.RunSQL(
            "CALL router.convert('energy_humidity', router.by_date('read_at', 'month'), time_zone => 'Europe/Brussels')",
            # of a route that is there: a migration that was interrupted on its way back does it again
            reverse_sql="SELECT router.drop_route(base, rows => 'base') FROM router.routes WHERE base = 'energy_humidity'::regclass"),
    ]
