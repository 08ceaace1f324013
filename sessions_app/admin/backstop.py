"""The limits that stand at stations: on the page of their session, and who refuses them."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin, ReadOnlyAdmin
from billing.admin.display import EMPTY
from billing.admin.filters import MomentFilter
from billing.admin.reasoned import Act, Done, reasoned

from ..models import Backstop, BackstopRefusal, ChargingSession
from ..services import backstop


def backstop_lines(session: ChargingSession) -> SafeString | str:
    """What is known of a session's limit at its station, and its periods."""
    row = getattr(session, "backstop", None)
    return EMPTY if row is None else _describe(row)


def _describe(row: Backstop) -> SafeString:
    plan = row.standing
    steps = ((period.start_s, period.limit_w) for period in plan.periods) if plan else ()
    lines = format_html_join("", "<br>+{} s: {} W", steps)
    since = plan.starts_at.isoformat(" ", "seconds") if plan and plan.starts_at else EMPTY
    return format_html(
        "{} {} · {} {}{}", row.get_state_display(), row.answer, _("since"), since, lines
    )


@admin.register(Backstop)
class BackstopAdmin(DiaryAdmin):
    list_display = ("session", "state", "answer", "sent_at", "zero_at", "renewals", "silences")
    list_filter = (
        "state",
        ("answer", FieldTextFilter),
        ("session__station", AutocompleteSelectFilter),
        ("asked_at", MomentFilter),
    )
    list_select_related = ("session", "session__station")
    search_fields = ("session__id", "session__station__station_id", "answer")
    fields = readonly_fields = (
        "session",
        "state",
        "answer",
        "limits",
        "sent_at",
        "zero_at",
        "asked_at",
        "renewals",
        "silences",
        "not_before",
        "is_loose",
    )

    @admin.display(description=_("limits"))
    def limits(self, row: Backstop) -> SafeString:
        return _describe(row)


@admin.register(BackstopRefusal)
class BackstopRefusalAdmin(ReadOnlyAdmin):
    list_display = ("station", "action", "answer", "refused_at", "until")
    list_filter = (
        ("station", AutocompleteSelectFilter),
        ("answer", FieldTextFilter),
        ("refused_at", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("station__station_id", "answer")
    fields = readonly_fields = list_display
    actions_detail = ("ask_again",)

    @reasoned(
        label=_("Ask it again"),
        permission="sessions_app.change_chargingsession",
        icon="replay",
    )
    def ask_again(self, act: Act[BackstopRefusal]) -> Done:
        backstop.forgive(refusal=act.row)
        return Done(_("The next charge there carries its limit again."))
