"""Top-ups: read-only, for a payment's state is its provider's to say."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from ..models import Payment
from .base import ReadOnlyAdmin
from .display import money_column
from .filters import MomentFilter


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "user",
        money_column("amount_minor", _("amount")),
        "provider",
        "status",
        "paid_at",
        "made_by",
        "reason",
    )
    list_filter = (
        "status",
        "provider",
        ("user", AutocompleteSelectFilter),
        ("created_at", MomentFilter),
    )
    list_select_related = ("user", "made_by")
    search_fields = ("id", "user__username", "user__email", "user__phone", "reason")
    fields = readonly_fields = (
        "id",
        "user",
        money_column("amount_minor", _("amount")),
        "provider",
        "status",
        "checkout_url",
        "reason",
        "made_by",
        "created_at",
        "paid_at",
    )
