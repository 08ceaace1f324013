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
from ..services.raise_limit import raise_limit
from ..services.start import request_start
from ..services.stop import request_stop
from .filters import SessionFilter
from .limits import LimitType, RaiseRequest, StartRequest, read_raised
from .serializers import RefusedSessionSerializer, SessionSerializer, StopRequest

SESSION_ID = OpenApiParameter("session_id", OpenApiTypes.UUID, OpenApiParameter.PATH)


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
    @extend_schema(operation_id="get_session", parameters=[SESSION_ID], responses=SessionSerializer)
    def get(self, request: Request, session_id: str) -> Response:
        """One session; another driver's is not found."""
        return Response(SessionSerializer(_find(request, session_id)).data)


class RaiseLimit(IdempotentPost):
    @extend_schema(
        operation_id="raise_limit",
        tags=["sessions"],
        parameters=[SESSION_ID],
        request=RaiseRequest,
        responses={200: SessionSerializer},
    )
    def post(self, request: Request, session_id: str) -> Response:
        """Let a running session deliver more, and hold the money for it.

        Nothing can be lowered. 402 when the money does not cover it: then nothing has changed. 409
        `session_stopping` when the session is being stopped, `session_ended` when it is over, and
        `limit_fixed` where nobody pays, or a guest has paid.
        """
        wanted = parse(RaiseRequest, request)
        session = _find(request, session_id)
        raised = raise_limit(
            session_id=session.pk,
            actor=caller(request),
            limit_value=read_raised(LimitType(session.limit_type), wanted["limit_value"]),
            max_amount=wanted["max_amount"],
        )
        return Response(SessionSerializer(raised).data)


def _find(request: Request, session_id: str) -> ChargingSession:
    """One session that the caller may see. Raises SessionNotFound."""
    user = caller(request)
    rows = _shown() if user.is_staff else _shown().filter(user=user)
    session = rows.filter(pk=_parse_id(session_id)).first()
    if session is None:
        raise SessionNotFound
    return session


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
