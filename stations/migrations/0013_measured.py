import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("stations", "0012_trace_parent"),
    ]

    operations = [
        migrations.CreateModel(
            name='MeasuredProcess',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=130)),
                ('kept_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('counts', models.JSONField(default=dict)),
                ('gauges', models.JSONField(default=dict)),
            ],
            options={
                'verbose_name': 'measured process',
                'verbose_name_plural': 'measured processes',
            },
        ),
    ]
