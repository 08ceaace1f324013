"""Charging sessions over HTTP: parse, call the use case, render."""

import json
import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.generics import ListAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.idempotency import IdempotentPost
from billing.api.scope import USER_ID, caller, user_in_query, user_named
from billing.errors import InsufficientFunds
from stations.api.fields import parse

from ..errors import SessionNotFound
from ..models import ChargingSession
from ..services.start import request_start
from ..services.stop import request_stop
from .filters import SessionFilter
from .limits import StartRequest
from .serializers import RefusedSessionSerializer, SessionSerializer, StopRequest


class StartCharge(IdempotentPost):
    @extend_schema(
        operation_id="start_charge",
        tags=["sessions"],
        request=StartRequest,
        responses={202: SessionSerializer, 402: RefusedSessionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Hold the money and ask the station to start."""
        wanted = parse(StartRequest, request)
        session = request_start(
            driver=user_named(request, wanted["user_id"]),
            station_id=wanted["station_id"],
            connector_id=wanted["connector_id"],
            limit=wanted["limit"],
            actor=caller(request),
        )
        shown = SessionSerializer(session).data
        if session.error_code == InsufficientFunds.code:
            refusal = InsufficientFunds()
            return Response(
                {**shown, "code": refusal.code, "detail": refusal.detail}, status=refusal.status
            )
        return Response(shown, status=202)


class StopCharge(IdempotentPost):
    @extend_schema(
        operation_id="stop_charge",
        tags=["sessions"],
        request=StopRequest,
        responses={202: SessionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask the station to stop; a session that has not begun is cancelled."""
        wanted = parse(StopRequest, request)
        session = request_stop(session_id=wanted["session_id"], actor=caller(request))
        return Response(SessionSerializer(session).data, status=202)


@extend_schema_view(get=extend_schema(operation_id="list_sessions", parameters=[USER_ID]))
class SessionList(ListAPIView[ChargingSession]):
    """Sessions, newest first: a driver's own; for staff all of them, or one driver's."""

    queryset = ChargingSession.objects.none()
    serializer_class = SessionSerializer
    filterset_class = SessionFilter

    def get_queryset(self) -> QuerySet[ChargingSession]:
        if caller(self.request).is_staff and "user_id" not in self.request.query_params:
            return _shown()
        return _shown().filter(user=user_in_query(self.request))


class SessionDetail(APIView):
    @extend_schema(
        operation_id="get_session",
        parameters=[OpenApiParameter("session_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses=SessionSerializer,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """One session; another driver's is not found."""
        user = caller(request)
        rows = _shown() if user.is_staff else _shown().filter(user=user)
        session = rows.filter(pk=_parse_id(session_id)).first()
        if session is None:
            raise SessionNotFound
        return Response(SessionSerializer(session).data)


def show_session(session: ChargingSession) -> dict[str, Any]:
    """A session as JSON, as every call here shows it."""
    shown: dict[str, Any] = json.loads(JSONRenderer().render(SessionSerializer(session).data))
    return shown


def _shown() -> QuerySet[ChargingSession]:
    rows = ChargingSession.objects.select_related("station", "tariff__assignment")
    return rows.defer("station__configuration").order_by("-requested_at", "-pk")


def _parse_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise SessionNotFound from None
