"""Tariffs over HTTP: everyone signed in reads them, staff write them."""

import uuid
from dataclasses import dataclass
from typing import Any, cast

from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.idempotency import IdempotentPost
from billing.api.permissions import IsStaffOrReadOnly
from billing.api.scope import caller
from billing.errors import Invalid

from .. import tariffs
from ..errors import TariffNotFound
from ..models import TariffAssignment
from ..models.tariff import TariffAssignmentQuerySet
from ..tariffs import Offer, Scope
from .fields import (
    REASON,
    IdentityField,
    NumberField,
    ReasonField,
    TextOrNull,
    UnitPriceField,
    parse,
    reason_in_query,
)
from .filters import StableOrdering, TariffFilter

MAX_GRACE_S = 24 * 3600
UNSAID = Offer(
    name="",
    price_per_kwh=None,
    vat_percent=tariffs.NO_TAX,
    elements=[],
    min_price=None,
    max_price=None,
    parking_grace_s=0,
    valid_from=None,
    valid_until=None,
)
"""What a PUT clears when it does not say it."""
PLACE = ("station_id", "connector_id", "site_id")


class PriceSerializer(serializers.Serializer[Any]):
    """OCPI 2.2.1 §16.5 Price."""

    excl_vat = NumberField(max_digits=14, decimal_places=2, min_value=0, required=False)
    incl_vat = NumberField(max_digits=14, decimal_places=2, min_value=0, required=False)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Write decimals as the text that JSON can keep."""
        return {name: f"{value:f}" for name, value in super().to_internal_value(data).items()}


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "object"},
        "description": "OCPI 2.2.1 §11.4.6 TariffElement; prices without tax.",
        "example": [
            {
                "price_components": [{"type": "ENERGY", "price": 12.5, "vat": 12, "step_size": 1}],
                "restrictions": {"start_time": "06:00", "end_time": "22:00"},
            }
        ],
    }
)
class ElementsField(serializers.JSONField):
    """A list of OCPI elements; what they say is judged by pricing."""

    default_error_messages = {"not_a_list": "A list is required."}

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        return data


class TariffSerializer(serializers.Serializer[TariffAssignment]):
    """What one scope is sold at; `id` stays while versions come and go."""

    id = serializers.UUIDField(source="scope_id")
    version = serializers.IntegerField()
    station_id = serializers.SerializerMethodField()
    connector_id = serializers.IntegerField(source="connector.connector_id", default=None)
    site_id = serializers.IntegerField(allow_null=True)
    name = TextOrNull(source="tariff.name")
    price_per_kwh = UnitPriceField(
        source="tariff.price_per_kwh", max_digits=14, decimal_places=6, allow_null=True
    )
    currency = serializers.CharField(source="tariff.currency")
    vat_percent = serializers.DecimalField(
        source="tariff.vat_percent", max_digits=5, decimal_places=2
    )
    elements = ElementsField(source="tariff.elements")
    min_price = PriceSerializer(source="tariff.terms.min_price", default=None)
    max_price = PriceSerializer(source="tariff.terms.max_price", default=None)
    parking_grace_s = serializers.IntegerField(source="tariff.terms.parking_grace_s", default=0)
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)

    def get_station_id(self, version: TariffAssignment) -> str | None:
        station = Scope.of(version).at_station
        return station.station_id if station else None


class TariffChange(serializers.Serializer[Any]):
    """What staff say of a tariff; null clears."""

    station_id = IdentityField(
        allow_null=True, required=False, help_text="Null, without a site: the default tariff."
    )
    connector_id = serializers.IntegerField(
        min_value=1, allow_null=True, required=False, help_text="One connector of the station."
    )
    site_id = serializers.IntegerField(min_value=1, allow_null=True, required=False)
    name = TextOrNull(max_length=120)
    price_per_kwh = NumberField(
        max_digits=14,
        decimal_places=6,
        min_value=0,
        allow_null=True,
        required=False,
        help_text="Tax included. With elements: the price where none of them prices energy.",
    )
    currency = serializers.CharField(
        max_length=3, allow_null=True, required=False, help_text="That of this installation."
    )
    vat_percent = NumberField(
        max_digits=5, decimal_places=2, min_value=0, max_value=100, allow_null=True, required=False
    )
    elements = ElementsField(allow_null=True, required=False)
    min_price = PriceSerializer(allow_null=True, required=False)
    max_price = PriceSerializer(allow_null=True, required=False)
    parking_grace_s = serializers.IntegerField(
        min_value=0,
        max_value=MAX_GRACE_S,
        allow_null=True,
        required=False,
        help_text="Parking that is free.",
    )
    valid_from = serializers.DateTimeField(
        allow_null=True, required=False, help_text="Null or past: now."
    )
    valid_until = serializers.DateTimeField(allow_null=True, required=False)
    reason = ReasonField()


@extend_schema_view(get=extend_schema(operation_id="list_tariffs"))
class Tariffs(IdempotentPost, ListAPIView[TariffAssignment]):
    permission_classes = [IsStaffOrReadOnly]
    serializer_class = TariffSerializer
    filter_backends = [DjangoFilterBackend, StableOrdering]
    filterset_class = TariffFilter
    ordering_fields = ["valid_from"]
    ordering = ["-valid_from"]

    def get_queryset(self) -> TariffAssignmentQuerySet:
        """What each scope is sold at now, or will be."""
        return TariffAssignment.objects.shown().with_places()

    @extend_schema(
        operation_id="add_tariff", request=TariffChange, responses={201: TariffSerializer}
    )
    def post(self, request: Request) -> Response:
        """Sell at a new tariff; where one is in force, this is its new version."""
        said = Said.read(request)
        version = tariffs.assign(
            scope=tariffs.scope_at(**said.place),
            offer=said.offer,
            by=caller(request),
            reason=said.reason,
        )
        return Response(TariffSerializer(version).data, status=201)


class TariffDetail(APIView):
    permission_classes = [IsStaffOrReadOnly]

    @extend_schema(operation_id="get_tariff", responses=TariffSerializer)
    def get(self, request: Request, tariff_id: uuid.UUID) -> Response:
        return Response(TariffSerializer(tariffs.find(tariff_id)).data)

    @extend_schema(operation_id="replace_tariff", request=TariffChange, responses=TariffSerializer)
    def put(self, request: Request, tariff_id: uuid.UUID) -> Response:
        """Replace the terms, as a new version from now."""
        said = Said.read(request)
        return self._revise(tariff_id, said, UNSAID | said.offer)

    @extend_schema(operation_id="change_tariff", request=TariffChange, responses=TariffSerializer)
    def patch(self, request: Request, tariff_id: uuid.UUID) -> Response:
        """Change what is named, as a new version from now."""
        said = Said.read(request, partial=True)
        return self._revise(tariff_id, said, said.offer)

    @extend_schema(operation_id="remove_tariff", parameters=[REASON], responses={204: None})
    def delete(self, request: Request, tariff_id: uuid.UUID) -> Response:
        """Retire the scope: the next less specific tariff applies there."""
        tariffs.retire(scope_id=tariff_id, by=caller(request), reason=reason_in_query(request))
        return Response(status=204)

    def _revise(self, tariff_id: uuid.UUID, said: "Said", changes: Offer) -> Response:
        said.check_place(Scope.of(tariffs.find(tariff_id)))
        version = tariffs.revise(
            scope_id=tariff_id, changes=changes, by=caller(self.request), reason=said.reason
        )
        return Response(TariffSerializer(version).data)


@extend_schema_view(get=extend_schema(operation_id="list_tariff_versions"))
class TariffVersions(ListAPIView[TariffAssignment]):
    """Every version of a tariff, the newest first, also planned and retired ones."""

    serializer_class = TariffSerializer
    filter_backends = []

    def get_queryset(self) -> TariffAssignmentQuerySet:
        versions = TariffAssignment.objects.filter(scope_id=self.kwargs["tariff_id"])
        if not versions.exists():
            raise TariffNotFound
        return versions.with_places().order_by("-version")


@dataclass(frozen=True, slots=True)
class Said:
    """A request about a tariff: where it is sold, what is offered, and why."""

    place: dict[str, Any]
    offer: Offer
    reason: str

    @classmethod
    def read(cls, request: Request, *, partial: bool = False) -> "Said":
        return cls.of(parse(TariffChange, request, partial=partial))

    @classmethod
    def of(cls, said: dict[str, Any]) -> "Said":
        place = {name: said.pop(name) for name in PLACE if name in said}
        reason = said.pop("reason", "")
        return cls(place, cast(Offer, said), reason)

    def check_place(self, scope: Scope) -> None:
        """A tariff stays where it is sold. Raises Invalid."""
        station, connector, site = scope.at_station, scope.connector, scope.site
        stands = {
            "station_id": station.station_id if station else None,
            "connector_id": connector.connector_id if connector else None,
            "site_id": site.pk if site else None,
        }
        if self.place and tariffs.scope_at(**stands | self.place) != scope:
            named = next(iter(self.place))
            raise Invalid(fields={named: ["A tariff stays where it is sold: make another."]})
