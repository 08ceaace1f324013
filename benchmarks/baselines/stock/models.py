"""One row a MeterValues."""

from django.db import models


class MeterMessage(models.Model):
    """What one message told, as it came."""

    station_id = models.CharField(max_length=48, db_index=True)
    connector_id = models.IntegerField()
    transaction_id = models.IntegerField(null=True)
    meter_value = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "stock"

    def __str__(self) -> str:
        return f"{self.station_id}/{self.connector_id} {self.received_at}"
