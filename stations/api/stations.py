"""Stations over HTTP: everyone signed in reads them, staff write them."""

from decimal import Decimal
from typing import Any, cast

from django.db.models import Prefetch
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.idempotency import IdempotentPost
from billing.api.permissions import IsStaffOrReadOnly
from billing.api.scope import caller

from .. import registry
from ..models import Connector, Site, Station
from ..models.station import LATITUDE, LONGITUDE, StationQuerySet
from ..registry import Keyed, StationFacts
from .fields import (
    REASON,
    IdentityField,
    NumberField,
    ReasonField,
    TextOrNull,
    TimeZoneField,
    parse,
    reason_in_query,
)
from .filters import StableOrdering, StationFilter

MAX_CONNECTORS = 100
LEAST_POWER_KW = Decimal("0.01")
UNSAID = StationFacts(
    name="",
    site=None,
    address="",
    latitude=None,
    longitude=None,
    time_zone="",
    enabled=True,
    max_power_kw=None,
)
"""What a PUT clears when it does not say it. The rest is hardware, or secret, and stays."""


class ConnectorSerializer(serializers.Serializer[Connector]):
    connector_id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Connector.Status.choices)


class StationSerializer(serializers.Serializer[Station]):
    station_id = serializers.CharField()
    name = TextOrNull()
    site_id = serializers.IntegerField(allow_null=True)
    address = TextOrNull()
    latitude = serializers.DecimalField(max_digits=9, decimal_places=6, allow_null=True)
    longitude = serializers.DecimalField(max_digits=9, decimal_places=6, allow_null=True)
    time_zone = TextOrNull(help_text="Null: the zone of this installation.")
    enabled = serializers.BooleanField()
    max_power_kw = serializers.DecimalField(max_digits=7, decimal_places=2, allow_null=True)
    security_profile = serializers.IntegerField()
    registration = serializers.ChoiceField(choices=Station.Registration.choices)
    online = serializers.BooleanField(source="is_online")
    connectors = ConnectorSerializer(many=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    connected_at = serializers.DateTimeField(allow_null=True)
    booted_at = serializers.DateTimeField(allow_null=True)
    subprotocol = TextOrNull()
    vendor = TextOrNull()
    model = TextOrNull()
    serial_number = TextOrNull()
    firmware_version = TextOrNull()
    created_at = serializers.DateTimeField()


class KeyedStationSerializer(StationSerializer):
    """A station with the key that was just made for it."""

    key = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="Told once: after registration, and where a change made a new one.",
    )


class StationChange(serializers.Serializer[Any]):
    """What staff say of a station. Null clears; a null `key` asks for a new one."""

    station_id = IdentityField(required=False)
    name = TextOrNull(max_length=120)
    connectors = serializers.IntegerField(
        min_value=1,
        max_value=MAX_CONNECTORS,
        required=False,
        help_text="How many. Fewer: only where nothing was ever sold at the last ones.",
    )
    security_profile = serializers.IntegerField(
        min_value=0, max_value=3, required=False, help_text="OCPP security profile, default 1."
    )
    key = serializers.CharField(
        min_length=8,
        max_length=40,
        trim_whitespace=False,
        allow_null=True,
        required=False,
        help_text="The Basic password, for profiles 1 and 2. It counts from the next handshake.",
    )
    max_power_kw = NumberField(
        max_digits=7, decimal_places=2, min_value=LEAST_POWER_KW, allow_null=True, required=False
    )
    site_id = serializers.PrimaryKeyRelatedField(
        source="site", queryset=Site.objects.all(), allow_null=True, required=False
    )
    address = TextOrNull(max_length=250)
    latitude = NumberField(
        max_digits=9, decimal_places=6, validators=LATITUDE, allow_null=True, required=False
    )
    longitude = NumberField(
        max_digits=9, decimal_places=6, validators=LONGITUDE, allow_null=True, required=False
    )
    time_zone = TimeZoneField(max_length=64)
    enabled = serializers.BooleanField(required=False)
    registration = serializers.ChoiceField(
        choices=Station.Registration.choices,
        required=False,
        help_text="Accepted lets in a station that waits for approval.",
    )
    reason = ReasonField()


class NewStation(StationChange):
    station_id = IdentityField()


@extend_schema_view(get=extend_schema(operation_id="list_stations"))
class Stations(IdempotentPost, ListAPIView[Station]):
    permission_classes = [IsStaffOrReadOnly]
    serializer_class = StationSerializer
    filter_backends = [DjangoFilterBackend, StableOrdering]
    filterset_class = StationFilter
    ordering_fields = ["station_id", "name", "last_seen_at", "created_at"]
    ordering = ["station_id"]

    def get_queryset(self) -> StationQuerySet:
        return visible_stations(self.request)

    @extend_schema(
        operation_id="add_station", request=NewStation, responses={201: KeyedStationSerializer}
    )
    def post(self, request: Request) -> Response:
        """Register a station. The answer tells its key, this once."""
        facts, reason = _facts(parse(NewStation, request))
        keyed = registry.register_station(facts=facts, by=caller(request), reason=reason)
        return Response(_render(keyed) | {"key": keyed.key}, status=201)


class StationDetail(APIView):
    permission_classes = [IsStaffOrReadOnly]

    @extend_schema(operation_id="get_station", responses=StationSerializer)
    def get(self, request: Request, station_id: str) -> Response:
        station = registry.find(station_id, among=visible_stations(request))
        return Response(StationSerializer(station).data)

    @extend_schema(
        operation_id="replace_station", request=StationChange, responses=KeyedStationSerializer
    )
    def put(self, request: Request, station_id: str) -> Response:
        """Replace what describes the station; profile, key, connectors stay unless named."""
        changes, reason = _facts(parse(StationChange, request))
        return self._update(station_id, UNSAID | changes, reason)

    @extend_schema(
        operation_id="change_station", request=StationChange, responses=KeyedStationSerializer
    )
    def patch(self, request: Request, station_id: str) -> Response:
        """Change what is named."""
        changes, reason = _facts(parse(StationChange, request, partial=True))
        return self._update(station_id, changes, reason)

    @extend_schema(operation_id="remove_station", parameters=[REASON], responses={204: None})
    def delete(self, request: Request, station_id: str) -> Response:
        """Delete a station that never had a session; else 409 `station_in_use`."""
        registry.remove_station(
            station_id=station_id, by=caller(request), reason=reason_in_query(request)
        )
        return Response(status=204)

    def _update(self, station_id: str, changes: StationFacts, reason: str) -> Response:
        keyed = registry.update_station(
            station_id=station_id, changes=changes, by=caller(self.request), reason=reason
        )
        told = {"key": keyed.key} if keyed.key else {}
        return Response(_render(keyed) | told)


def visible_stations(request: Request) -> StationQuerySet:
    """Stations with what is shown of them; those that wait for approval are for staff."""
    connectors = Connector.objects.order_by("connector_id")
    stations = (
        Station.objects.select_related("owner")
        .prefetch_related(Prefetch("connectors", queryset=connectors))
        .defer("configuration")  # the widest column, and not shown
    )
    if request.user.is_staff:
        return stations
    return stations.filter(registration=Station.Registration.ACCEPTED)


def _facts(said: dict[str, Any]) -> tuple[StationFacts, str]:
    reason = said.pop("reason", "")
    return cast(StationFacts, said), reason


def _render(keyed: Keyed) -> dict[str, Any]:
    """Read again: what was said is not yet what is stored (connectors, decimals)."""
    return dict(StationSerializer(registry.find(keyed.station.station_id)).data)
