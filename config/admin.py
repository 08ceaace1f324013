"""The worker's processes and what they counted, in the back office: read-only."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter

from .models import RuleLook, Tally, WorkerProcess


@admin.register(WorkerProcess)
class WorkerProcessAdmin(ReadOnlyAdmin):
    list_display = ("host", "id", "started_at", "lease_at")
    list_filter = (("lease_at", MomentFilter),)
    search_fields = ("host",)
    ordering = ("-lease_at",)
    fields = readonly_fields = ("id", "host", "started_at", "lease_at")


@admin.register(Tally)
class TallyAdmin(ReadOnlyAdmin):
    list_display = ("name", "until", "due_at")
    list_filter = (("until", MomentFilter),)
    search_fields = ("name",)
    ordering = ("name",)
    fields = readonly_fields = ("name", "numbers", "until", "due_at")


@admin.register(RuleLook)
class RuleLookAdmin(ReadOnlyAdmin):
    """Which rules of alerts there are in use, when each looked last and what that cost."""

    list_display = ("kind", "looked_at", "took_ms", "due_at")
    list_filter = (("looked_at", MomentFilter),)
    search_fields = ("kind",)
    ordering = ("kind",)
    fields = readonly_fields = ("kind", "looked_at", "took_ms", "due_at", "until")
