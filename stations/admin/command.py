"""Calls from us to stations, whoever asked for them: read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin
from billing.admin.display import json_text
from billing.admin.filters import MomentFilter

from ..frames import mask
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
        ("created_at", MomentFilter),
    )
    list_select_related = ("station", "requested_by")
    search_fields = ("id", "action", "reference", "reason", "station__station_id")
    fields = readonly_fields = (
        "id",
        "station",
        "action",
        "sent_payload",
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

    @admin.display(description=_("payload"))
    def sent_payload(self, command: Command) -> SafeString:
        """A new key of a station is no one's to read."""
        return json_text(mask(command.payload))
