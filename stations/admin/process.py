"""The processes that hold stations' sockets: read-only."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter

from ..models import GatewayProcess


@admin.register(GatewayProcess)
class GatewayProcessAdmin(ReadOnlyAdmin):
    list_display = ("host", "id", "started_at", "lease_at")
    list_filter = (("lease_at", MomentFilter),)
    search_fields = ("host", "channel")
    ordering = ("-lease_at",)
    fields = readonly_fields = ("id", "host", "channel", "started_at", "lease_at")
