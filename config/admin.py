"""The worker's processes in the back office: read-only."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter

from .models import WorkerProcess


@admin.register(WorkerProcess)
class WorkerProcessAdmin(ReadOnlyAdmin):
    list_display = ("host", "id", "started_at", "lease_at")
    list_filter = (("lease_at", MomentFilter),)
    search_fields = ("host",)
    ordering = ("-lease_at",)
    fields = readonly_fields = ("id", "host", "started_at", "lease_at")
