"""Statements of an account over HTTP, as PDF and CSV."""

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from .. import ledger
from ..receipts import printer, statement_csv
from ..receipts.statement import Period, Statement, draw_up
from .documents import LANG, DocumentView, as_file, language_of
from .scope import USER_ID, user_in_query

PARAMETERS = [
    OpenApiParameter("from", OpenApiTypes.DATE, required=True, description="The first day."),
    OpenApiParameter("to", OpenApiTypes.DATE, required=True, description="The last day, included."),
    USER_ID,
    LANG,
]


class PeriodSerializer(serializers.Serializer[Period]):
    """The days of a statement; `from` cannot be the name of an attribute."""

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        return {"from": serializers.DateField(), "to": serializers.DateField()}


class StatementPdf(DocumentView):
    @extend_schema(parameters=PARAMETERS, responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: Request) -> HttpResponse:
        """What moved a balance in a period, from one balance to the next."""
        statement, language = _draw_up(request), language_of(request)
        content = printer.print_statement(statement, language, created_at=timezone.now())
        return as_file(content, name=_name(statement), kind="pdf", language=language)


class StatementCsv(DocumentView):
    @extend_schema(parameters=PARAMETERS, responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request) -> HttpResponse:
        """The same as a table, for spreadsheets."""
        statement, language = _draw_up(request), language_of(request)
        content = statement_csv.to_csv(statement, language)
        return as_file(content, name=_name(statement), kind="csv", language=language)


def _draw_up(request: Request) -> Statement:
    dates = PeriodSerializer(data=request.query_params)
    dates.is_valid(raise_exception=True)
    period = Period(first=dates.validated_data["from"], last=dates.validated_data["to"])
    return draw_up(ledger.account_of(user_in_query(request)), period)


def _name(statement: Statement) -> str:
    return f"statement-{statement.period.first}-{statement.period.last}"
