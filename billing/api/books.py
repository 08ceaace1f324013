"""A person's money: the balance, and the transfers that it is made of."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import django_filters
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .. import ledger
from ..models import Account, Transfer
from ..models.account import TransferQuerySet
from .fields import MoneyField
from .scope import USER_ID, user_in_query

_EXPLAINED: Mapping[str, Promise] = {
    Transfer.Kind.POSTED: _("Moved at once."),
    Transfer.Kind.PENDING: _("On hold: not taken yet, and not available."),
    Transfer.Kind.CAPTURED: _("Taken from a hold; what is left of the hold is free again."),
    Transfer.Kind.VOIDED: _("A hold that was given back; nothing was taken."),
}
_RESOLVED: Mapping[str, Promise] = {
    Transfer.Kind.CAPTURED: _("Was on hold, until a part or all of it was taken."),
    Transfer.Kind.VOIDED: _("Was on hold, until it was given back."),
}


class BalanceSerializer(serializers.ModelSerializer[Account]):
    """`available` is `balance` less what is on hold."""

    balance = MoneyField(source="balance_minor", read_only=True)
    held = MoneyField(source="held_minor", read_only=True)
    available = MoneyField(source="available_minor", read_only=True)

    class Meta:
        model = Account
        fields = ["balance", "held", "available", "currency"]
        read_only_fields = ["currency"]


class TransferSerializer(serializers.ModelSerializer[Transfer]):
    """One movement as its account (`context["account"]`) sees it.

    The `balance_change` of all of them add up to the balance, `held_change` to what is held. A
    hold is `pending` and stays in the list; the `captured` or `voided` row that ends it names it
    in `resolves`, and the hold says so in `resolved_as`.
    """

    direction = serializers.SerializerMethodField()
    amount = MoneyField(source="amount_minor", read_only=True)
    currency = serializers.CharField(source="debit.currency", read_only=True)
    balance_change = serializers.SerializerMethodField()
    held_change = serializers.SerializerMethodField()
    resolves = serializers.UUIDField(source="resolves_id", read_only=True, allow_null=True)
    resolved_as = serializers.SerializerMethodField()
    explanation = serializers.SerializerMethodField()

    class Meta:
        model = Transfer
        fields = [
            "id",
            "kind",
            "code",
            "direction",
            "amount",
            "currency",
            "balance_change",
            "held_change",
            "resolves",
            "resolved_as",
            "explanation",
            "reference",
            "reason",
            "created_at",
        ]
        read_only_fields = fields

    def get_direction(self, transfer: Transfer) -> Literal["in", "out"]:
        return "in" if transfer.credit_id == self._account.pk else "out"

    @extend_schema_field(MoneyField)
    def get_balance_change(self, transfer: Transfer) -> str:
        return MoneyField.to_text(transfer.balance_change(self._account))

    @extend_schema_field(MoneyField)
    def get_held_change(self, transfer: Transfer) -> str:
        return MoneyField.to_text(transfer.held_change(self._account))

    def get_resolved_as(self, transfer: Transfer) -> Literal["captured", "voided"] | None:
        if not hasattr(transfer, "resolution"):
            return None
        is_captured = transfer.resolution.kind == Transfer.Kind.CAPTURED
        return "captured" if is_captured else "voided"

    def get_explanation(self, transfer: Transfer) -> str:
        resolved_as = self.get_resolved_as(transfer)
        return str(_RESOLVED[resolved_as] if resolved_as else _EXPLAINED[transfer.kind])

    @property
    def _account(self) -> Account:
        account: Account = self.context["account"]
        return account


class TransferFilter(django_filters.FilterSet):
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Transfer
        fields = ["kind", "code", "reference"]


class BalanceView(APIView):
    @extend_schema(
        operation_id="get_balance", parameters=[USER_ID], responses={200: BalanceSerializer}
    )
    def get(self, request: Request) -> Response:
        """Say what is there, on hold and available."""
        account = ledger.account_of(user_in_query(request))
        return Response(BalanceSerializer(account).data)


class TransfersView(generics.ListAPIView[Transfer]):
    queryset = Transfer.objects.all()
    serializer_class = TransferSerializer
    filterset_class = TransferFilter

    @extend_schema(operation_id="list_transfers", parameters=[USER_ID])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """All movements of one account, newest first."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> TransferQuerySet:
        return Transfer.objects.for_account(self._account).select_related(
            "debit", "resolves", "resolution"
        )

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        return context if self.request is None else {**context, "account": self._account}

    @cached_property
    def _account(self) -> Account:
        return ledger.account_of(user_in_query(self.request))
