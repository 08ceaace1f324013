"""What payment companies and terminals told us: read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter

from ..models import PaymentWebhook, SandboxPayment, TerminalPayment
from .base import DiaryAdmin, ReadOnlyAdmin
from .display import money_column
from .filters import MomentFilter


@admin.register(PaymentWebhook)
class PaymentWebhookAdmin(DiaryAdmin):
    list_display = ("received_at", "provider", "outcome", "is_verified", "count", "payment")
    list_filter = (
        "outcome",
        "is_verified",
        ("provider", FieldTextFilter),
        ("received_at", MomentFilter),
    )
    list_select_related = ("payment",)
    search_fields = ("id", "payment__id", "address")
    fields = readonly_fields = (
        "id",
        "provider",
        "outcome",
        "is_verified",
        "payment",
        "address",
        "content_type",
        "signature",
        "text",
        "count",
        "received_at",
        "decided_at",
    )

    @admin.display(description=_("body"))
    def text(self, row: PaymentWebhook) -> str:
        return bytes(row.body).decode(errors="backslashreplace")


@admin.register(TerminalPayment)
class TerminalPaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "txn_at",
        "terminal",
        "txn_id",
        "account",
        money_column("amount_minor", _("amount")),
        "result",
        "payment",
    )
    list_filter = (("terminal", FieldTextFilter), "result", ("txn_at", MomentFilter))
    list_select_related = ("payment",)
    search_fields = ("txn_id", "account", "payment__id")
    fields = readonly_fields = ("id", *list_display, "created_at")


@admin.register(SandboxPayment)
class SandboxPaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "payment",
        "state",
        money_column("amount_minor", _("amount")),
        money_column("fee_minor", _("fee")),
        money_column("returned_minor", _("returned")),
    )
    list_filter = ("state", ("created_at", MomentFilter))
    list_select_related = ("payment",)
    search_fields = ("payment__id",)
    fields = readonly_fields = list_display
