"""What leaves this system: read-only."""

from django.contrib import admin
from unfold.contrib.filters.admin import FieldTextFilter

from ..models import OutboxMessage
from .base import DiaryAdmin
from .filters import MomentFilter


@admin.register(OutboxMessage)
class OutboxMessageAdmin(DiaryAdmin):
    list_display = ("created_at", "topic", "status", "attempts", "due_at", "delivered_at")
    list_filter = ("status", ("topic", FieldTextFilter), ("created_at", MomentFilter))
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
