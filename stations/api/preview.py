"""What a charge would cost, by the same function that prices a session."""

import datetime as dt
import uuid
import zoneinfo
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.bills import BillSerializer
from billing.api.idempotency import IdempotentPost
from billing.energy import Wh
from billing.errors import Invalid
from billing.models import Tariff
from billing.pricing import Period, price

from .. import tariffs
from ..tariffs import Scope
from .fields import TimeZoneField, parse
from .tariffs import Said, TariffChange

MAX_PERIODS = 1000
MAX_SPAN = dt.timedelta(days=31)
"""From the first begin to the last end: prices by time of day are judged for each day of it."""
MAX_ENERGY_WH = 10**9
MAX_POWER_W = 10**8


@dataclass(frozen=True, slots=True)
class Asked:
    """Which tariff a preview is about, and where it would be sold."""

    tariff: Tariff
    scope: Scope


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "format": "uuid"},
            {"$ref": "#/components/schemas/TariffChangeRequest"},
        ]
    }
)
class TariffOrId(serializers.Field[Said | uuid.UUID, Any, Any, Any]):
    """The id of a tariff, or the fields of one."""

    def to_internal_value(self, data: Any) -> Said | uuid.UUID:
        if isinstance(data, str):
            tariff_id: uuid.UUID = serializers.UUIDField().to_internal_value(data)
            return tariff_id
        reader = TariffChange(data=data)
        reader.is_valid(raise_exception=True)
        return Said.of(reader.validated_data)


class PreviewPeriod(serializers.Serializer[Any]):
    """A stretch of the charge; without `power_w` its mean power counts."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    energy_wh = serializers.IntegerField(min_value=0, max_value=MAX_ENERGY_WH)
    power_w = serializers.IntegerField(
        min_value=0, max_value=MAX_POWER_W, allow_null=True, default=None
    )
    state = serializers.ChoiceField(choices=["charging", "parking"], default="charging")


class Preview(serializers.Serializer[Any]):
    tariff = TariffOrId()
    periods = serializers.ListField(
        child=PreviewPeriod(), allow_empty=False, max_length=MAX_PERIODS
    )
    time_zone = TimeZoneField(
        max_length=64, help_text="Default: that of the tariff's station, else of the installation."
    )

    def validate_periods(self, periods: list[dict[str, Any]]) -> list[dict[str, Any]]:
        times = [period[end] for period in periods for end in ("start", "end")]
        if max(times) - min(times) > MAX_SPAN:
            raise serializers.ValidationError(f"A preview spans at most {MAX_SPAN.days} days.")
        return periods


class TariffPreview(IdempotentPost):
    @extend_schema(operation_id="preview_tariff", request=Preview, responses=BillSerializer)
    def post(self, request: Request) -> Response:
        """Price a charge; nothing is stored."""
        said = parse(Preview, request)
        asked = _asked(said["tariff"])
        periods = [
            Period(**period | {"energy_wh": Wh(period["energy_wh"])}) for period in said["periods"]
        ]
        bill = price(asked.tariff.to_terms(), periods, _zone(said.get("time_zone"), asked.scope))
        return Response(bill.to_json())


def _asked(tariff: Said | uuid.UUID) -> Asked:
    if isinstance(tariff, uuid.UUID):
        version = tariffs.find(tariff)
        return Asked(version.tariff, Scope.of(version))
    try:
        return Asked(tariffs.draft(tariff.offer), tariffs.scope_at(**tariff.place))
    except Invalid as refusal:
        fields = {f"tariff.{name}": why for name, why in refusal.fields.items()}
        raise Invalid(refusal.detail, fields=fields) from None


def _zone(name: str | None, scope: Scope) -> zoneinfo.ZoneInfo:
    station = scope.at_station
    if name or station is None:
        return zoneinfo.ZoneInfo(name or settings.CSMS_TIME_ZONE)
    return station.zone
