"""The ledger, row by row: read-only, never counted."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import TextFilter

from ..models import Transfer
from .base import DiaryAdmin
from .display import money_column
from .filters import CaseFilter, Cases, MomentFilter


class AccountFilter(TextFilter):
    """Both sides of one account, by its number."""

    title = _("account number")
    parameter_name = "account"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transfer]) -> QuerySet[Transfer]:
        number = str(self.value() or "")
        if not number:
            return queryset
        if not number.isdecimal() or len(number) > 18:
            return queryset.none()
        return queryset.filter(Q(debit=int(number)) | Q(credit=int(number)))


class OpenHoldFilter(CaseFilter):
    title = _("open holds")
    parameter_name = "open"

    def cases(self) -> Cases:
        is_open = Q(kind=Transfer.Kind.PENDING, resolution__isnull=True)
        return {"1": (_("open holds only"), is_open)}


@admin.register(Transfer)
class TransferAdmin(DiaryAdmin):
    list_display = (
        "created_at",
        "code",
        "kind",
        money_column("amount_minor", _("amount")),
        "debit",
        "credit",
        "reference",
        "made_by",
        "reason",
    )
    list_filter = (
        "code",
        "kind",
        OpenHoldFilter,
        AccountFilter,
        ("created_at", MomentFilter),
    )
    list_select_related = ("debit__owner", "credit__owner", "made_by")
    search_fields = ("reference", "key", "reason", "debit__owner__username", "made_by__username")
    fields = readonly_fields = (
        "id",
        "created_at",
        "code",
        "kind",
        money_column("amount_minor", _("amount")),
        "debit",
        "credit",
        "reference",
        "resolves",
        "key",
        "made_by",
        "reason",
    )
