"""Answers kept for requests with an Idempotency-Key: read-only."""

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..models import IdempotentRequest
from .base import DiaryAdmin
from .filters import CaseFilter, Cases, MomentFilter


class AnsweredFilter(CaseFilter):
    title = _("state")
    parameter_name = "answered"

    def cases(self) -> Cases:
        is_running = Q(status_code__isnull=True)
        return {"0": (_("still running"), is_running), "1": (_("answered"), ~is_running)}


@admin.register(IdempotentRequest)
class IdempotentRequestAdmin(DiaryAdmin):
    list_display = ("claimed_at", "user", "path", "key", "status_code")
    list_filter = (AnsweredFilter, ("claimed_at", MomentFilter))
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
