"""Stations: what they are, how they are, and what staff may ask of them."""

import datetime as dt
from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import SelfRecordedAdmin
from billing.admin.display import EMPTY, energy, list_link
from billing.admin.reasoned import actor_of
from sessions_app.models import ChargingSession
from sessions_app.models.session import WRITTEN_OFF

from .. import registry
from ..models import Command, Connector, FirmwareUpdate, Frame, LogRequest, Station
from ..registry import StationFacts
from .command import CommandInline
from .connector import ConnectorInline
from .station_certificates import CertificateButtons
from .station_charging import SmartChargingButtons
from .station_commands import CommandButtons
from .station_configuration import ConfigurationButtons, ConfigurationFilter
from .station_filters import ClockFilter, OnlineFilter
from .station_forms import StationForm
from .station_local_list import LocalListButtons
from .station_maintenance import MaintenanceButtons
from .station_menus import MENUS
from .station_meter import MeterButtons
from .station_registration import RegistrationButtons, told_once
from .station_reservation import ReservationButtons

SAID_BY_STAFF = (
    "name",
    "site",
    "address",
    "latitude",
    "longitude",
    "time_zone",
    "max_power_kw",
    "connector_count",
    "security_profile",
    "is_lenient",
    "is_provisioned",
)
SAID_BY_STATION = (
    "online",
    "connected_at",
    "last_seen_at",
    "booted_at",
    "subprotocol",
    "vendor",
    "model",
    "serial_number",
    "firmware_version",
    "firmware_status",
    "clock",
    "local_list_line",
    "ignored",
    "settings_table",
    "meter",
)


@admin.register(Station)
class StationAdmin(
    CertificateButtons,
    CommandButtons,
    ConfigurationButtons,
    LocalListButtons,
    MaintenanceButtons,
    MeterButtons,
    RegistrationButtons,
    ReservationButtons,
    SmartChargingButtons,
    SelfRecordedAdmin,
):
    form = StationForm
    list_display = (
        "station_id",
        "name",
        "site",
        "online",
        "connector_states",
        "enabled",
        "registration",
        "last_seen_at",
        "clock",
    )
    list_filter = (
        OnlineFilter,
        ConfigurationFilter,
        ClockFilter,
        "enabled",
        "registration",
        ("site", AutocompleteSelectFilter),
        "security_profile",
        "vendor",
    )
    list_select_related = ("owner", "site")
    search_fields = ("station_id", "name", "address", "serial_number", "site__name")
    autocomplete_fields = ("site",)
    readonly_fields = ("enabled", "registration", "pages", "written_off", *SAID_BY_STATION)
    fieldsets = (
        (None, {"fields": ("station_id", "enabled", "registration", "pages", "written_off")}),
        (_("Said by staff"), {"fields": SAID_BY_STAFF}),
        (_("Said by the station"), {"fields": SAID_BY_STATION}),
    )
    add_fieldsets = ((None, {"fields": ("station_id", *SAID_BY_STAFF)}),)
    inlines = (ConnectorInline, CommandInline)
    actions = (
        "reset",
        "set_availability",
        "clear_cache",
        "trigger",
        "read_configuration",
        "change_key",
        "apply_wishes",
        "enable",
        "disable",
        "approve",
        "list_choose",
        "set_profile",
        "clear_profiles",
    )
    actions_detail = MENUS

    def get_queryset(self, request: HttpRequest) -> QuerySet[Station]:
        connectors = Prefetch("connectors", Connector.objects.order_by("connector_id"))
        stations: QuerySet[Station] = super().get_queryset(request)
        related = stations.select_related("owner", "site", "meter_profile")
        return related.prefetch_related(connectors)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "station_id") if obj else self.readonly_fields

    def save_model(
        self, request: HttpRequest, obj: Station, form: "forms.ModelForm[Station]", change: bool
    ) -> None:
        by, reason = actor_of(request), form.cleaned_data["reason"]
        if change:
            keyed = registry.update_station(
                station_id=obj.station_id,
                changes=_facts(form, form.changed_data),
                by=by,
                reason=reason,
            )
        else:
            facts = _facts(form, ["station_id", *SAID_BY_STAFF])
            keyed = registry.register_station(facts=facts, by=by, reason=reason)
            obj.pk = keyed.station.pk
        if keyed.key:
            messages.warning(request, told_once(obj, keyed.key))

    @admin.display(description=_("online"), boolean=True)
    def online(self, station: Station) -> bool:
        return station.is_online

    @admin.display(description=_("clock"), ordering="clock_offset_s")
    def clock(self, station: Station) -> str:
        """How a station's clock stands to ours; seconds are what the network takes, too."""
        if station.clock_offset_s is None:
            return EMPTY
        by = str(dt.timedelta(seconds=abs(round(station.clock_offset_s))))
        if by == "0:00:00":
            return str(_("right"))
        template = _("%(by)s behind") if station.clock_offset_s > 0 else _("%(by)s ahead")
        return template % {"by": by}

    @admin.display(description=_("connectors"))
    def connector_states(self, station: Station) -> str:
        states = [f"{row.connector_id} {row.status}" for row in station.connectors.all()]
        return " · ".join(states) or EMPTY

    @admin.display(description=_("pages"))
    def pages(self, station: Station) -> SafeString:
        query = f"station__id__exact={station.pk}"
        pages = (
            (ChargingSession, _("Sessions")),
            (Command, _("Commands")),
            (Frame, _("Frames")),
            (FirmwareUpdate, _("Firmware")),
            (LogRequest, _("Logs")),
        )
        links = [list_link(model, query, text) for model, text in pages]
        live = reverse("admin:stations_frame_live", args=[station.pk])
        links.append(format_html('<a href="{}" class="text-link">{}</a>', live, _("Live")))
        return format_html_join(" · ", "{}", ((one,) for one in links))

    @admin.display(description=_("ignored frames"))
    def ignored(self, station: Station) -> str:
        rows = station.ignored_frames.order_by("kind")
        return " · ".join(f"{row.get_kind_display()} {row.count}" for row in rows) or EMPTY

    @admin.display(description=_("written off"))
    def written_off(self, station: Station) -> SafeString | str:
        """Energy that staff booked as a loss, since nobody is known who took it."""
        lost = station.sessions.filter(stop_reason=WRITTEN_OFF)
        total = lost.aggregate(wh=Sum("energy_wh"))["wh"]
        query = f"station__id__exact={station.pk}&stop_reason={WRITTEN_OFF}"
        return list_link(ChargingSession, query, energy(total)) if total else EMPTY


def _facts(form: "forms.ModelForm[Station]", names: Iterable[str]) -> StationFacts:
    """What a form says of a station, in the words of the use case."""
    values = {name: form.cleaned_data[name] for name in names if name != "reason"}
    if "connector_count" in values:
        values["connectors"] = values.pop("connector_count")
    return cast(StationFacts, values)
