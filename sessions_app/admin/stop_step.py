"""A stop that a station ignores: its steps on the page of the session, and what staff may do."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from billing.admin.base import DiaryAdmin, RecordInline
from billing.admin.display import EMPTY, energy_column, link
from billing.admin.filters import MomentFilter
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned
from stations.models import Alert, Command

from ..errors import SessionNotFound
from ..models import STOP_IGNORED, ChargingSession, StopStep
from ..services import intervene

MAY_SEND = "stations.add_command"
BUTTONS = ("unlock_ignored", "reset_ignored", "bar_ignored")


class StopStepInline(RecordInline):
    model = StopStep
    fields = readonly_fields = (
        "taken_at",
        "kind",
        "outcome",
        "answer",
        "answered_at",
        energy_column("energy_wh", _("energy by then")),
        "by",
        "reason",
    )

    @admin.display(description=_("by"))
    def by(self, step: StopStep) -> str:
        return step.asked_by.username if step.asked_by else EMPTY


@admin.register(StopStep)
class StopStepAdmin(DiaryAdmin):
    list_display = ("taken_at", "session", "kind", "outcome", "answer", "asked_by", "reason")
    list_filter = (
        "kind",
        "outcome",
        ("session__station", AutocompleteSelectFilter),
        ("asked_by", AutocompleteSelectFilter),
        ("taken_at", MomentFilter),
    )
    list_select_related = ("session", "asked_by")
    search_fields = ("session__id", "session__station__station_id", "asked_by__username")
    ordering = ("-id",)
    fields = readonly_fields = (
        "session",
        "taken_at",
        "kind",
        "outcome",
        "answer",
        "answered_at",
        energy_column("energy_wh", _("energy by then")),
        "asked_by",
        "reason",
        "closed_at",
    )


def session_of(row: ChargingSession | Alert) -> ChargingSession | None:
    """The session whose stop is ignored, of its own page or of the page of its alert."""
    if isinstance(row, ChargingSession):
        return row
    kind, _sep, session_id = row.cause.partition(":")
    if kind != STOP_IGNORED or row.resolved_at is not None:
        return None
    return ChargingSession.objects.filter(pk=session_id).first()


def is_ignored(row: ChargingSession | Alert) -> bool:
    session = session_of(row)
    return session is not None and intervene.is_going_on(session)


class ResetStopForm(ReasonForm):
    """Which reset, and whether the other charges there may end with it."""

    type = forms.ChoiceField(
        label=_("Type"),
        choices=[("Soft", _("soft: ends charges first")), ("Hard", _("hard: at once"))],
        widget=UnfoldAdminSelectWidget,
    )
    even_so = forms.BooleanField(
        label=_("Also while another charge is running"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, data: Any = None, *, row: ChargingSession | Alert) -> None:
        super().__init__(data, row=row)
        session = session_of(row)
        others = intervene.others_at(session) if session else []
        if others:
            text = ", ".join(f"{other.connector_id}: {other.pk}" for other in others)
            self.fields["even_so"].help_text = _(
                "Charges are running (connector: session): %(running)s."
            ) % {"running": text}


class StopButtons:
    """Buttons on the page of a session and of its alert, while its station ignores a stop."""

    @reasoned(
        label=_("Unlock the connector"),
        permission=MAY_SEND,
        is_offered=is_ignored,
        icon="lock_open",
        variant=ActionVariant.WARNING,
    )
    def unlock_ignored(self, act: Act[Any]) -> Done:
        session = _needed(act)
        return _asked(intervene.unlock(session_id=session.pk, actor=act.actor, reason=act.reason))

    @reasoned(
        label=_("Reset the station"),
        permission=MAY_SEND,
        form=ResetStopForm,
        is_offered=is_ignored,
        icon="restart_alt",
        variant=ActionVariant.DANGER,
    )
    def reset_ignored(self, act: Act[Any]) -> Done:
        session = _needed(act)
        return _asked(
            intervene.reset(
                session_id=session.pk,
                is_hard=act.values["type"] == "Hard",
                even_so=act.values["even_so"],
                actor=act.actor,
                reason=act.reason,
            )
        )

    @reasoned(
        label=_("Bar the next start"),
        permission=MAY_SEND,
        is_offered=is_ignored,
        icon="block",
    )
    def bar_ignored(self, act: Act[Any]) -> Done:
        """The charge that runs goes on: this stops nothing."""
        session = _needed(act)
        return _asked(intervene.bar(session_id=session.pk, actor=act.actor, reason=act.reason))


def _needed(act: Act[Any]) -> ChargingSession:
    session = session_of(act.row)
    if session is None:
        raise SessionNotFound
    return session


def _asked(command: Command) -> Done:
    return Done(format_html("{} {}", _("The station is asked:"), link(command)))
