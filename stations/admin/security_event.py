"""What stations said of their own safety: read-only."""

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin
from billing.admin.filters import MomentFilter

from ..models import SecurityEvent


@admin.register(SecurityEvent)
class SecurityEventAdmin(DiaryAdmin):
    list_display = ("received_at", "station", "type", "tech_info", "at")
    list_filter = (
        ("station", AutocompleteSelectFilter),
        ("type", FieldTextFilter),
        ("received_at", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("type", "tech_info", "station__station_id")
    fields = readonly_fields = ("station", "type", "at", "tech_info", "received_at")
