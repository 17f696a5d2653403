from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('energy', '0002_routes'),
    ]

    operations = [
        migrations.AddField(
            model_name='consumption',
            name='source',
            field=models.CharField(default='meter', max_length=10),
        ),
        migrations.AddIndex(
            model_name='temperature',
            index=models.Index(fields=['accommodation', 'read_at'], name='temperature_of'),
        ),
        migrations.AddConstraint(
            model_name='humidity',
            constraint=models.CheckConstraint(check=models.Q(('value__range', (0, 100))), name='humidity_percent'),
        ),
    ]
