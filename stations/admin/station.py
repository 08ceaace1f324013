"""Stations: what they are, how they are, and what staff may ask of them."""

from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from billing.admin.base import SelfRecordedAdmin
from billing.admin.display import EMPTY, link, list_link, table
from billing.admin.filters import CaseFilter, Cases
from billing.admin.reasoned import Act, Done, actor_of, reasoned
from sessions_app.models import ChargingSession, SessionStatus
from sessions_app.services.start import request_start

from .. import keys, registry
from ..gateway.schemas import check_request
from ..models import Command, Connector, Frame, Station
from ..registry import StationFacts
from .connector import ConnectorInline
from .station_charging import SmartChargingButtons
from .station_forms import ConnectorForm, ResetForm, SendForm, StartForm, StationForm

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
    "clock_offset_s",
    "settings_table",
)


class OnlineFilter(CaseFilter):
    title = _("connection")
    parameter_name = "online"

    def cases(self) -> Cases:
        is_online = Q(pk__in=Station.objects.online().values("pk"))
        return {"1": (_("online"), is_online), "0": (_("offline"), ~is_online)}


@admin.register(Station)
class StationAdmin(SmartChargingButtons, SelfRecordedAdmin):
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
    )
    list_filter = (
        OnlineFilter,
        "enabled",
        "registration",
        ("site", AutocompleteSelectFilter),
        "security_profile",
        "vendor",
    )
    list_select_related = ("owner", "site")
    search_fields = ("station_id", "name", "address", "serial_number", "site__name")
    autocomplete_fields = ("site",)
    readonly_fields = ("enabled", "registration", "pages", *SAID_BY_STATION)
    fieldsets = (
        (None, {"fields": ("station_id", "enabled", "registration", "pages")}),
        (_("Said by staff"), {"fields": SAID_BY_STAFF}),
        (_("Said by the station"), {"fields": SAID_BY_STATION}),
    )
    add_fieldsets = ((None, {"fields": ("station_id", *SAID_BY_STAFF)}),)
    inlines = (ConnectorInline,)
    actions = ("reset", "enable", "disable", "approve", "set_profile", "clear_profiles")
    actions_detail = (
        "approve",
        "start",
        "unlock",
        "reset",
        {
            "title": _("Smart charging"),
            "items": ["set_profile", "clear_profiles", "ask_schedule"],
        },
        {
            "title": _("More"),
            "items": ["send", "enable", "disable", "reject", "rotate_key", "remove"],
        },
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Station]:
        connectors = Prefetch("connectors", Connector.objects.order_by("connector_id"))
        stations: QuerySet[Station] = super().get_queryset(request)
        return stations.select_related("owner", "site").prefetch_related(connectors)

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
            messages.warning(request, _told_once(obj, keyed.key))

    @admin.display(description=_("online"), boolean=True)
    def online(self, station: Station) -> bool:
        return station.is_online

    @admin.display(description=_("connectors"))
    def connector_states(self, station: Station) -> str:
        states = [f"{row.connector_id} {row.status}" for row in station.connectors.all()]
        return " · ".join(states) or EMPTY

    @admin.display(description=_("pages"))
    def pages(self, station: Station) -> SafeString:
        query = f"station__id__exact={station.pk}"
        pages = ((ChargingSession, _("Sessions")), (Command, _("Commands")), (Frame, _("Frames")))
        links = ((list_link(model, query, text),) for model, text in pages)
        return format_html_join(" · ", "{}", links)

    @admin.display(description=_("configuration"))
    def settings_table(self, station: Station) -> SafeString | str:
        rows = [
            (key, *(entry.get(part, "") for part in ("value", "wanted", "refused")))
            for key, entry in sorted(station.configuration.items())
        ]
        headers = (_("key"), _("value"), _("wanted"), _("refused"))
        return table(headers, rows) if rows else EMPTY

    @reasoned(
        label=_("Start a charge"),
        permission="sessions_app.add_chargingsession",
        form=StartForm,
        is_offered=lambda station: station.is_online and station.enabled,
        icon="play_arrow",
    )
    def start(self, act: Act[Station]) -> Done:
        session = request_start(
            driver=act.values["driver"],
            station_id=act.row.station_id,
            connector_id=act.values["connector_id"],
            limit=act.values["limit"],
            actor=act.actor,
            reason=act.reason,
        )
        page = link(session, str(_("session")))
        if session.status == SessionStatus.ERROR:
            return Done(format_html("{} {}", _("Not enough money:"), page), messages.ERROR)
        return Done(format_html("{} {}", _("The station is asked to start:"), page))

    @reasoned(
        label=_("Unlock a connector"),
        permission="stations.add_command",
        form=ConnectorForm,
        is_offered=lambda station: station.is_online,
        icon="lock_open",
    )
    def unlock(self, act: Act[Station]) -> Done:
        return _ask(act, "UnlockConnector", {"connectorId": act.values["connector_id"]})

    @reasoned(
        label=_("Reset"),
        permission="stations.add_command",
        form=ResetForm,
        is_offered=lambda station: station.is_online,
        icon="restart_alt",
        variant=ActionVariant.WARNING,
    )
    def reset(self, act: Act[Station]) -> Done:
        return _ask(act, "Reset", {"type": act.values["type"]})

    @reasoned(
        label=_("Send a call"),
        permission="stations.add_command",
        form=SendForm,
        is_offered=lambda station: station.is_online,
        icon="send",
    )
    def send(self, act: Act[Station]) -> Done:
        action, payload = act.values["action"], act.values["payload"]
        check_request(act.row.subprotocol, action, payload)
        return _ask(act, action, payload)

    @reasoned(
        label=_("Put on sale"),
        permission="stations.change_station",
        is_offered=lambda station: not station.enabled,
        is_logged=False,
    )
    def enable(self, act: Act[Station]) -> Done:
        _update(act, enabled=True)
        return Done(_("%(station)s is on sale.") % {"station": act.row})

    @reasoned(
        label=_("Take out of sale"),
        permission="stations.change_station",
        is_offered=lambda station: station.enabled,
        is_logged=False,
    )
    def disable(self, act: Act[Station]) -> Done:
        _update(act, enabled=False)
        return Done(_("%(station)s is out of sale.") % {"station": act.row})

    @reasoned(
        label=_("Approve"),
        permission="stations.change_station",
        is_offered=lambda station: station.registration != Station.Registration.ACCEPTED,
        is_logged=False,
        icon="check",
        variant=ActionVariant.SUCCESS,
    )
    def approve(self, act: Act[Station]) -> Done:
        key = _update(act, registration=Station.Registration.ACCEPTED)
        if key:
            return Done(_told_once(act.row, key), messages.WARNING)
        return Done(_("%(station)s is approved.") % {"station": act.row})

    @reasoned(
        label=_("Reject"),
        permission="stations.change_station",
        is_offered=lambda station: station.registration == Station.Registration.PENDING,
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def reject(self, act: Act[Station]) -> Done:
        _update(act, registration=Station.Registration.REJECTED)
        return Done(_("%(station)s is rejected.") % {"station": act.row})

    @reasoned(
        label=_("New key"),
        permission="stations.change_station",
        is_offered=lambda station: station.security_profile in keys.KEYED_PROFILES,
        is_logged=False,
        icon="key",
    )
    def rotate_key(self, act: Act[Station]) -> Done:
        return Done(_told_once(act.row, _update(act, key=None) or ""), messages.WARNING)

    @reasoned(
        label=_("Remove"),
        permission="stations.delete_station",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[Station]) -> Done:
        registry.remove_station(station_id=act.row.station_id, by=act.actor, reason=act.reason)
        return Done(_("The station is gone."), is_gone=True)


def _ask(act: Act[Station], action: str, payload: dict[str, Any]) -> Done:
    command = registry.ask_station(
        station=act.row, action=action, payload=payload, by=act.actor, reason=act.reason
    )
    return Done(format_html("{} {}", _("The station is asked:"), link(command)))


def _update(act: Act[Station], **changes: Any) -> str | None:
    """Change a station by the same use case as its form; return a key that was made."""
    keyed = registry.update_station(
        station_id=act.row.station_id,
        changes=cast(StationFacts, changes),
        by=act.actor,
        reason=act.reason,
    )
    return keyed.key


def _facts(form: "forms.ModelForm[Station]", names: Iterable[str]) -> StationFacts:
    """What a form says of a station, in the words of the use case."""
    values = {name: form.cleaned_data[name] for name in names if name != "reason"}
    if "connector_count" in values:
        values["connectors"] = values.pop("connector_count")
    return cast(StationFacts, values)


def _told_once(station: Station, key: str) -> str:
    return _("The key of %(station)s is %(key)s. It is not shown again.") % {
        "station": station,
        "key": key,
    }
