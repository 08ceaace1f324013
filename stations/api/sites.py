"""Sites over HTTP: everyone signed in reads them, staff write them."""

from typing import Any, cast

from django.db.models import QuerySet
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
from ..models import Site
from ..models.station import LATITUDE, LONGITUDE
from ..registry import SiteFacts
from .fields import REASON, NumberField, ReasonField, TextOrNull, parse, reason_in_query
from .filters import StableOrdering

UNSAID = SiteFacts(address="", latitude=None, longitude=None)
"""What a PUT clears when it does not say it."""


class SiteSerializer(serializers.Serializer[Site]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    address = TextOrNull()
    latitude = serializers.DecimalField(max_digits=9, decimal_places=6, allow_null=True)
    longitude = serializers.DecimalField(max_digits=9, decimal_places=6, allow_null=True)


class SiteChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    address = TextOrNull(max_length=250)
    latitude = NumberField(
        max_digits=9, decimal_places=6, validators=LATITUDE, allow_null=True, required=False
    )
    longitude = NumberField(
        max_digits=9, decimal_places=6, validators=LONGITUDE, allow_null=True, required=False
    )
    reason = ReasonField()


@extend_schema_view(get=extend_schema(operation_id="list_sites"))
class Sites(IdempotentPost, ListAPIView[Site]):
    permission_classes = [IsStaffOrReadOnly]
    serializer_class = SiteSerializer
    filter_backends = [StableOrdering]
    ordering_fields = ["name"]
    ordering = ["name"]

    def get_queryset(self) -> QuerySet[Site]:
        return Site.objects.all()

    @extend_schema(operation_id="add_site", request=SiteChange, responses={201: SiteSerializer})
    def post(self, request: Request) -> Response:
        facts, reason = _facts(parse(SiteChange, request))
        site = registry.add_site(facts=facts, by=caller(request), reason=reason)
        return Response(SiteSerializer(site).data, status=201)


class SiteDetail(APIView):
    permission_classes = [IsStaffOrReadOnly]

    @extend_schema(operation_id="get_site", responses=SiteSerializer)
    def get(self, request: Request, site_id: int) -> Response:
        return Response(SiteSerializer(registry.find_site(site_id)).data)

    @extend_schema(operation_id="replace_site", request=SiteChange, responses=SiteSerializer)
    def put(self, request: Request, site_id: int) -> Response:
        facts, reason = _facts(parse(SiteChange, request))
        return self._update(site_id, UNSAID | facts, reason)

    @extend_schema(operation_id="change_site", request=SiteChange, responses=SiteSerializer)
    def patch(self, request: Request, site_id: int) -> Response:
        """Change what is named."""
        return self._update(site_id, *_facts(parse(SiteChange, request, partial=True)))

    @extend_schema(operation_id="remove_site", parameters=[REASON], responses={204: None})
    def delete(self, request: Request, site_id: int) -> Response:
        """Delete a site that no station is at; else 409 `site_in_use`."""
        registry.remove_site(site_id=site_id, by=caller(request), reason=reason_in_query(request))
        return Response(status=204)

    def _update(self, site_id: int, changes: SiteFacts, reason: str) -> Response:
        site = registry.update_site(
            site_id=site_id, changes=changes, by=caller(self.request), reason=reason
        )
        return Response(SiteSerializer(site).data)


def _facts(said: dict[str, Any]) -> tuple[SiteFacts, str]:
    reason = said.pop("reason", "")
    return cast(SiteFacts, said), reason
