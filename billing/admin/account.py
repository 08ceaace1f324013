"""The books by account: read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..models import Account, Transfer
from .base import ReadOnlyAdmin
from .display import list_link, money, money_column


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = (
        "__str__",
        "kind",
        money_column("balance_minor", _("balance")),
        money_column("held_minor", _("held")),
        "available",
        "created_at",
    )
    list_filter = ("kind",)
    list_select_related = ("owner",)
    search_fields = ("owner__username", "owner__email", "owner__phone", "owner__name")
    fields = readonly_fields = (
        "kind",
        "owner",
        money_column("balance_minor", _("balance")),
        money_column("held_minor", _("held")),
        "available",
        "created_at",
        "transfers",
    )

    @admin.display(description=_("available"))
    def available(self, account: Account) -> str:
        return money(account.available_minor)

    @admin.display(description=_("transfers"))
    def transfers(self, account: Account) -> SafeString:
        return list_link(Transfer, f"account={account.pk}", _("All transfers of this account"))
