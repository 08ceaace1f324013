import django.db.models.deletion
from django.db import migrations, models

import stations.identifiers

from ._partitioned import Partitioning, Room

FRAMES = Partitioning("stations_frame", "day")
STATIONS = Room("stations_station")


class Migration(migrations.Migration):

    dependencies = [
        ('stations', '0008_composite_schedule'),
    ]

    operations = [
        migrations.AlterField(
            model_name='frame',
            name='id',
            field=models.UUIDField(default=stations.identifiers.time_ordered_id, editable=False, primary_key=True, serialize=False),
        ),
        migrations.AlterField(
            model_name='frame',
            name='station',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='frames', to='stations.station'),
        ),
        migrations.AddIndex(
            model_name='command',
            index=models.Index(fields=['status'], name='command_status'),
        ),
        migrations.AddIndex(
            model_name='station',
            index=models.Index(fields=['station_id'], name='station_by_id'),
        ),
        migrations.RunPython(STATIONS.forward, STATIONS.backward),
        migrations.RunPython(FRAMES.forward, FRAMES.backward),
    ]
