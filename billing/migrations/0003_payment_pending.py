from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0002_outbox_status'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['status'], name='payment_pending'),
        ),
    ]
