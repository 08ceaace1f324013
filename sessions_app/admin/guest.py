"""Charges of guests: read-only; their session, payment and account have the buttons."""

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter

from ..models import GuestCharge


@admin.register(GuestCharge)
class GuestChargeAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "station", "state", "payment", "session", "is_pay_out")
    list_filter = (
        "state",
        "is_pay_out",
        ("station", AutocompleteSelectFilter),
        ("created_at", MomentFilter),
    )
    list_select_related = ("station", "payment", "session")
    search_fields = ("id", "user__username", "station__station_id", "session__id", "payment__id")
    fields = readonly_fields = (
        "id",
        "created_at",
        "user",
        "station",
        "connector_id",
        "state",
        "error_code",
        "payment",
        "session",
        "is_pay_out",
    )
