"""Reservations over HTTP: a driver's own; for staff anyone's, and those of a card."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django_filters import CharFilter, FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.idempotency import IdempotentPost
from billing.api.scope import USER_ID, caller, user_in_query, user_named
from billing.models import User
from stations.api.fields import ReasonField, TextOrNull, parse

from ..errors import IdTagNotFound, ReservationNotFound
from ..models import Reservation
from ..services.authorize import find_tag
from ..services.reserve import STAFF_MINUTES, Holder, cancel, reserve
from .filters import StatusesFilter
from .limits import MAX_CONNECTOR_ID, WholeField


class ReservationRequest(serializers.Serializer[Any]):
    """Where, until when and for whom to hold a place."""

    station_id = serializers.CharField(max_length=48)
    connector_id = WholeField(
        min_value=0,
        max_value=MAX_CONNECTOR_ID,
        allow_null=True,
        default=None,
        help_text="0 is any connector of the station. Default: Kubat chooses.",
    )
    minutes = WholeField(
        min_value=1, max_value=STAFF_MINUTES, allow_null=True, default=None, help_text="From now."
    )
    expires_at = serializers.DateTimeField(
        allow_null=True, default=None, help_text="In place of minutes."
    )
    user_id = serializers.UUIDField(
        allow_null=True, default=None, help_text="Another driver: staff only."
    )
    id_tag = serializers.CharField(
        max_length=20,
        allow_null=True,
        default=None,
        help_text="The card that is to start the charge. A driver names one of their own.",
    )
    reason = ReasonField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        minutes, expires_at = attrs["minutes"], attrs["expires_at"]
        if minutes is not None and expires_at is not None:
            raise serializers.ValidationError({"minutes": ["Say either minutes or expires_at."]})
        span = dt.timedelta(minutes=minutes or settings.CSMS_RESERVATION_MINUTES)
        return attrs | {"expires_at": expires_at or timezone.now() + span}


class CancelRequest(serializers.Serializer[Any]):
    reason = ReasonField()


class ReservationSerializer(serializers.Serializer[Reservation]):
    id = serializers.IntegerField(help_text="OCPP's reservationId.")
    station_id = serializers.CharField(source="station.station_id")
    connector_id = serializers.IntegerField(help_text="0 is any connector of the station.")
    user_id = serializers.UUIDField(allow_null=True)
    id_tag = serializers.CharField()
    parent_id_tag = TextOrNull()
    status = serializers.ChoiceField(choices=Reservation.State.choices, source="state")
    held_at_station = serializers.BooleanField(
        source="is_at_station", help_text="False where Kubat alone keeps others away."
    )
    error_code = TextOrNull(help_text="Why it was refused: faulted, occupied, rejected, …")
    session_id = serializers.UUIDField(allow_null=True, help_text="The session that used it.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class ReservationFilter(FilterSet):
    station_id = CharFilter(method="at_station", help_text="The station's identity.")
    status = StatusesFilter(
        field_name="state",
        choices=Reservation.State.choices,
        help_text="One status, or several with commas between.",
    )

    class Meta:
        model = Reservation
        fields: list[str] = []

    def at_station(
        self, rows: QuerySet[Reservation], _name: str, station_id: str
    ) -> QuerySet[Reservation]:
        return rows.filter(station__identity=station_id.casefold())


@extend_schema_view(get=extend_schema(operation_id="list_reservations", parameters=[USER_ID]))
class ReservationList(IdempotentPost, ListAPIView[Reservation]):
    """Reservations, newest first: a driver's own; for staff all of them, or one driver's."""

    queryset = Reservation.objects.none()
    serializer_class = ReservationSerializer
    filterset_class = ReservationFilter

    def get_queryset(self) -> QuerySet[Reservation]:
        rows = Reservation.objects.select_related("station").order_by("-created_at", "-pk")
        if caller(self.request).is_staff and "user_id" not in self.request.query_params:
            return rows
        return rows.filter(user=user_in_query(self.request))

    @extend_schema(
        operation_id="reserve",
        request=ReservationRequest,
        responses={202: ReservationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Hold a connector for a while; the station is asked to hold it, too."""
        wanted = parse(ReservationRequest, request)
        reservation = reserve(
            holder=_holder(request, wanted),
            station_id=wanted["station_id"],
            connector_id=wanted["connector_id"],
            expires_at=wanted["expires_at"],
            actor=caller(request),
            reason=wanted.get("reason", ""),
        )
        return Response(ReservationSerializer(reservation).data, status=202)


class ReservationDetail(APIView):
    @extend_schema(operation_id="get_reservation", responses=ReservationSerializer)
    def get(self, request: Request, reservation_id: int) -> Response:
        """One reservation; another driver's is not found."""
        user, reservation = caller(request), Reservation.objects.by_id(reservation_id)
        if not (user.is_staff or reservation.is_of(user)):
            raise ReservationNotFound
        return Response(ReservationSerializer(reservation).data)


class CancelReservation(IdempotentPost):
    @extend_schema(
        operation_id="cancel_reservation",
        tags=["reservations"],
        request=CancelRequest,
        responses={202: ReservationSerializer},
    )
    def post(self, request: Request, reservation_id: int) -> Response:
        """Give the place back; a station that is away is told when it is back."""
        said = parse(CancelRequest, request)
        reservation = cancel(
            reservation_id=reservation_id, actor=caller(request), reason=said.get("reason", "")
        )
        return Response(ReservationSerializer(reservation).data, status=202)


def _holder(request: Request, wanted: dict[str, Any]) -> Holder:
    """For whom: the one that is named, the holder of the card, or the caller.

    Raises as `user_named`, and IdTagNotFound also for another driver's card.
    """
    asking, text = caller(request), wanted["id_tag"]
    named: User | None = None
    if wanted["user_id"] is not None or text is None:
        named = user_named(request, wanted["user_id"])
    if text is None:
        return Holder(named)
    card = find_tag(text)
    if card is None or not (asking.is_staff or card.user_id == asking.pk):
        raise IdTagNotFound
    return Holder(named, card)
