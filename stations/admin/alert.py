"""What an operator should know: read-only; an alert is resolved when its cause is gone."""

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter, ResolvedFilter
from sessions_app.admin.stop_step import BUTTONS, StopButtons

from ..models import Alert


@admin.register(Alert)
class AlertAdmin(StopButtons, ReadOnlyAdmin):
    actions_detail = BUTTONS
    list_display = (
        "opened_at",
        "severity",
        "text",
        "station",
        "kind",
        "count",
        "last_seen_at",
        "resolved_at",
    )
    list_display_links = ("opened_at", "text")
    list_filter = (
        ResolvedFilter,
        "severity",
        "kind",
        ("station", AutocompleteSelectFilter),
        ("opened_at", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("text", "cause", "station__station_id")
    fields = readonly_fields = (
        "kind",
        "cause",
        "severity",
        "station",
        "text",
        "detail",
        "count",
        "opened_at",
        "last_seen_at",
        "resolved_at",
    )
