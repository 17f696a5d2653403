from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Accommodation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=10)),
            ],
        ),
        migrations.CreateModel(
            name='Residence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40, null=True, unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='Temperature',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('read_at', models.DateTimeField()),
                ('value', models.DecimalField(decimal_places=2, max_digits=8)),
                ('accommodation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='energy.accommodation')),
                ('residence', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='energy.residence')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Humidity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('read_at', models.DateTimeField()),
                ('value', models.DecimalField(decimal_places=2, max_digits=8)),
                ('accommodation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='energy.accommodation')),
                ('residence', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='energy.residence')),
            ],
        ),
        migrations.CreateModel(
            name='Consumption',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('read_at', models.DateTimeField()),
                ('value', models.DecimalField(decimal_places=2, max_digits=8)),
                ('accommodation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='energy.accommodation')),
                ('residence', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='energy.residence')),
            ],
        ),
        migrations.AddField(
            model_name='accommodation',
            name='residence',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='accommodations', to='energy.residence'),
        ),
        migrations.AddConstraint(
            model_name='humidity',
            constraint=models.UniqueConstraint(fields=('accommodation', 'read_at'), name='humidity_once'),
        ),
        migrations.AddIndex(
            model_name='consumption',
            index=models.Index(fields=['read_at'], name='consumption_read_at'),
        ),
        migrations.AddConstraint(
            model_name='consumption',
            constraint=models.UniqueConstraint(fields=('residence', 'accommodation', 'read_at'), name='energy_consumption_once'),
        ),
        migrations.AddConstraint(
            model_name='consumption',
            constraint=models.CheckConstraint(check=models.Q(('value__gte', 0)), name='consumption_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='accommodation',
            constraint=models.UniqueConstraint(fields=('residence', 'number'), name='accommodation_number'),
        ),
    ]
