"""Uptime over HTTP, as JSON and CSV, and what staff excuse; for staff."""

import csv
import datetime as dt
import io
import re
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.documents import DocumentView
from billing.api.idempotency import IdempotentPost
from billing.api.permissions import IsStaff
from billing.api.scope import caller

from .. import registry
from ..models import UptimeExclusion
from ..uptime import exclusions, report
from .fields import REASON, parse, reason_in_query

MAX_MONTHS = 24
PARAMETERS = [
    OpenApiParameter("month", str, required=True, description="Like 2026-11."),
    OpenApiParameter("months", int, description="How many months, of which that is the last."),
    OpenApiParameter("station_id", str),
    OpenApiParameter("site_id", int),
]
COLUMNS = (
    *("month", "months", "site_id", "site_name", "station_id", "connector_id", "connectors"),
    *("counted_s", "off_sale_s", "offline_s", "inoperative_s", "outage_s", "excluded_s"),
    *("outage_count", "uptime_percent", "reliability_percent", "is_final"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class MonthField(serializers.CharField):
    """A month like 2026-11; its first day inside."""

    default_error_messages = {"no_month": "Write a month like 2026-11."}

    def to_internal_value(self, data: Any) -> Any:
        found = re.fullmatch("([0-9]{4})-([0-9]{2})", super().to_internal_value(data))
        try:
            return dt.date(int(found[1]), int(found[2]), 1) if found else self.fail("no_month")
        except ValueError:
            self.fail("no_month")


class Asked(serializers.Serializer[Any]):
    month = MonthField()
    months = serializers.IntegerField(min_value=1, max_value=MAX_MONTHS, default=1)
    station_id = serializers.CharField(required=False, default="")
    site_id = serializers.IntegerField(
        required=False, default=None, min_value=0, max_value=2**63 - 1
    )


class UptimeSerializer(serializers.Serializer[report.Uptime]):
    """Seconds: `outage_s` is `offline_s` + `inoperative_s`, and `excluded_s` a part of it."""

    counted_s = serializers.IntegerField(help_text="On sale, since the station was first seen.")
    off_sale_s = serializers.IntegerField(help_text="Not counted.")
    offline_s = serializers.IntegerField()
    inoperative_s = serializers.IntegerField(help_text="Online, and Faulted or Unavailable.")
    outage_s = serializers.IntegerField()
    excluded_s = serializers.IntegerField()
    outage_count = serializers.IntegerField()
    connectors = serializers.IntegerField()
    uptime_percent = serializers.DecimalField(max_digits=6, decimal_places=3, allow_null=True)
    reliability_percent = serializers.DecimalField(max_digits=6, decimal_places=3, allow_null=True)
    is_final = serializers.BooleanField()


class SiteUptimeSerializer(UptimeSerializer):
    site_id = serializers.IntegerField(allow_null=True)
    site_name = serializers.CharField(allow_null=True)


class ConnectorUptimeSerializer(SiteUptimeSerializer):
    station_id = serializers.CharField()
    connector_id = serializers.IntegerField()


class UptimeReportSerializer(serializers.Serializer[Any]):
    month = serializers.CharField()
    months = serializers.IntegerField()
    network = UptimeSerializer()
    sites = SiteUptimeSerializer(many=True)
    connectors = ConnectorUptimeSerializer(many=True)


class ExclusionSerializer(serializers.ModelSerializer[UptimeExclusion]):
    station_id = serializers.CharField(source="station.station_id")
    made_by = serializers.UUIDField(source="made_by_id")
    withdrawn_by = serializers.UUIDField(source="withdrawn_by_id", allow_null=True)

    class Meta:
        model = UptimeExclusion
        fields = [
            "id",
            "station_id",
            "connector_id",
            "began_at",
            "ended_at",
            "category",
            "reason",
            "made_by",
            "created_at",
            "withdrawn_at",
            "withdrawn_by",
        ]
        read_only_fields = fields


class NewExclusion(serializers.Serializer[Any]):
    station_id = serializers.CharField()
    connector_id = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        allow_null=True,
        required=False,
        default=None,
        help_text="Null: all of the station.",
    )
    began_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    category = serializers.ChoiceField(UptimeExclusion.Category.choices)
    reason = serializers.CharField(max_length=200)


class UptimeReport(APIView):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="get_uptime",
        tags=["uptime"],
        parameters=PARAMETERS,
        responses=UptimeReportSerializer,
    )
    def get(self, request: Request) -> Response:
        """The uptime of the network, of each site and of each connector (docs/uptime.md)."""
        asked, rows = _read(request)
        body = {
            "month": f"{asked['month']:%Y-%m}",
            "months": asked["months"],
            "network": report.of_network(rows),
            "sites": report.by_site(rows),
            "connectors": report.by_connector(rows),
        }
        return Response(UptimeReportSerializer(body).data)


class UptimeCsv(DocumentView):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="get_uptime_csv",
        tags=["uptime"],
        parameters=PARAMETERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        """The same as a table: connectors, then sites, then the network."""
        asked, rows = _read(request)
        found = [*report.by_connector(rows), *report.by_site(rows), report.of_network(rows)]
        text = io.StringIO()
        table = csv.writer(text)
        table.writerow(COLUMNS)
        told = {"month": f"{asked['month']:%Y-%m}", "months": asked["months"]}
        for one in found:
            values = (told.get(name, getattr(one, name, None)) for name in COLUMNS)
            table.writerow([_cell(value) for value in values])
        answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
        name = f"uptime-{told['month']}.csv"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


@extend_schema_view(get=extend_schema(operation_id="list_uptime_exclusions", tags=["uptime"]))
class Exclusions(IdempotentPost, ListAPIView[UptimeExclusion]):
    permission_classes = [IsStaff]
    serializer_class = ExclusionSerializer
    queryset = UptimeExclusion.objects.select_related("station").order_by("-began_at", "pk")

    @extend_schema(
        operation_id="exclude_outage",
        tags=["uptime"],
        request=NewExclusion,
        responses={201: ExclusionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Excuse what of outages lies within a time; the months that it touches follow."""
        said = parse(NewExclusion, request)
        station = registry.find(said.pop("station_id"))
        row = exclusions.exclude(station=station, by=caller(request), **said)
        return Response(ExclusionSerializer(row).data, status=201)


class ExclusionDetail(APIView):
    permission_classes = [IsStaff]

    @extend_schema(
        operation_id="withdraw_uptime_exclusion",
        tags=["uptime"],
        parameters=[REASON],
        responses={204: None},
    )
    def delete(self, request: Request, exclusion_id: int) -> Response:
        """Withdraw it: it stays in the list, and counts no more. It needs a reason."""
        exclusions.withdraw(
            exclusion_id=exclusion_id, by=caller(request), reason=reason_in_query(request)
        )
        return Response(status=204)


def _read(request: Request) -> tuple[dict[str, Any], Any]:
    form = Asked(data=request.query_params)
    form.is_valid(raise_exception=True)
    asked = dict(form.validated_data)
    rows = report.rows_of(
        asked["month"],
        months=asked["months"],
        station_id=asked["station_id"],
        site_id=asked["site_id"],
    )
    return asked, rows


def _cell(value: Any) -> Any:
    """A name that a spreadsheet would take for a formula is only text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
