"""Django on routed tables: what an application does, and what its migrations do."""
import csv
import datetime as dt
import io
import os
import subprocess
import sys
import threading
from decimal import Decimal

from tap import case, raises, run, same, skip_all

try:
    import django
except ImportError:
    skip_all("needs python3-django")
from django.conf import settings

DATABASE = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": os.environ["PGDATABASE"],
    "HOST": os.environ["PGHOST"],
    "PORT": os.environ["PGPORT"],
    "USER": os.environ["PGUSER"],
}
settings.configure(INSTALLED_APPS=["energy"], DATABASES={"default": DATABASE}, USE_TZ=True,
                   DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
django.setup()

from django.apps import apps
from django.core import serializers
from django.core.management import call_command
from django.db import DataError, IntegrityError, OperationalError, connection, transaction
from django.db.migrations.state import ProjectState
from django.db.models import Avg, Count, Exists, F, Max, OuterRef, Sum, Window
from django.db.models.functions import RowNumber, TruncMonth

from energy.models import Accommodation, Consumption, Humidity, Meter, Residence, Tariff, Temperature
from energy.routes import CreateRoute

READINGS = (Consumption, Temperature, Humidity)


def query(sql, params=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def value(sql, params=None):
    return query(sql, params)[0][0]


def child_of(reading):
    return value(f"SELECT tableoid::regclass::text FROM {reading._meta.db_table} WHERE id = %s", [reading.pk])


def at(month, day=1, hour=12, year=2024):
    return dt.datetime(year, month, day, hour, tzinfo=dt.timezone.utc)


def reading(model, home, read_at, amount=10, **more):
    return model(residence_id=home.residence_id, accommodation=home, read_at=read_at, value=amount, **more)


def command(*args, **options):
    out = io.StringIO()
    call_command(*args, stdout=out, verbosity=0, **options)
    return out.getvalue()


def fresh_session():
    connection.close()


def base_is_empty():
    for model in READINGS:
        same(value(f"SELECT count(*) FROM ONLY {model._meta.db_table}"), 0)


homes = []


@case("migrations make routed tables of models, one of which has rows")
def _():
    command("migrate", "energy", "0001")
    query("INSERT INTO energy_residence (code) VALUES ('0023'), ('FAISANDERIE'), (NULL)")
    query("INSERT INTO energy_accommodation (residence_id, number)"
          " SELECT r.id, n FROM energy_residence r, generate_series(1, 2) n")
    query("INSERT INTO energy_consumption (residence_id, accommodation_id, read_at, value)"
          " SELECT residence_id, id, '2023-05-05', 1 FROM energy_accommodation")
    for table in ("temperature", "humidity"):
        query(f"INSERT INTO energy_{table} (residence_id, accommodation_id, read_at, value)"
              " SELECT residence_id, id, '2023-05-05', 1 FROM energy_accommodation")
    command("migrate", "energy", "0002")
    same(query("SELECT base::text, keys FROM router.routes ORDER BY 1"), [
        ("energy_consumption", ["list(residence_id)"]),
        ("energy_humidity", ["date(read_at, month)"]),
        ("energy_temperature", ["list(residence_id)", "date(read_at, month)"])])
    same(query("SELECT tableoid::regclass::text, count(*) FROM energy_consumption GROUP BY 1 ORDER BY 1"), [
        ('"energy_consumption_FAISANDERIE"', 2), ("energy_consumption_0023", 2), ("energy_consumption_3", 2)])
    base_is_empty()


@case("later migrations reach the children: a column, an index, a check")
def _():
    command("migrate", "energy")
    homes.extend(Accommodation.objects.order_by("id"))
    same(Consumption.objects.filter(source="meter").count(), 6)
    same(query("SELECT c.child::text FROM router.children c WHERE c.base = 'energy_temperature'::regclass"
               " AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.child"
               "  AND pg_get_indexdef(i.indexrelid) LIKE '%%(accommodation_id, read_at)')"), [])
    with raises(IntegrityError), transaction.atomic():
        Humidity.objects.update(value=101)


@case("makemigrations sees no change")
def _():
    command("makemigrations", check_changes=True, dry_run=True)


@case("sqlmigrate writes the operation as SQL, both ways")
def _():
    forwards = command("sqlmigrate", "energy", "0002")
    backwards = command("sqlmigrate", "energy", "0002", backwards=True)
    same("CALL router.convert('\"energy_temperature\"', ARRAY[router.by_list('residence_id'), "
         "router.by_date('read_at', every => 'month')], time_zone => 'Europe/Brussels');" in forwards, True)
    same("BEGIN" in forwards, False)
    same("SELECT router.drop_route(base, rows => 'base') FROM router.routes WHERE base = to_regclass('\"energy_temperature\"');"
         in backwards, True)
    same("SELECT router.create_route('\"energy_meter_tariffs\"', " in command("sqlmigrate", "energy", "0005"), True)


@case("create: a new id, and the row is at home")
def _():
    one = Consumption.objects.create(residence_id=homes[0].residence_id, accommodation=homes[0], read_at=at(1), value=5)
    two = reading(Temperature, homes[0], at(1), 20)
    two.save()
    three = reading(Humidity, homes[5], at(2), 55)
    three.save(force_insert=True)
    same(child_of(one), "energy_consumption_0023")
    same(child_of(two), f"energy_temperature_{homes[0].residence_id}_y2024m01")
    same(child_of(three), "energy_humidity_y2024m02")
    for saved in (one, two, three):
        same(type(saved).objects.get(pk=saved.pk).value, Decimal(saved.value))
    base_is_empty()


@case("save of an object that is there updates it; refresh_from_db; update_fields")
def _():
    one = Consumption.objects.get(read_at=at(1))
    one.value = 6
    one.save()
    one.value = 7
    one.save(update_fields=["value"], force_update=True)
    other = Consumption.objects.get(pk=one.pk)
    same(other.value, 7)
    same(Consumption.objects.filter(read_at=at(1)).count(), 1)
    other.value = 0
    other.refresh_from_db()
    same(other.value, 7)


@case("bulk_create: ids of all, in batches too")
def _():
    for model in READINGS:
        before = model.objects.count()
        objects = [reading(model, home, at(month, day), day) for home in homes for month in (3, 4) for day in range(1, 21)]
        created = model.objects.bulk_create(objects, batch_size=100)
        same(len({one.pk for one in created}), 240)
        same(None in {one.pk for one in created}, False)
        same(model.objects.count(), before + 240)
        there = model.objects.in_bulk([one.pk for one in created])
        same([(one.accommodation_id, one.read_at) for one in created],
             [(there[one.pk].accommodation_id, there[one.pk].read_at) for one in created])
    base_is_empty()


@case("get: found, DoesNotExist, MultipleObjectsReturned")
def _():
    same(Consumption.objects.get(residence__code="0023", accommodation=homes[0], read_at=at(3)).value, 1)
    with raises(Consumption.DoesNotExist):
        Consumption.objects.get(pk=-1)
    with raises(Consumption.MultipleObjectsReturned):
        Consumption.objects.get(residence__code="0023")


@case("filter, exclude, order, slice, exists, count, values")
def _():
    march = Temperature.objects.filter(read_at__gte=at(3, hour=0), read_at__lt=at(4, hour=0))
    same(march.count(), 120)
    same(march.filter(residence__code="FAISANDERIE").count(), 40)
    same(march.exclude(residence=homes[0].residence_id).count(), 80)
    same(march.filter(residence__code__isnull=True, value__in=[1, 2]).exists(), True)
    same([one.value for one in march.filter(accommodation=homes[0]).order_by("-read_at")[2:4]], [18, 17])
    same(sorted(march.values_list("residence__code", flat=True).distinct(), key=str), ["0023", "FAISANDERIE", None])
    same(Temperature.objects.filter(read_at__year=2023).count(), 6)
    same(march.none().count(), 0)


@case("aggregate, annotate by month, subquery, window, union")
def _():
    same(Consumption.objects.filter(read_at__month=3).aggregate(total=Sum("value"), most=Max("value")),
         {"total": Decimal(6 * 210), "most": Decimal(20)})
    months = (Humidity.objects.filter(accommodation=homes[0], read_at__year=2024)
              .annotate(month=TruncMonth("read_at", tzinfo=dt.timezone.utc))
              .values("month").annotate(n=Count("id"), mean=Avg("value")).order_by("month"))
    same([(row["month"].month, row["n"], row["mean"]) for row in months], [(3, 20, Decimal("10.5")), (4, 20, Decimal("10.5"))])
    same(Residence.objects.filter(Exists(Consumption.objects.filter(residence=OuterRef("pk"), value=7))).count(), 3)
    first = Temperature.objects.annotate(n=Window(RowNumber(), partition_by=[F("accommodation")], order_by=F("read_at").desc()))
    same(max(one.n for one in first), 42)
    same(Consumption.objects.values_list("read_at").union(Humidity.objects.values_list("read_at")).count(), 43)


@case("select_related, prefetch_related, reverse accessors, raw")
def _():
    one = Consumption.objects.select_related("accommodation__residence").get(read_at=at(1))
    with connection.execute_wrapper(lambda *args: 1 / 0):
        same(one.accommodation.residence.code, "0023")
    residences = Residence.objects.prefetch_related("accommodations__consumption_set").order_by("id")
    same([sum(len(home.consumption_set.all()) for home in one.accommodations.all()) for one in residences], [83, 82, 82])
    same(len(homes[0].temperature_set.filter(read_at__month=4)), 20)
    same(len(list(Humidity.objects.raw("SELECT * FROM energy_humidity WHERE value = %s", [20]))), 12)


@case("update: F expressions, counts, joins in the condition, bulk_update")
def _():
    same(Consumption.objects.filter(read_at__month=4).update(value=F("value") + 100), 120)
    same(Consumption.objects.filter(residence__code="0023", value__gt=100).update(value=F("value") - 100), 40)
    same(Consumption.objects.filter(value__gt=100).count(), 80)
    some = list(Temperature.objects.filter(read_at=at(3, 5)))
    for one in some:
        one.value = -one.value
    Temperature.objects.bulk_update(some, ["value"])
    same(Temperature.objects.filter(value=-5).count(), 6)
    same(Temperature.objects.filter(pk=-1).update(value=0), 0)


@case("update of a key moves the row: save")
def _():
    one = Temperature.objects.get(accommodation=homes[0], read_at=at(1))
    one.read_at = at(2)
    one.save()
    same(child_of(one), f"energy_temperature_{homes[0].residence_id}_y2024m02")
    one.residence_id, one.accommodation = homes[2].residence_id, homes[2]
    one.save(force_update=True)
    same(child_of(one), f"energy_temperature_{homes[2].residence_id}_y2024m02")
    same(Temperature.objects.filter(pk=one.pk).count(), 1)
    same(Temperature.objects.get(pk=one.pk).read_at, at(2))
    base_is_empty()


@case("update of a key moves rows: update() tells the count, bulk_update")
def _():
    before = Humidity.objects.count()
    april = Humidity.objects.filter(read_at__month=4)
    same(april.update(read_at=F("read_at") + dt.timedelta(days=365)), 120)
    same(query("SELECT DISTINCT tableoid::regclass::text FROM energy_humidity WHERE read_at > '2025-01-01'"),
         [("energy_humidity_y2025m04",)])
    some = list(Humidity.objects.filter(read_at__year=2025, accommodation=homes[1]))
    for one in some:
        one.read_at -= dt.timedelta(days=365)
    Humidity.objects.bulk_update(some, ["read_at"])
    same(Humidity.objects.filter(read_at__year=2025).count(), 100)
    same(Humidity.objects.count(), before)
    base_is_empty()


@case("update_or_create moves the row as well")
def _():
    one, created = Humidity.objects.update_or_create(
        accommodation=homes[5], read_at=at(2), defaults={"read_at": at(6), "value": 60})
    same((created, child_of(one)), (False, "energy_humidity_y2024m06"))


@case("get_or_create and update_or_create")
def _():
    wanted = {"residence_id": homes[3].residence_id, "accommodation": homes[3], "read_at": at(7)}
    one, created = Consumption.objects.get_or_create(**wanted, defaults={"value": 1})
    again, created_again = Consumption.objects.get_or_create(**wanted, defaults={"value": 2})
    same((created, created_again, one.pk == again.pk, again.value), (True, False, True, 1))
    one, created = Consumption.objects.update_or_create(**wanted, defaults={"value": 3})
    same((created, one.pk, Consumption.objects.get(**wanted).value), (False, again.pk, 3))
    wanted["read_at"] = at(8)
    one, created = Consumption.objects.update_or_create(**wanted, defaults={"value": 4})
    same((created, Consumption.objects.get(**wanted).value), (True, 4))


@case("upsert: ON CONFLICT DO NOTHING is bulk_create(ignore_conflicts), as a session's first statement too")
def _():
    before = Consumption.objects.count()
    for day in (2, 3):
        fresh_session()
        Consumption.objects.bulk_create([reading(Consumption, homes[0], at(9, 1)), reading(Consumption, homes[0], at(9, day)),
                                         reading(Consumption, homes[2], at(9, 1))], ignore_conflicts=True)
    same(Consumption.objects.count(), before + 4)


@case("upsert: ON CONFLICT DO UPDATE with EXCLUDED, WHERE and RETURNING, as a session's first statement too")
def _():
    wanted = [(1, 11), (2, 22), (4, 44)]
    objects = [reading(Consumption, homes[0], at(9, day), amount) for day, amount in wanted]
    for _ in range(2):
        fresh_session()
        if django.VERSION >= (4, 1):
            Consumption.objects.bulk_create(objects, update_conflicts=True, update_fields=["value"],
                                            unique_fields=["residence", "accommodation", "read_at"])
        else:
            rows = ", ".join(["(%s, %s, %s, %s, 'upsert')"] * 3)
            returned = query(
                f"INSERT INTO energy_consumption AS c (residence_id, accommodation_id, read_at, value, source) VALUES {rows}"
                " ON CONFLICT (residence_id, accommodation_id, read_at) DO UPDATE SET value = excluded.value"
                " WHERE c.value IS NOT NULL RETURNING id, value",
                [cell for o in objects for cell in (o.residence_id, o.accommodation_id, o.read_at, o.value)])
            same([amount for _, amount in returned], [11, 22, 44])
        same(sorted(Consumption.objects.filter(accommodation=homes[0], read_at__month=9).values_list("value", flat=True)),
             [10, 11, 22, 44])


@case("many-to-many: add again, set, remove, clear, prefetch, delete")
def _():
    meters = [Meter.objects.create(number=str(n)) for n in range(6)]
    tariffs = [Tariff.objects.create(name=name) for name in ("day", "night", "weekend")]
    table = Meter.tariffs.through._meta.db_table
    for meter in meters:
        for _ in range(3):
            fresh_session()
            meter.tariffs.add(*tariffs[:2])
    meters[0].tariffs.add(tariffs[0], through_defaults={})
    tariffs[0].meters.add(*meters)
    same(value(f"SELECT count(*) FROM {table}"), 12)
    same(value(f"SELECT count(*) FROM ONLY {table}"), 0)
    same(value(f"SELECT count(DISTINCT tableoid) > 1 FROM {table}"), True)
    meters[1].tariffs.set(tariffs[1:])
    meters[2].tariffs.remove(tariffs[0])
    meters[3].tariffs.clear()
    same([sorted(t.name for t in m.tariffs.all()) for m in Meter.objects.prefetch_related("tariffs").order_by("id")],
         [["day", "night"], ["night", "weekend"], ["night"], [], ["day", "night"], ["day", "night"]])
    same(Meter.objects.filter(tariffs__name="day").count(), 3)
    same(tariffs[1].meters.count(), 5)
    meters[4].delete()
    tariffs[1].delete()
    same(value(f"SELECT count(*) FROM {table}"), 3)


@case("delete: an object, a queryset, and the cascade from its residence")
def _():
    one = Consumption.objects.get(read_at=at(1))
    same(one.delete(), (1, {"energy.Consumption": 1}))
    same(Consumption.objects.filter(read_at=at(1)).count(), 0)
    same(Consumption.objects.filter(read_at__month=9).delete(), (5, {"energy.Consumption": 5}))
    gone = Residence.objects.create(code="short-lived")
    home = gone.accommodations.create(number="1")
    for model in READINGS:
        model.objects.bulk_create([reading(model, home, at(5, day)) for day in range(1, 6)])
    same(gone.delete(), (17, {"energy.Consumption": 5, "energy.Temperature": 5, "energy.Humidity": 5,
                              "energy.Accommodation": 1, "energy.Residence": 1}))
    same(value("SELECT count(*) FROM \"energy_consumption_short-lived\""), 0)


@case("transactions: what is rolled back is gone, with the child that it made")
def _():
    before = Temperature.objects.count()
    with raises(ZeroDivisionError), transaction.atomic():
        reading(Temperature, homes[0], at(1, year=2001)).save()
        same(Temperature.objects.count(), before + 1)
        1 / 0
    same(Temperature.objects.count(), before)
    same(value("SELECT to_regclass(%s)", [f"energy_temperature_{homes[0].residence_id}_y2001m01"]), None)
    one = reading(Temperature, homes[0], at(1, year=2001))
    one.save()
    same(child_of(one), f"energy_temperature_{homes[0].residence_id}_y2001m01")


@case("savepoints: nested atomic blocks, a child made inside, on_commit")
def _():
    called = []
    with transaction.atomic():
        reading(Humidity, homes[0], at(1, year=2002)).save()
        with raises(IntegrityError), transaction.atomic():
            reading(Humidity, homes[0], at(1, year=2003)).save()
            reading(Humidity, homes[0], at(1, year=2002)).save()
        reading(Humidity, homes[0], at(1, year=2004)).save()
        transaction.on_commit(lambda: called.append(Humidity.objects.filter(read_at__year__lt=2005).count()))
    same(called, [2])
    same(value("SELECT to_regclass('energy_humidity_y2003m01')"), None)


@case("a new residence, its rooms and their first readings in one transaction")
def _():
    with transaction.atomic():
        residence = Residence.objects.create(code="360-400")
        home = residence.accommodations.create(number="1")
        for model in READINGS:
            model.objects.bulk_create([reading(model, home, at(11, day)) for day in range(1, 4)])
    same(child_of(Consumption.objects.filter(residence=residence)[0]), '"energy_consumption_360-400"')
    with raises(ZeroDivisionError), transaction.atomic():
        Residence.objects.filter(code="360-400").delete()
        1 / 0
    same(Humidity.objects.filter(residence=residence).count(), 3)
    residence.delete()


@case("IntegrityError of a unique constraint, named after the child's index")
def _():
    with raises(IntegrityError) as caught, transaction.atomic():
        reading(Consumption, homes[0], at(3)).save()
    diag = caught.value.__cause__.diag
    same((diag.sqlstate, diag.table_name, diag.constraint_name),
         ("23505", "energy_consumption_0023", "energy_consumption_0023_once"))
    same(value("SELECT router.base_constraint(%s::regclass, %s)::text", [diag.table_name, diag.constraint_name]),
         "energy_consumption_once")
    with raises(IntegrityError), transaction.atomic():
        Consumption.objects.bulk_create([reading(Consumption, homes[1], at(10)), reading(Consumption, homes[1], at(10))])
    same(Consumption.objects.filter(read_at=at(10)).count(), 0)
    with raises(IntegrityError) as caught, transaction.atomic():
        reading(Humidity, homes[0], at(3)).save()
    same(caught.value.__cause__.diag.constraint_name, "energy_humidity_y2024m03_humidity_once")


@case("IntegrityError of a foreign key, at the commit as on an ordinary table")
def _():
    before = Consumption.objects.count()
    with raises(IntegrityError) as caught, transaction.atomic():
        Consumption.objects.create(residence_id=homes[0].residence_id, accommodation_id=-1, read_at=at(10), value=1)
        same(Consumption.objects.filter(accommodation_id=-1).count(), 1)
    diag = caught.value.__cause__.diag
    same(diag.sqlstate, "23503")
    same(value("SELECT count(*) FROM pg_constraint WHERE conrelid = 'energy_consumption'::regclass AND conname = %s",
               [diag.constraint_name]), 1)
    with raises(IntegrityError), transaction.atomic():
        Temperature.objects.create(residence_id=-1, accommodation=homes[0], read_at=at(10), value=1)
        connection.check_constraints()
    with raises(IntegrityError), transaction.atomic():
        query("DELETE FROM energy_accommodation WHERE id = %s", [homes[0].pk])
    same(Consumption.objects.count(), before)


@case("IntegrityError of a check and of NOT NULL, DataError of a value; the transaction goes on after a savepoint")
def _():
    with transaction.atomic():
        with raises(IntegrityError) as caught, transaction.atomic():
            reading(Consumption, homes[0], at(10), -1).save()
        diag = caught.value.__cause__.diag
        same((diag.sqlstate, diag.constraint_name), ("23514", "consumption_not_negative"))
        with raises(IntegrityError) as caught, transaction.atomic():
            reading(Consumption, homes[0], at(10), None).save()
        diag = caught.value.__cause__.diag
        same((diag.sqlstate, diag.column_name), ("23502", "value"))
        with raises(IntegrityError), transaction.atomic():
            reading(Humidity, homes[0], None).save()
        with raises(DataError), transaction.atomic():
            reading(Consumption, homes[0], at(10), Decimal(10) ** 7).save()
        with raises(DataError), transaction.atomic():  # beyond the horizon
            reading(Humidity, homes[0], at(10, year=9000)).save()
        one = reading(Consumption, homes[0], at(10), 1)
        one.save()
    same(child_of(one), "energy_consumption_0023")


@case("COPY in and out")
def _():
    lines = io.StringIO()
    rows = [[home.residence_id, home.pk, at(12, day).isoformat(), day, "copy"] for home in homes for day in range(1, 29)]
    csv.writer(lines).writerows(rows)
    lines.seek(0)
    columns = "residence_id, accommodation_id, read_at, value, source"
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY energy_consumption ({columns}) FROM STDIN (FORMAT csv)", lines)
        same(cursor.rowcount, len(rows))
        same(Consumption.objects.filter(source="copy", read_at__month=12).count(), len(rows))
        out = io.StringIO()
        cursor.copy_expert(f"COPY (SELECT {columns} FROM energy_consumption WHERE source = 'copy') TO STDOUT (FORMAT csv)", out)
    same(len(out.getvalue().splitlines()), len(rows))
    base_is_empty()


@case("server-side cursors: iterator()")
def _():
    wanted = Temperature.objects.count()
    same(sum(1 for _ in Temperature.objects.iterator(chunk_size=50)), wanted)
    with transaction.atomic():
        seen = Temperature.objects.order_by("id").iterator(chunk_size=50)
        first = next(seen)
        reading(Temperature, homes[0], at(1, year=2007)).save()
        same(1 + sum(1 for _ in seen), wanted)
    same(Temperature.objects.get(pk=first.pk), first)


@case("select_for_update, and four threads that need the same new children")
def _():
    with transaction.atomic():
        same(len(Consumption.objects.select_for_update().filter(residence__code="0023", read_at__month=3)), 40)
    errors = []

    def work(home):
        try:
            for month in range(1, 13):
                reading(Temperature, home, at(month, year=1999)).save()
                reading(Humidity, home, at(month, year=1999)).save()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[home]) for home in homes[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(errors, [])
    same((Temperature.objects.filter(read_at__year=1999).count(), Humidity.objects.filter(read_at__year=1999).count()), (48, 48))
    base_is_empty()


@case("serialized, deleted, loaded again; sequences reset")
def _():
    data = serializers.serialize("json", Humidity.objects.order_by("pk"))
    before = list(Humidity.objects.order_by("pk").values())
    Humidity.objects.all().delete()
    for one in serializers.deserialize("json", data):
        one.save()
    same(list(Humidity.objects.order_by("pk").values()), before)
    query("SELECT setval(pg_get_serial_sequence('energy_humidity', 'id'), 1)")
    query(command("sqlsequencereset", "energy", no_color=True))
    one = reading(Humidity, homes[0], at(1, year=2008))
    one.save()
    same(one.pk > before[-1]["id"], True)
    base_is_empty()


@case("inspectdb takes children for tables; named tables leave them out")
def _():
    same("class EnergyTemperature1Y2024M03(" in command("inspectdb"), True)
    # The query of docs/orms.md.
    tables = [name for name, in query("""
SELECT c.oid::regclass FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM router.children k WHERE k.child = c.oid)
""")]
    models = command("inspectdb", *tables)
    same(models.count("(models.Model):"), 9)  # eight of the application, one of the migrations
    for name in ("EnergyResidence", "EnergyAccommodation", "EnergyConsumption", "EnergyTemperature", "EnergyHumidity"):
        same(f"class {name}(models.Model):" in models, True)
    same("unique_together = (('residence', 'accommodation', 'read_at'),)" in models, True)


@case("makemigrations --check as a command sees no change, with all these children")
def _():
    same(value("SELECT count(*) > 40 FROM router.children"), True)
    command("makemigrations", check_changes=True, dry_run=True)


def readings():
    return {model: list(model.objects.order_by("pk").values("pk", "read_at", "value")) for model in READINGS}


@case("migrations go back and forwards: the tables have their rows, and are routed once more")
def _():
    query("DELETE FROM energy_consumption WHERE source = 'copy'")
    before = readings()
    for _ in range(2):
        command("migrate", "energy", "0001")
        same(query("SELECT base FROM router.routes"), [])
        for model in READINGS:
            same(value(f"SELECT count(*) FROM ONLY {model._meta.db_table}"), len(before[model]))
            same(value("SELECT count(*) FROM pg_inherits WHERE inhparent = %s::regclass", [model._meta.db_table]), 0)
        same(readings(), before)
        command("migrate", "energy")
        same(readings(), before)
        base_is_empty()


@case("a migration that stopped half-way goes on, and back")
def _():
    command("migrate", "energy", "0001")
    before = readings()
    query("INSERT INTO energy_temperature (residence_id, accommodation_id, read_at, value)"
          " SELECT residence_id, id, '9000-01-01', 1 FROM energy_accommodation LIMIT 1")
    with raises(DataError):  # beyond the horizon
        command("migrate", "energy", "0002")
    same(query("SELECT base::text FROM router.routes"), [("energy_consumption",)])
    query("DELETE FROM energy_temperature WHERE read_at > '8000-01-01'")
    command("migrate", "energy", "0002")
    same(value("SELECT count(*) FROM router.routes"), 3)
    for model in ("temperature", "humidity"):
        query(f"SELECT router.drop_route('energy_{model}', rows => 'base')")
    command("migrate", "energy", "0001")
    same(readings(), before)
    command("migrate", "energy")
    same(readings(), before)
    base_is_empty()


@case("CreateRoute in a transaction: with move_rows, else only without rows")
def _():
    before = readings()
    state = ProjectState.from_apps(apps)
    back = CreateRoute("Humidity", [("date", "read_at", {"every": "month"})])
    with connection.schema_editor(atomic=True) as editor:
        back.database_backwards("energy", editor, state, state)
    same(value("SELECT count(*) FROM ONLY energy_humidity"), len(before[Humidity]))
    with raises(OperationalError), connection.schema_editor(atomic=True) as editor:
        back.database_forwards("energy", editor, state, state)
    route = CreateRoute("Humidity", [("date", "read_at", {"every": "month"})], time_zone="Europe/Brussels", move_rows=True)
    with connection.schema_editor(atomic=True) as editor:
        route.database_forwards("energy", editor, state, state)
    same(readings(), before)
    base_is_empty()


@case("flush empties the children")
def _():
    command("flush", interactive=False)
    for model in READINGS:
        same(model.objects.count(), 0)


@case("migrate zero leaves no table behind")
def _():
    command("migrate", "energy", "zero")
    same(query("SELECT relname FROM pg_class WHERE relname LIKE 'energy%%'"), [])
    same(query("SELECT * FROM router.routes"), [])


run(after_each=fresh_session)
