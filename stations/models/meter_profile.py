"""How the meter of a station speaks: what staff say of it, and what was seen (docs/metering.md)."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..metering import (
    BillUnit,
    Habits,
    Quirk,
    Register,
    SampleUnit,
    Source,
    habits_of,
    is_likely,
)
from .station import Station

SAMPLE_UNITS = [
    (SampleUnit.AUTO.value, _("found out by Kubat")),
    (SampleUnit.LABELLED.value, _("as labelled")),
    (SampleUnit.WH.value, _("always Wh")),
    (SampleUnit.KWH.value, _("always kWh")),
]
BILL_UNITS = [
    (BillUnit.AUTO.value, _("found out by Kubat")),
    (BillUnit.WH.value, _("Wh, as OCPP says")),
    (BillUnit.KWH.value, _("kWh")),
]
REGISTERS = [
    (Register.AUTO.value, _("found out by Kubat")),
    (Register.LIFETIME.value, _("counts for ever")),
    (Register.BOOT.value, _("begins again at each boot")),
    (Register.TRANSACTION.value, _("begins again at each transaction")),
]
SOURCES = [
    (Source.AUTO.value, _("import, or export where there is no other")),
    (Source.IMPORT.value, _("the import register only")),
    (Source.EXPORT.value, _("the export register")),
]


class MeterProfile(models.Model):
    """One row a station whose meter bends the rules; none means that nothing is known.

    `findings` maps a quirk to {"sessions", "against", "first_seen", "last_seen", "examples"}:
    how many sessions showed it, and the latest few with what was told and what it was read as.
    """

    station = models.OneToOneField(Station, on_delete=models.CASCADE, related_name="meter_profile")
    sample_unit = models.CharField(
        _("unit of samples"), max_length=8, choices=SAMPLE_UNITS, default=SampleUnit.AUTO.value
    )
    bill_unit = models.CharField(
        _("unit of meterStart and meterStop"),
        max_length=4,
        choices=BILL_UNITS,
        default=BillUnit.AUTO.value,
    )
    register = models.CharField(max_length=11, choices=REGISTERS, default=Register.AUTO.value)
    source = models.CharField(
        _("source of energy"), max_length=6, choices=SOURCES, default=Source.AUTO.value
    )
    findings = models.JSONField(default=dict, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("meter profile")
        verbose_name_plural = _("meter profiles")
        ordering = ["station__station_id"]

    def __str__(self) -> str:
        return f"{self.station}"

    @property
    def stated(self) -> Habits:
        """What staff say."""
        return Habits(self.sample_unit, self.bill_unit, self.register, self.source)

    @property
    def likely(self) -> Habits:
        """What enough sessions have shown, the most frequent first."""
        seen: list[tuple[str, dict[str, Any]]] = sorted(
            self.findings.items(), key=lambda item: -item[1]["sessions"]
        )
        return habits_of(
            [Quirk(name) for name, row in seen if is_likely(row["sessions"], row["against"])]
        )
