"""Top-ups and what goes back of them: a payment's state is its provider's to say."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from ..models import Payment, PaymentReturn
from ..money import to_major, to_minor
from ..payments.providers import ONLINE, PROVIDERS
from ..payments.returns import left_of, record_chargeback, request_refund
from ..payments.topups import accept_reported
from .base import ReadOnlyAdmin, RecordInline
from .display import money, money_column
from .filters import MomentFilter
from .reasoned import Act, Done, ReasonForm, reasoned


class RefundForm(ReasonForm):
    amount = forms.DecimalField(
        label=_("Amount to return"),
        min_value=Decimal("0.01"),
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
    )

    def __init__(self, data: Any = None, *, row: Any = None) -> None:
        super().__init__(data, row=row)
        if isinstance(row, Payment):
            self.fields["amount"].initial = to_major(left_of(row))


class ReturnInline(RecordInline):
    model = PaymentReturn
    fields = readonly_fields = (
        "created_at",
        "kind",
        money_column("amount_minor", _("amount")),
        money_column("loss_minor", _("our loss")),
        "status",
        "made_by",
        "reason",
        "ended_at",
    )


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "user",
        money_column("amount_minor", _("amount")),
        "provider",
        "status",
        "problem",
        "paid_at",
        "made_by",
        "reason",
    )
    list_filter = (
        "status",
        "problem",
        "provider",
        ("user", AutocompleteSelectFilter),
        ("created_at", MomentFilter),
    )
    list_select_related = ("user", "made_by")
    search_fields = (
        "id",
        "provider_ref",
        "user__username",
        "user__email",
        "user__phone",
        "reason",
    )
    fields = readonly_fields = (
        "id",
        "user",
        money_column("amount_minor", _("amount")),
        "provider",
        "provider_ref",
        "status",
        "problem",
        money_column("reported_minor", _("reported amount")),
        money_column("fee_minor", _("fee")),
        "checkout_url",
        "reason",
        "made_by",
        "created_at",
        "opened_at",
        "due_at",
        "polls",
        "paid_at",
    )
    inlines = (ReturnInline,)
    actions_detail = ("ask_again", "accept", "refund", "charge_back")

    @reasoned(
        label=_("Ask the provider"),
        permission="billing.change_payment",
        is_offered=lambda row: row.provider in ONLINE and row.status == Payment.Status.PENDING,
        icon="sync",
    )
    def ask_again(self, act: Act[Payment]) -> Done:
        Payment.objects.filter(pk=act.row.pk, status=Payment.Status.PENDING).update(
            due_at=timezone.now(), polls=0
        )
        return Done(_("The worker asks the provider at once."), messages.INFO)

    @reasoned(
        label=_("Credit what came"),
        permission="billing.change_payment",
        is_offered=lambda row: row.problem == Payment.Problem.AMOUNT,
        icon="price_check",
    )
    def accept(self, act: Act[Payment]) -> Done:
        payment = accept_reported(payment_id=act.row.pk, reason=act.reason, made_by=act.actor)
        return Done(_("%(amount)s credited.") % {"amount": money(payment.amount_minor)})

    @reasoned(
        label=_("Refund"),
        permission="billing.add_paymentreturn",
        form=RefundForm,
        is_offered=lambda row: row.status == Payment.Status.PAID and row.provider in PROVIDERS,
        icon="undo",
    )
    def refund(self, act: Act[Payment]) -> Done:
        row = request_refund(
            payment_id=act.row.pk,
            amount=to_minor(act.values["amount"]),
            reason=act.reason,
            made_by=act.actor,
        )
        return Done(_("%(amount)s is being returned.") % {"amount": money(row.amount_minor)})

    @reasoned(
        label=_("Chargeback"),
        permission="billing.add_paymentreturn",
        is_offered=lambda row: row.status == Payment.Status.PAID,
        icon="money_off",
        variant=ActionVariant.DANGER,
    )
    def charge_back(self, act: Act[Payment]) -> Done:
        row = record_chargeback(payment_id=act.row.pk, reason=act.reason, made_by=act.actor)
        text = _("%(amount)s charged back, of which %(loss)s is our loss.")
        return Done(text % {"amount": money(row.amount_minor), "loss": money(row.loss_minor)})


@admin.register(PaymentReturn)
class PaymentReturnAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "payment",
        "kind",
        money_column("amount_minor", _("amount")),
        money_column("loss_minor", _("our loss")),
        "status",
        "made_by",
        "reason",
    )
    list_filter = ("kind", "status", ("created_at", MomentFilter))
    list_select_related = ("payment", "made_by")
    search_fields = ("id", "payment__id", "payment__user__username", "reason")
    fields = readonly_fields = (*list_display, "ended_at")
