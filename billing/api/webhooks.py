"""Webhooks to the operator's own systems: endpoints and what became of each delivery; for staff."""

import uuid
from typing import Any, cast

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..errors import NotFound
from ..hooks import endpoints
from ..hooks.endpoints import EndpointFacts
from ..hooks.events import EventType
from ..models import OutboxMessage, WebhookDelivery, WebhookEndpoint
from .idempotency import IdempotentPost
from .permissions import IsStaff
from .scope import caller

REASON = OpenApiParameter("reason", str, description="Why, for the record.")


class EndpointSerializer(serializers.ModelSerializer[WebhookEndpoint]):
    event_types = serializers.ListField(child=serializers.ChoiceField(EventType.choices))
    made_by = serializers.UUIDField(source="made_by_id")

    class Meta:
        model = WebhookEndpoint
        fields = [
            "id",
            "url",
            "description",
            "event_types",
            "enabled",
            "failures",
            "failing_since",
            "paused_until",
            "old_secret_until",
            "made_by",
            "created_at",
        ]
        read_only_fields = fields


class KeyedEndpointSerializer(EndpointSerializer):
    secret = serializers.CharField(read_only=True, help_text="Told this once.")

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class EndpointChange(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500, required=False)
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    event_types = serializers.ListField(
        child=serializers.ChoiceField(EventType.choices),
        allow_empty=False,
        required=False,
        help_text="What it is told of; all that there is where this is left out at first.",
    )
    enabled = serializers.BooleanField(required=False)
    reason = serializers.CharField(max_length=200, allow_blank=True, required=False)


class NewEndpoint(EndpointChange):
    url = serializers.CharField(max_length=500)


class ActSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=200, allow_blank=True, required=False)


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    endpoint_id = serializers.UUIDField()
    event_id = serializers.UUIDField(source="event.id", help_text="The `webhook-id`.")
    type = serializers.CharField(source="event.type")
    sequence = serializers.IntegerField(source="event.number")
    reference = serializers.CharField(source="event.reference")
    status = serializers.ChoiceField(OutboxMessage.Status.choices, source="message.status")
    attempts = serializers.IntegerField(source="message.attempts")
    last_error = serializers.CharField(source="message.last_error")
    due_at = serializers.DateTimeField(source="message.due_at", help_text="The next attempt.")
    created_at = serializers.DateTimeField(source="event.created_at")
    delivered_at = serializers.DateTimeField(source="message.delivered_at", allow_null=True)

    class Meta:
        model = WebhookDelivery
        fields = [
            "id",
            "endpoint_id",
            "event_id",
            "type",
            "sequence",
            "reference",
            "status",
            "attempts",
            "response_code",
            "response_ms",
            "last_error",
            "created_at",
            "attempted_at",
            "due_at",
            "delivered_at",
        ]
        read_only_fields = fields


class DeliveryFilter(django_filters.FilterSet):
    endpoint_id = django_filters.UUIDFilter(field_name="endpoint_id")
    event_id = django_filters.UUIDFilter(field_name="event__id")
    type = django_filters.CharFilter(field_name="event__type")
    reference = django_filters.CharFilter(field_name="event__reference")
    status = django_filters.ChoiceFilter(
        field_name="message__status", choices=OutboxMessage.Status.choices
    )

    class Meta:
        model = WebhookDelivery
        fields = ["endpoint_id", "event_id", "type", "reference", "status"]


@extend_schema_view(get=extend_schema(operation_id="list_webhook_endpoints"))
class Endpoints(IdempotentPost, generics.ListAPIView[WebhookEndpoint]):
    permission_classes = [IsStaff]
    serializer_class = EndpointSerializer
    queryset = WebhookEndpoint.objects.all()

    @extend_schema(
        operation_id="add_webhook_endpoint",
        request=NewEndpoint,
        responses={201: KeyedEndpointSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an endpoint. The answer tells its secret, this once."""
        facts, reason = _said(NewEndpoint, request)
        keyed = endpoints.add_endpoint(facts=facts, by=caller(request), reason=reason)
        return Response(_render(keyed), status=201)


class EndpointDetail(APIView):
    permission_classes = [IsStaff]

    @extend_schema(operation_id="get_webhook_endpoint", responses=EndpointSerializer)
    def get(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id).first()
        if endpoint is None:
            raise NotFound("There is no such endpoint.")
        return Response(EndpointSerializer(endpoint).data)

    @extend_schema(
        operation_id="change_webhook_endpoint",
        request=EndpointChange,
        responses=EndpointSerializer,
    )
    def patch(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Change what is named."""
        changes, reason = _said(EndpointChange, request)
        endpoint = endpoints.change_endpoint(
            endpoint_id=endpoint_id, changes=changes, by=caller(request), reason=reason
        )
        return Response(EndpointSerializer(endpoint).data)

    @extend_schema(
        operation_id="remove_webhook_endpoint", parameters=[REASON], responses={204: None}
    )
    def delete(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Delete an endpoint with its deliveries."""
        said = ActSerializer(data=request.query_params)
        said.is_valid(raise_exception=True)
        reason = said.validated_data.get("reason", "")
        endpoints.remove_endpoint(endpoint_id=endpoint_id, by=caller(request), reason=reason)
        return Response(status=204)


class RotateSecret(IdempotentPost):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="rotate_webhook_secret",
        request=ActSerializer,
        responses=KeyedEndpointSerializer,
    )
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Make a new secret, told this once. The old one signs beside it until then."""
        keyed = endpoints.rotate_secret(
            endpoint_id=endpoint_id, by=caller(request), reason=_reason(request)
        )
        return Response(_render(keyed))


class SendTest(IdempotentPost):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="test_webhook_endpoint",
        request=ActSerializer,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, endpoint_id: uuid.UUID) -> Response:
        """Send an event of type `webhook.test`, once, also to an endpoint that is off."""
        delivery = endpoints.send_test(
            endpoint_id=endpoint_id, by=caller(request), reason=_reason(request)
        )
        return Response(DeliverySerializer(delivery).data, status=202)


@extend_schema_view(get=extend_schema(operation_id="list_webhook_deliveries"))
class Deliveries(generics.ListAPIView[WebhookDelivery]):
    """Deliveries, newest first. Those that were taken go with their time (docs/retention.md)."""

    permission_classes = [IsStaff]
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    queryset = WebhookDelivery.objects.none()

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        rows = WebhookDelivery.objects.select_related("event", "message")
        return rows.defer("event__data").order_by("-event", "pk")


class SendAgain(IdempotentPost):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="resend_webhook_delivery",
        request=ActSerializer,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, delivery_id: uuid.UUID) -> Response:
        """Send a delivery once more, with the same `webhook-id`; 409 while it is under way."""
        delivery = endpoints.send_again(
            delivery_id=delivery_id, by=caller(request), reason=_reason(request)
        )
        return Response(DeliverySerializer(delivery).data, status=202)


def _said(kind: type[EndpointChange], request: Request) -> tuple[EndpointFacts, str]:
    form = kind(data=request.data)
    form.is_valid(raise_exception=True)
    said = dict(form.validated_data)
    reason: str = said.pop("reason", "")
    return cast(EndpointFacts, said), reason


def _reason(request: Request) -> str:
    form = ActSerializer(data=request.data)
    form.is_valid(raise_exception=True)
    return str(form.validated_data.get("reason", ""))


def _render(keyed: endpoints.Keyed) -> dict[str, Any]:
    return dict(EndpointSerializer(keyed.endpoint).data) | {"secret": keyed.secret}
