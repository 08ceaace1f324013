"""What stations said that belongs to no session we know (P8): read-only but for its resolution."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import energy, link, money
from billing.admin.filters import MomentFilter, ResolvedFilter
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned
from billing.models import Tariff, User
from stations.models import Station, TariffAssignment

from ..models import ChargingSession, Orphan
from ..services.orphans import dismiss
from ..services.recover import Told, make_session, write_off
from ..services.review import assign

OFFERED = 50
"""How many sessions a message can be assigned to by its form: the latest of its station."""


def _kwh(label: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=0,
        max_digits=11,
        decimal_places=3,
        help_text=_("Only where the message does not say it."),
        widget=UnfoldAdminDecimalFieldWidget,
    )


class AssignForm(ReasonForm):
    session = forms.TypedChoiceField(
        label=_("Session"), coerce=uuid.UUID, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any = None, *, row: Orphan) -> None:
        super().__init__(data, row=row)
        choices = [(str(one.pk), _session_line(one)) for one in _candidates(row)]
        self.fields["session"].choices = choices  # type: ignore[attr-defined]


class MakeForm(ReasonForm):
    """What a message does not say itself."""

    driver = forms.ModelChoiceField(
        label=_("Driver"),
        queryset=User.objects.filter(is_active=True),
        widget=AutocompleteSelect(ChargingSession._meta.get_field("user"), admin.site),
    )
    tariff = forms.TypedChoiceField(
        label=_("Tariff"),
        coerce=uuid.UUID,
        required=False,
        empty_value=None,
        help_text=_("None: the one that held then."),
        widget=UnfoldAdminSelectWidget,
    )
    connector_id = forms.TypedChoiceField(
        label=_("Connector"), coerce=int, widget=UnfoldAdminSelectWidget
    )
    meter_start = _kwh(_("Meter at the start, kWh"))
    meter_stop = _kwh(_("Meter at the end, kWh"))

    def __init__(self, data: Any = None, *, row: Orphan) -> None:
        super().__init__(data, row=row)
        station = row.station
        numbers = station.connectors.order_by("connector_id").values_list("connector_id", flat=True)
        self.fields["connector_id"].choices = [(n, n) for n in numbers]  # type: ignore[attr-defined]
        self.fields["connector_id"].initial = row.payload.get("connector_id")
        tariffs = _tariffs_of(station)
        self.fields["tariff"].choices = [("", "---"), *tariffs]  # type: ignore[attr-defined]


@admin.register(Orphan)
class OrphanAdmin(ReadOnlyAdmin):
    list_display = (
        "received_at",
        "station",
        "kind",
        "cause",
        "session",
        "resolved_at",
        "resolution",
    )
    list_filter = (
        ResolvedFilter,
        "kind",
        ("station", AutocompleteSelectFilter),
        ("received_at", MomentFilter),
    )
    list_select_related = ("station", "session")
    search_fields = ("cause", "key", "station__station_id", "resolution")
    fields = readonly_fields = (
        "kind",
        "station",
        "cause",
        "payload",
        "key",
        "received_at",
        "session",
        "resolved_at",
        "resolved_by",
        "resolution",
    )
    actions = ("write_off", "dismiss")
    actions_detail = ("assign", "make_session", "write_off", "dismiss")

    @reasoned(
        label=_("Assign"),
        permission="sessions_app.change_orphan",
        form=AssignForm,
        is_offered=lambda orphan: orphan.resolved_at is None and orphan.kind != Orphan.Kind.START,
        icon="link",
    )
    def assign(self, act: Act[Orphan]) -> Done:
        session = assign(
            orphan_id=act.row.pk,
            session_id=act.values["session"],
            actor=act.actor,
            reason=act.reason,
        )
        return Done(_("Assigned. The session: %(status)s, %(energy)s, %(cost)s.") % _facts(session))

    @reasoned(
        label=_("Make a session"),
        permission="sessions_app.change_orphan",
        form=MakeForm,
        is_offered=lambda orphan: orphan.resolved_at is None and orphan.session_id is None,
        icon="add",
    )
    def make_session(self, act: Act[Orphan]) -> Done:
        values = act.values
        told = Told(
            driver=values["driver"],
            tariff=Tariff.objects.filter(pk=values["tariff"]).first(),
            connector_id=values["connector_id"],
            meter_start_wh=_wh(values["meter_start"]),
            meter_stop_wh=_wh(values["meter_stop"]),
        )
        session = make_session(orphan_id=act.row.pk, told=told, actor=act.actor, reason=act.reason)
        return _made(session)

    @reasoned(
        label=_("Write off as loss"),
        permission="sessions_app.change_orphan",
        is_offered=lambda orphan: orphan.resolved_at is None and orphan.session_id is None,
        icon="money_off",
        variant=ActionVariant.WARNING,
    )
    def write_off(self, act: Act[Orphan]) -> Done:
        return _made(write_off(orphan_id=act.row.pk, actor=act.actor, reason=act.reason))

    @reasoned(
        label=_("Dismiss"),
        permission="sessions_app.change_orphan",
        is_offered=lambda orphan: orphan.resolved_at is None,
        icon="done",
    )
    def dismiss(self, act: Act[Orphan]) -> Done:
        dismiss(orphan_id=act.row.pk, actor=act.actor, reason=act.reason)
        return Done(_("Dismissed."))


def _facts(session: ChargingSession) -> dict[str, str]:
    return {
        "status": session.get_status_display(),
        "energy": energy(session.energy_wh),
        "cost": money(session.cost_minor),
    }


def _made(session: ChargingSession) -> Done:
    text = _("A session was made: %(status)s, %(energy)s, %(cost)s.") % _facts(session)
    return Done(format_html("{} {}", text, link(session, str(_("session")))))


def _wh(kwh: Decimal | None) -> Decimal | None:
    return None if kwh is None else kwh * 1000


def _tariffs_of(station: Station) -> list[tuple[str, str]]:
    """The tariffs that ever held at a station, the latest first."""
    scopes = ["default", f"site:{station.site_id}", f"station:{station.pk}"]
    scopes += [f"connector:{pk}" for pk in station.connectors.values_list("pk", flat=True)]
    held = TariffAssignment.objects.filter(scope__in=scopes)
    named = held.select_related("tariff").order_by("-valid_from")
    return [(str(row.tariff_id), str(row.tariff)) for row in named]


def _candidates(orphan: Orphan) -> QuerySet[ChargingSession]:
    """The sessions of its station that had begun when a message came, the latest first."""
    sessions = ChargingSession.objects.filter(
        station=orphan.station,
        transaction_id__isnull=False,
        requested_at__lte=orphan.received_at,
    )
    if orphan.session_id:
        sessions = sessions.filter(pk=orphan.session_id)
    return sessions.select_related("user").order_by("-requested_at")[:OFFERED]


def _session_line(session: ChargingSession) -> str:
    parts = (
        f"{session.started_at:%Y-%m-%d %H:%M}",
        _("connector %(number)s") % {"number": session.connector_id},
        session.user or "",
        session.get_status_display(),
        f"{energy(session.meter_start_wh)} → {energy(session.meter_last_wh)}",
    )
    return " · ".join(str(part) for part in parts if part)
