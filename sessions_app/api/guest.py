"""Charge as a guest: the token that the payer is given is all that opens it."""

from typing import Any

from django.db.models import TextChoices
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.documents import language_asked_for
from billing.api.fields import MoneyField
from billing.api.idempotency import IdempotentPost
from billing.client import address_of
from billing.errors import TooManyAttempts
from billing.limits import Limit
from billing.models import Payment, PaymentReturn, User
from billing.money import to_text
from billing.payments.providers import PROVIDERS
from billing.payments.topups import MAX_TOPUP
from billing.web.addresses import absolute
from stations.api.fields import parse

from ..models import GuestCharge
from ..services.guest import open_charge, stop_charge
from .limits import MAX_CONNECTOR_ID, WholeField
from .serializers import SessionSerializer

GUESTS = Limit("guest-charge", times=60, period_s=60)
TOKEN = OpenApiParameter("token", OpenApiTypes.STR, OpenApiParameter.PATH)


class GuestChargeRequest(serializers.Serializer[Any]):
    station_id = serializers.CharField(max_length=48)
    connector_id = WholeField(
        min_value=1, max_value=MAX_CONNECTOR_ID, allow_null=True, default=None
    )
    amount = MoneyField(
        is_positive=True,
        max_integer=MAX_TOPUP,
        help_text="What is paid now; what is not used of it goes back.",
    )
    provider = serializers.ChoiceField(list(PROVIDERS))
    email = serializers.EmailField(
        default="",
        allow_blank=True,
        max_length=254,
        help_text="Where you are told how it ends, and what goes back.",
    )


class RefundStatus(TextChoices):
    NONE = "none"
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    TO_BE_PAID_OUT = "to_be_paid_out"


class RefundSerializer(serializers.Serializer[GuestCharge]):
    """What goes back of the payment."""

    status = serializers.ChoiceField(RefundStatus.choices)
    amount = serializers.CharField()


class GuestChargeSerializer(serializers.Serializer[GuestCharge]):
    payment_id = serializers.UUIDField()
    payment_status = serializers.ChoiceField(Payment.Status.choices, source="payment.status")
    amount = MoneyField(source="payment.amount_minor")
    currency = serializers.CharField(source="payment.currency")
    checkout_url = serializers.SerializerMethodField(
        help_text="Where to pay; null when there is nothing to do."
    )
    station_id = serializers.CharField(source="station.station_id")
    connector_id = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(GuestCharge.State.choices, source="state")
    error_code = serializers.CharField(
        help_text="Why it could not begin; then the money goes back."
    )
    session = SessionSerializer(allow_null=True)
    refund = serializers.SerializerMethodField()

    def get_checkout_url(self, charge: GuestCharge) -> str | None:
        if charge.payment.status != Payment.Status.PENDING:
            return None
        return absolute(self.context["request"], reverse("pay", args=[charge.payment_id]))

    @extend_schema_field(RefundSerializer)
    def get_refund(self, charge: GuestCharge) -> dict[str, str]:
        if charge.is_pay_out:
            return _refund(RefundStatus.TO_BE_PAID_OUT, charge.user.account.balance_minor)
        returns = charge.payment.returns.filter(kind=PaymentReturn.Kind.REFUND)
        rows = list(returns.order_by("-created_at"))
        if not rows:
            return _refund(RefundStatus.NONE, 0)
        same = [row for row in rows if row.status == rows[0].status]
        return _refund(rows[0].status, sum(row.amount_minor for row in same))


class OpenedGuestChargeSerializer(GuestChargeSerializer):
    token = serializers.CharField(help_text="Shown this once; it is all that opens the charge.")


class GuestCharges(IdempotentPost):
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Honour an Idempotency-Key of staff; a stranger has nobody to keep it for."""
        if request.user.is_authenticated:
            super().initial(request, *args, **kwargs)
        else:
            APIView.initial(self, request, *args, **kwargs)

    @extend_schema(
        operation_id="open_guest_charge",
        tags=["guests"],
        request=GuestChargeRequest,
        responses={201: OpenedGuestChargeSerializer},
    )
    def post(self, request: Request) -> Response:
        """Pay for one charge without an account.

        It begins when the payment is confirmed. What it does not use goes back the way it came,
        by itself; of cash that staff took (`manual`), staff pay it out.
        """
        wanted = parse(GuestChargeRequest, request)
        _limit(request)
        seller = request.user if isinstance(request.user, User) and request.user.is_staff else None
        opened = open_charge(seller=seller, language=language_asked_for(request), **wanted)
        shown = GuestChargeSerializer(opened.charge, context={"request": request}).data
        return Response({"token": opened.token, **shown}, status=201)


class GuestChargeDetail(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="get_guest_charge",
        tags=["guests"],
        parameters=[TOKEN],
        responses=GuestChargeSerializer,
    )
    def get(self, request: Request, token: str) -> Response:
        """The payment, the session and what goes back."""
        charge = GuestCharge.objects.by_token(token)
        return Response(GuestChargeSerializer(charge, context={"request": request}).data)


class StopGuestCharge(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="stop_guest_charge",
        tags=["guests"],
        parameters=[TOKEN],
        request=None,
        responses={202: SessionSerializer},
    )
    def post(self, request: Request, token: str) -> Response:
        """Ask the station to stop; a session that has not begun is cancelled."""
        return Response(SessionSerializer(stop_charge(token)).data, status=202)


def _refund(status: str, amount_minor: int) -> dict[str, str]:
    return {"status": status, "amount": to_text(amount_minor)}


def _limit(request: Request) -> None:
    address = address_of(request)
    if wait_s := GUESTS.wait_s(address):
        raise TooManyAttempts(retry_after_s=wait_s)
    GUESTS.count(address)
