"""Counts of what stations send and nobody can read: read-only."""

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin

from ..models import IgnoredFrames


@admin.register(IgnoredFrames)
class IgnoredFramesAdmin(ReadOnlyAdmin):
    list_display = ("station", "kind", "count", "last_at")
    list_filter = ("kind", ("station", AutocompleteSelectFilter))
    list_select_related = ("station",)
    search_fields = ("station__station_id",)
    fields = readonly_fields = (
        "station",
        "kind",
        "count",
        "last_at",
        "window_at",
        "window_count",
    )
