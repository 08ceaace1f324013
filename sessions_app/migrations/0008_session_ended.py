from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("sessions_app", "0007_ignored_stops"),
    ]

    operations = [
        migrations.AddIndex(
            model_name='chargingsession',
            index=models.Index(condition=models.Q(('ended_at__isnull', False)), fields=['ended_at'], name='session_ended'),
        ),
    ]
