"""What stations said that belongs to no session we know (P8): read-only but for its resolution."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import energy, money
from billing.admin.filters import MomentFilter, ResolvedFilter
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned

from ..models import ChargingSession, Orphan
from ..services.orphans import dismiss
from ..services.review import assign

OFFERED = 50
"""How many sessions a message can be assigned to by its form: the latest of its station."""


class AssignForm(ReasonForm):
    session = forms.TypedChoiceField(
        label=_("Session"), coerce=uuid.UUID, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any = None, *, row: Orphan) -> None:
        super().__init__(data, row=row)
        choices = [(str(one.pk), _session_line(one)) for one in _candidates(row)]
        self.fields["session"].choices = choices  # type: ignore[attr-defined]


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
    actions = ("dismiss",)
    actions_detail = ("assign", "dismiss")

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
        facts = {
            "status": session.get_status_display(),
            "energy": energy(session.energy_wh),
            "cost": money(session.cost_minor),
        }
        return Done(_("Assigned. The session: %(status)s, %(energy)s, %(cost)s.") % facts)

    @reasoned(
        label=_("Dismiss"),
        permission="sessions_app.change_orphan",
        is_offered=lambda orphan: orphan.resolved_at is None,
        icon="done",
    )
    def dismiss(self, act: Act[Orphan]) -> Done:
        dismiss(orphan_id=act.row.pk, actor=act.actor, reason=act.reason)
        return Done(_("Dismissed."))


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
