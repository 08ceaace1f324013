"""What an operator should know: read-only; an alert is resolved when its cause is gone."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter

from billing.admin.base import ReadOnlyAdmin

from ..models import Alert


class OpenFilter(admin.SimpleListFilter):
    """Alerts whose cause is still there, or no longer is."""

    title = _("state")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("1", _("open")), ("0", _("resolved"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value() not in ("0", "1"):
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "1")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
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
        OpenFilter,
        "severity",
        "kind",
        ("station", AutocompleteSelectFilter),
        ("opened_at", RangeDateTimeFilter),
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
