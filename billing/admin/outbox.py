"""What leaves this system: read-only."""

from django.contrib import admin
from unfold.contrib.filters.admin import RangeDateTimeFilter

from ..models import OutboxMessage
from .base import DiaryAdmin


@admin.register(OutboxMessage)
class OutboxMessageAdmin(DiaryAdmin):
    list_display = ("created_at", "topic", "status", "attempts", "due_at", "delivered_at")
    list_filter = ("status", "topic", ("created_at", RangeDateTimeFilter))
    search_fields = ("key", "topic", "last_error")
    fields = readonly_fields = (
        "id",
        "key",
        "topic",
        "payload",
        "status",
        "attempts",
        "due_at",
        "last_error",
        "created_at",
        "delivered_at",
    )
