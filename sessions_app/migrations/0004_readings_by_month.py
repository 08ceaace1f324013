import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from stations.migrations._partitioned import Partitioning, Room

SESSIONS = Room("sessions_app_chargingsession")
READINGS = Partitioning("sessions_app_reading", "month", has_sequence=True)


class Migration(migrations.Migration):

    dependencies = [
        ('sessions_app', '0003_reservation'),
        ('stations', '0009_frames_by_day'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='reading',
            name='session',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='readings', to='sessions_app.chargingsession'),
        ),
        migrations.AlterField(
            model_name='reading',
            name='station',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='stations.station'),
        ),
        migrations.AlterField(
            model_name='chargingsession',
            name='station',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='stations.station'),
        ),
        migrations.AlterField(
            model_name='chargingsession',
            name='user',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charging_sessions', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='chargingsession',
            index=models.Index(fields=['-requested_at'], name='session_requested'),
        ),
        migrations.AddIndex(
            model_name='chargingsession',
            index=models.Index(fields=['started_at'], name='session_started'),
        ),
        migrations.AddIndex(
            model_name='chargingsession',
            index=models.Index(fields=['status'], name='session_status'),
        ),
        migrations.RunPython(SESSIONS.forward, SESSIONS.backward),
        migrations.RunPython(READINGS.forward, READINGS.backward),
    ]
