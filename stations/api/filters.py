"""What lists can be narrowed to and ordered by."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.db.models import BigIntegerField, Q, QuerySet
from django_filters import BooleanFilter, CharFilter, ChoiceFilter, FilterSet, NumberFilter
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView

from ..models import Connector, Station, TariffAssignment

SCOPE_KINDS = ("default", "site", "station", "connector")


class StableOrdering(OrderingFilter):
    """Equal rows keep one order, so that no row is on two pages or on none."""

    def get_ordering(
        self, request: Request, queryset: QuerySet[Any], view: APIView
    ) -> Sequence[str]:
        return [*(super().get_ordering(request, queryset, view) or ()), "pk"]


class RowIdFilter(NumberFilter):
    """The id of a row: whole, and no larger than its column."""

    field_class = forms.IntegerField

    def get_max_validator(self) -> MaxValueValidator:
        return MaxValueValidator(BigIntegerField.MAX_BIGINT)


class StationFilter(FilterSet):
    site_id = RowIdFilter()
    enabled = BooleanFilter()
    online = BooleanFilter(method="that_are_online")
    status = ChoiceFilter(
        choices=Connector.Status.choices,
        method="with_status",
        help_text="The status of at least one connector.",
    )
    search = CharFilter(
        method="matching", help_text="A part of the identity, the name or the address."
    )

    class Meta:
        model = Station
        fields: list[str] = []

    def that_are_online(
        self, rows: QuerySet[Station], _name: str, is_online: bool
    ) -> QuerySet[Station]:
        online = Station.objects.online().values("pk")
        return rows.filter(pk__in=online) if is_online else rows.exclude(pk__in=online)

    def with_status(self, rows: QuerySet[Station], _name: str, status: str) -> QuerySet[Station]:
        return rows.filter(pk__in=Connector.objects.filter(status=status).values("station"))

    def matching(self, rows: QuerySet[Station], _name: str, text: str) -> QuerySet[Station]:
        return rows.filter(
            Q(identity__contains=text.casefold())
            | Q(name__icontains=text)
            | Q(address__icontains=text)
        )


class TariffFilter(FilterSet):
    scope = ChoiceFilter(
        choices=[(kind, kind) for kind in SCOPE_KINDS],
        method="of_kind",
        help_text="What the tariff is for.",
    )
    station_id = CharFilter(
        method="at_station", help_text="Those of this station and of its connectors."
    )
    site_id = RowIdFilter()

    class Meta:
        model = TariffAssignment
        fields: list[str] = []

    def of_kind(
        self, rows: QuerySet[TariffAssignment], _name: str, kind: str
    ) -> QuerySet[TariffAssignment]:
        return rows.filter(scope__startswith=kind)

    def at_station(
        self, rows: QuerySet[TariffAssignment], _name: str, station_id: str
    ) -> QuerySet[TariffAssignment]:
        identity = station_id.casefold()
        return rows.filter(Q(station__identity=identity) | Q(connector__station__identity=identity))
