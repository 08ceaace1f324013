"""What stations said that belongs to no session we know (P8): read-only but for its resolution."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter, ResolvedFilter
from billing.admin.reasoned import Act, Done, reasoned

from ..models import Orphan
from ..services.orphans import dismiss


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
    actions = actions_detail = ("dismiss",)

    @reasoned(
        label=_("Dismiss"),
        permission="sessions_app.change_orphan",
        is_offered=lambda orphan: orphan.resolved_at is None,
        icon="done",
    )
    def dismiss(self, act: Act[Orphan]) -> Done:
        dismiss(orphan_id=act.row.pk, actor=act.actor, reason=act.reason)
        return Done(_("Dismissed."))
