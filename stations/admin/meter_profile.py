"""Meter profiles: how each station's meter speaks, and what shows it. Changed at its station."""

import uuid
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import EMPTY, link, list_link, table
from sessions_app.models import ChargingSession

from ..metering import SHOWS, Quirk, is_likely
from ..models import Frame, MeterProfile
from ..models.meter_profile import BILL_UNITS, REGISTERS, SAMPLE_UNITS, SOURCES

CHOICES = {
    "sample_unit": SAMPLE_UNITS,
    "bill_unit": BILL_UNITS,
    "register": REGISTERS,
    "source": SOURCES,
}
HABITS = tuple(CHOICES)
QUIRKS = {
    Quirk.KWH_SAMPLES: _("samples in kWh, labelled Wh"),
    Quirk.WH_SAMPLES: _("samples in Wh, labelled kWh"),
    Quirk.KWH_BILL: _("meterStart and meterStop in kWh"),
    Quirk.PER_TRANSACTION: _("samples counted from the start of the transaction"),
    Quirk.RESTARTED: _("the register began again during a transaction"),
    Quirk.EXPORTED: _("only the export register"),
    Quirk.PHASES: _("phases without a total"),
    Quirk.UNCLEAR: _("a register that fits nothing"),
    Quirk.UNREADABLE: _("values that are no numbers, or of an unknown unit"),
}


@admin.register(MeterProfile)
class MeterProfileAdmin(ReadOnlyAdmin):
    list_display = ("station", *HABITS, "quirks", "changed_at")
    list_filter = (("station", AutocompleteSelectFilter), *HABITS)
    list_select_related = ("station",)
    search_fields = ("station__station_id", "station__name")
    readonly_fields = ("station_page", *HABITS, "habits_table", "evidence", "changed_at")
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[MeterProfile]:
        profiles: QuerySet[MeterProfile] = super().get_queryset(request)
        return profiles.select_related("station")

    @admin.display(description=_("quirks"))
    def quirks(self, profile: MeterProfile) -> str:
        return ", ".join(str(QUIRKS[Quirk(name)]) for name in profile.findings) or EMPTY

    @admin.display(description=_("station"))
    def station_page(self, profile: MeterProfile) -> SafeString:
        return link(profile.station)

    @admin.display(description=_("what counts"))
    def habits_table(self, profile: MeterProfile) -> SafeString:
        return habits_table(profile)

    @admin.display(description=_("evidence"))
    def evidence(self, profile: MeterProfile) -> SafeString | str:
        return evidence_table(profile)


def habits_table(profile: MeterProfile) -> SafeString:
    """Each habit: what staff state, and what the evidence makes likely."""
    rows = [
        (
            label_for_field(name, MeterProfile),
            getattr(profile, f"get_{name}_display")(),
            _written(profile, name),
        )
        for name in HABITS
    ]
    return table((_("habit"), _("stated"), _("likely")), rows)


def evidence_table(profile: MeterProfile) -> SafeString | str:
    """Each quirk with its counts and its latest examples."""
    rows = [
        (
            QUIRKS[Quirk(name)],
            _confidence(Quirk(name), row),
            row["first_seen"][:16].replace("T", " "),
            example["at"][:16].replace("T", " "),
            f"{example['told']} → {example['read_as']}",
            _links(example),
        )
        for name, row in profile.findings.items()
        for example in row["examples"]
    ]
    headers = (_("quirk"), _("sessions"), _("first seen"), _("seen"), _("told → read as"), "")
    return table(headers, rows) if rows else EMPTY


def _written(profile: MeterProfile, name: str) -> str:
    value = getattr(profile.likely, name)
    return EMPTY if value == "auto" else str(dict(CHOICES[name])[value])


def _confidence(quirk: Quirk, row: dict[str, Any]) -> str:
    counts = _("%(sessions)s, %(against)s against") % row
    likely = quirk in SHOWS and is_likely(row["sessions"], row["against"])
    return f"{counts} · {_('likely')}" if likely else str(counts)


def _links(example: dict[str, str]) -> SafeString:
    session = link(ChargingSession(pk=uuid.UUID(example["session"])), str(_("session")))
    if not example["frame"]:
        return session
    query = f"id__exact={example['frame']}"
    return format_html("{} · {}", session, list_link(Frame, query, _("frame")))
