"""Calls from us to stations, whoever asked for them: read-only."""

from django.contrib import admin
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    FieldTextFilter,
    RangeDateTimeFilter,
)

from billing.admin.base import DiaryAdmin

from ..models import Command


@admin.register(Command)
class CommandAdmin(DiaryAdmin):
    list_display = (
        "created_at",
        "station",
        "action",
        "status",
        "lane",
        "requested_by",
        "reason",
        "resolved_at",
    )
    list_filter = (
        ("station", AutocompleteSelectFilter),
        "status",
        "lane",
        ("action", FieldTextFilter),
        ("requested_by", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_select_related = ("station", "requested_by")
    search_fields = ("id", "action", "reference", "reason", "station__station_id")
    fields = readonly_fields = (
        "id",
        "station",
        "action",
        "payload",
        "status",
        "response",
        "error",
        "lane",
        "reference",
        "requested_by",
        "reason",
        "fence",
        "timeout_s",
        "created_at",
        "deadline_at",
        "sent_at",
        "resolved_at",
    )
