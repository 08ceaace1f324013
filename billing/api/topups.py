"""Top-ups: pay money in, and see what became of it."""

import json
import uuid
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..errors import NotFound
from ..models import Payment
from ..payments.providers import PROVIDERS
from ..payments.topups import MAX_TOPUP, request_top_up
from ..web.addresses import absolute
from .fields import MoneyField
from .idempotency import IdempotentPost
from .scope import USER_ID, caller, user_in_query, user_named


class TopUpSerializer(serializers.ModelSerializer[Payment]):
    user_id = serializers.UUIDField(read_only=True)
    amount = MoneyField(source="amount_minor", read_only=True)
    checkout_url = serializers.SerializerMethodField(
        help_text="Where the driver pays; null when there is nothing to do."
    )

    class Meta:
        model = Payment
        fields = [
            "id",
            "user_id",
            "provider",
            "amount",
            "currency",
            "status",
            "checkout_url",
            "reason",
            "created_at",
            "paid_at",
        ]
        read_only_fields = fields

    def get_checkout_url(self, payment: Payment) -> str | None:
        if payment.status != Payment.Status.PENDING:
            return None
        return absolute(self.context["request"], reverse("pay", args=[payment.pk]))


def show_top_up(payment: Payment) -> dict[str, Any]:
    """A top-up that is not pending as JSON, as the calls here show it."""
    shown: dict[str, Any] = json.loads(JSONRenderer().render(TopUpSerializer(payment).data))
    return shown


class NewTopUp(serializers.Serializer[Payment]):
    amount = MoneyField(is_positive=True, max_integer=MAX_TOPUP)
    provider = serializers.ChoiceField(list(PROVIDERS))
    user_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="For staff: whose balance it is for."
    )
    reason = serializers.CharField(required=False, allow_blank=True, max_length=200)


class TopUpFilter(django_filters.FilterSet):
    class Meta:
        model = Payment
        fields = ["status", "provider"]


class TopUpsView(IdempotentPost, generics.ListAPIView[Payment]):
    queryset = Payment.objects.all()
    serializer_class = TopUpSerializer
    filterset_class = TopUpFilter

    @extend_schema(operation_id="list_top_ups", parameters=[USER_ID])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Your top-ups, newest first; staff who name nobody see everyone's."""
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="top_up", request=NewTopUp, responses={201: TopUpSerializer})
    def post(self, request: Request) -> Response:
        """Begin a top-up; the driver pays at `checkout_url`.

        `manual` is for staff, who have seen the money: paid at once.
        """
        form = NewTopUp(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        payment = request_top_up(
            user=user_named(request, wanted.get("user_id")),
            amount=wanted["amount"],
            provider=wanted["provider"],
            made_by=caller(request),
            reason=wanted.get("reason", ""),
        )
        answer = TopUpSerializer(payment, context={"request": request})
        return Response(answer.data, status=status.HTTP_201_CREATED)

    def get_queryset(self) -> QuerySet[Payment]:
        if caller(self.request).is_staff and "user_id" not in self.request.query_params:
            return Payment.objects.all()
        return Payment.objects.filter(user=user_in_query(self.request))


class TopUpView(APIView):
    @extend_schema(operation_id="get_top_up", responses={200: TopUpSerializer})
    def get(self, request: Request, payment_id: uuid.UUID) -> Response:
        """One top-up; another's is not found."""
        visible = Payment.objects.all()
        if not caller(request).is_staff:
            visible = visible.filter(user=caller(request))
        payment = visible.filter(pk=payment_id).first()
        if payment is None:
            raise NotFound("There is no such top-up.")
        return Response(TopUpSerializer(payment, context={"request": request}).data)
