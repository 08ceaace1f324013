"""What each process has measured of itself: read-only; `/metrics` adds it up."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter

from ..models import MeasuredProcess


@admin.register(MeasuredProcess)
class MeasuredProcessAdmin(ReadOnlyAdmin):
    list_display = ("name", "id", "kept_at")
    list_filter = (("kept_at", MomentFilter),)
    search_fields = ("name",)
    ordering = ("-kept_at",)
    fields = readonly_fields = ("id", "name", "kept_at", "counts", "gauges")
