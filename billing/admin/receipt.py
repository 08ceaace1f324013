"""Receipts and corrections: read-only, each with its document, and another try to register it."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from ..errors import Conflict
from ..models import FiscalRegistration, Receipt, ReceiptCounter
from ..receipts import fiscal, printer
from ..receipts.languages import LANGUAGES
from ..receipts.layout import lay_out
from .base import ReadOnlyAdmin
from .display import EMPTY, json_text, link, money_column
from .filters import MomentFilter
from .reasoned import Act, Done, reasoned

MAX_DIGITS = 18
"""What a column of numbers can hold, whatever the digits."""


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    list_display = (
        "number_text",
        "issued_at",
        "kind",
        "user",
        money_column("paid_minor", _("paid in all")),
        money_column("difference_minor", _("by this document")),
        "fiscal_number",
        "document",
    )
    list_filter = ("kind", ("user", AutocompleteSelectFilter), ("issued_at", MomentFilter))
    list_select_related = ("user", "registration")
    search_fields = ("reference", "user__username", "user__email", "user__phone")
    fields = readonly_fields = (
        "number_text",
        "kind",
        "corrects",
        "corrected_by",
        "document",
        "issued_at",
        "user",
        "reference",
        money_column("total_minor", _("total as priced")),
        money_column("paid_minor", _("paid in all")),
        money_column("tax_minor", _("tax in it")),
        money_column("difference_minor", _("by this document")),
        "fiscal_number",
        "qr_text",
        "content",
    )
    actions_detail = ("register",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Receipt], search_term: str
    ) -> tuple[QuerySet[Receipt], bool]:
        """A number alone is that of a document, as it stands on it."""
        if search_term.isdecimal() and len(search_term) <= MAX_DIGITS:
            return queryset.filter(number=int(search_term)), False
        found: tuple[QuerySet[Receipt], bool]
        found = super().get_search_results(request, queryset, search_term)
        return found

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<uuid:receipt_id>/receipt.pdf",
            self.admin_site.admin_view(self.pdf),
            name="billing_receipt_pdf",
        )
        return [own, *super().get_urls()]

    def pdf(self, request: HttpRequest, receipt_id: Any) -> HttpResponse:
        """The document, in the language of whoever looks at it."""
        receipt = Receipt.objects.filter(pk=receipt_id).first()
        if not self.has_view_permission(request, receipt):
            raise PermissionDenied
        if receipt is None:
            raise Http404
        language = (get_language() or "en").partition("-")[0]
        document = lay_out(receipt, language if language in LANGUAGES else "en")
        return HttpResponse(printer.print_receipt(document), content_type="application/pdf")

    @admin.display(description=_("number"), ordering="number")
    def number_text(self, receipt: Receipt) -> str:
        return receipt.number_text

    @admin.display(description=_("document"))
    def document(self, receipt: Receipt) -> SafeString:
        return _pdf_link(receipt, "PDF")

    @admin.display(description=_("corrects"))
    def corrects(self, receipt: Receipt) -> SafeString | str:
        return link(receipt.refers_to) if receipt.refers_to else EMPTY

    @admin.display(description=_("corrected by"))
    def corrected_by(self, receipt: Receipt) -> SafeString | str:
        rows = [(link(row),) for row in receipt.corrections.order_by("number")]
        return format_html_join(", ", "{}", rows) or EMPTY

    @admin.display(description=_("fiscal number"))
    def fiscal_number(self, receipt: Receipt) -> str:
        return receipt.registration.fiscal_number if hasattr(receipt, "registration") else EMPTY

    @admin.display(description=_("fiscal code"))
    def qr_text(self, receipt: Receipt) -> str:
        return receipt.registration.qr_text if hasattr(receipt, "registration") else EMPTY

    @admin.display(description=_("content"))
    def content(self, receipt: Receipt) -> SafeString:
        return json_text(receipt.snapshot)

    @reasoned(
        label=_("Register again"),
        permission="billing.change_receipt",
        is_offered=fiscal.is_given_up,
        icon="receipt_long",
    )
    def register(self, act: Act[Receipt]) -> Done:
        if not fiscal.queue_again(act.row):
            raise Conflict("This document is registered, or about to be.")
        return Done(_("It will be registered within a minute."))


@admin.register(FiscalRegistration)
class FiscalRegistrationAdmin(ReadOnlyAdmin):
    list_display = ("registered_at", "receipt", "fiscal_number")
    list_filter = (("registered_at", MomentFilter),)
    list_select_related = ("receipt",)
    search_fields = ("fiscal_number", "=receipt__number")
    fields = readonly_fields = ("receipt", "fiscal_number", "qr_text", "registered_at")


@admin.register(ReceiptCounter)
class ReceiptCounterAdmin(ReadOnlyAdmin):
    list_display = fields = readonly_fields = search_fields = ("last",)


def receipt_links(receipts: Iterable[Receipt]) -> SafeString | str:
    """The documents of a sale, each by its page and its PDF."""
    rows = [(link(row), _pdf_link(row, "PDF")) for row in receipts]
    return format_html_join(SafeString("<br>"), "{} · {}", rows) or EMPTY


def _pdf_link(receipt: Receipt, text: str) -> SafeString:
    address = reverse("admin:billing_receipt_pdf", args=[receipt.pk])
    return format_html('<a href="{}" class="text-link" target="_blank">{}</a>', address, text)
