"""Answers kept for requests with an Idempotency-Key: read-only."""

from django.contrib import admin

from ..models import IdempotentRequest
from .base import DiaryAdmin
from .filters import MomentFilter


@admin.register(IdempotentRequest)
class IdempotentRequestAdmin(DiaryAdmin):
    list_display = ("claimed_at", "user", "path", "key", "status_code")
    list_filter = ("status_code", ("claimed_at", MomentFilter))
    list_select_related = ("user",)
    search_fields = ("path", "key", "user__username")
    ordering = ("-claimed_at",)
    fields = readonly_fields = (
        "user",
        "path",
        "key",
        "claimed_at",
        "status_code",
        "answer",
    )
