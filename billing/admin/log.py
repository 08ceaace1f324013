"""Who did what in the back office, and why (P10): read-only."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from .base import DiaryAdmin
from .filters import MomentFilter


@admin.register(LogEntry)
class LogEntryAdmin(DiaryAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag", "message")
    list_filter = (
        "action_flag",
        "content_type",
        ("user", AutocompleteSelectFilter),
        ("action_time", MomentFilter),
    )
    list_select_related = ("user", "content_type")
    ordering = ("-id",)
    search_fields = ("object_repr", "change_message", "user__username")
    fields = readonly_fields = (
        "action_time",
        "user",
        "content_type",
        "object_repr",
        "object_id",
        "action_flag",
        "message",
    )

    @admin.display(description=_("what and why"))
    def message(self, entry: LogEntry) -> str:
        return entry.get_change_message()
