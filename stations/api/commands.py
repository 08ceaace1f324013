"""Any OCPP call to a station, for staff: sent as it is, and followed by its row."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.idempotency import IdempotentPost
from billing.api.permissions import IsStaff
from billing.api.scope import caller

from .. import registry
from ..errors import CommandNotFound
from ..gateway.schemas import check_request
from ..models import Command, Station
from .fields import ReasonField, parse


class CommandErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    description = serializers.CharField()


class CommandSerializer(serializers.Serializer[Command]):
    """A call and what came of it. The payload is not shown again: it may hold a secret."""

    id = serializers.UUIDField()
    station_id = serializers.CharField(source="station.station_id")
    action = serializers.CharField()
    status = serializers.ChoiceField(choices=Command.Status.choices)
    response = serializers.DictField(
        allow_null=True, help_text="The payload of the station's answer."
    )
    error = CommandErrorSerializer(allow_null=True)
    reason = serializers.CharField()
    requested_by = serializers.UUIDField(source="requested_by_id", allow_null=True)
    created_at = serializers.DateTimeField()
    deadline_at = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)


class NewCommand(serializers.Serializer[Any]):
    action = serializers.CharField(help_text="As OCPP spells it, e.g. ChangeAvailability.")
    payload = serializers.JSONField(
        default=dict, allow_null=True, help_text="As it goes over the wire."
    )
    reason = ReasonField()


class StationCommands(IdempotentPost):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="send_command",
        tags=["commands"],
        request=NewCommand,
        responses={202: CommandSerializer},
    )
    def post(self, request: Request, station_id: str) -> Response:
        """Send a call to a station that is connected."""
        station = registry.find(station_id, among=Station.objects.only("subprotocol"))
        said = parse(NewCommand, request)
        check_request(station.subprotocol, said["action"], said["payload"])
        command = registry.ask_station(
            station=station,
            action=said["action"],
            payload=said["payload"],
            by=caller(request),
            reason=said.get("reason", ""),
        )
        return Response(CommandSerializer(command).data, status=202)


class CommandDetail(APIView):
    permission_classes = [IsStaff]

    @extend_schema(operation_id="get_command", responses=CommandSerializer)
    def get(self, request: Request, command_id: uuid.UUID) -> Response:
        command = Command.objects.select_related("station").filter(pk=command_id).first()
        if command is None:
            raise CommandNotFound
        return Response(CommandSerializer(command).data)
