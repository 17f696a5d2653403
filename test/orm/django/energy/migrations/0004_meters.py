from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("energy", "0003_later")]

    operations = [
        migrations.CreateModel(
            name="Tariff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name="Meter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.CharField(max_length=40)),
                ("tariffs", models.ManyToManyField(related_name="meters", to="energy.Tariff")),
            ],
        ),
    ]
