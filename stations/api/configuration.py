"""The configuration of a station over HTTP: its keys beside what is wanted. For staff.

Keys are read and changed by commands (GetConfiguration, ChangeConfiguration).
"""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.permissions import IsStaff

from .. import key_table, registry
from ..key_table import KeyRow, KeyState
from ..models import ConfigurationReport


class KeySerializer(serializers.Serializer[KeyRow]):
    """One key. A secret is never shown."""

    key = serializers.CharField()
    value = serializers.CharField(allow_null=True, help_text="Null: not reported.")
    readonly = serializers.BooleanField(source="is_readonly")
    wanted = serializers.CharField(source="want.value", allow_null=True, default=None)
    wanted_by = serializers.CharField(
        source="want.source",
        allow_null=True,
        default=None,
        help_text="kubat, default, or the model, site or station that it is wanted of.",
    )
    state = serializers.ChoiceField(choices=KeyState.choices)
    cause = serializers.CharField(help_text="Why the station refused it, else empty.")


class ConfigurationSerializer(serializers.Serializer[Any]):
    station_id = serializers.CharField()
    read_at = serializers.DateTimeField(
        allow_null=True, help_text="When the station last reported all of its keys."
    )
    differing = serializers.IntegerField(help_text="Keys that are not as they are wanted.")
    keys = KeySerializer(many=True)


class StationConfiguration(APIView):
    permission_classes = [IsStaff]

    @extend_schema(operation_id="get_configuration", responses=ConfigurationSerializer)
    def get(self, request: Request, station_id: str) -> Response:
        """What a station last reported, and what is wanted of it."""
        station = registry.find(station_id)
        report = ConfigurationReport.objects.filter(station=station).first()
        rows = key_table.rows(station)
        shown = {
            "station_id": station.station_id,
            "read_at": report and report.read_at,
            "differing": key_table.differing(rows),
            "keys": rows,
        }
        return Response(ConfigurationSerializer(shown).data)
