"""Receipts over HTTP: a list, and each document as PDF, page and JSON."""

import uuid
from collections.abc import Callable
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import URLPattern
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ..errors import NotFound
from ..models import FiscalRegistration, Receipt
from ..receipts import page, printer
from ..receipts.layout import Document, lay_out
from .bills import BillLineSerializer
from .documents import LANG, DocumentView, as_file, language_of
from .fields import MoneyField
from .routing import api_path
from .scope import USER_ID, caller, user_in_query

SESSION = "session"


class FiscalSerializer(serializers.ModelSerializer[FiscalRegistration]):
    class Meta:
        model = FiscalRegistration
        fields = ["fiscal_number", "qr_text", "registered_at"]
        read_only_fields = fields


class ReceiptSerializer(serializers.ModelSerializer[Receipt]):
    """One document. `difference` is what was paid since the document before: of a receipt all."""

    session_id = serializers.SerializerMethodField()
    corrects = serializers.IntegerField(
        source="refers_to.number", default=None, help_text="The receipt that a correction is of."
    )
    total = MoneyField(source="total_minor", read_only=True)
    tax = MoneyField(source="tax_minor", read_only=True)
    paid = MoneyField(source="paid_minor", read_only=True)
    difference = MoneyField(source="difference_minor", read_only=True)
    fiscal = FiscalSerializer(source="registration", default=None)
    pdf = serializers.SerializerMethodField(help_text="Where the document is.")

    class Meta:
        model = Receipt
        fields = [
            "number",
            "kind",
            "session_id",
            "user_id",
            "corrects",
            "currency",
            "total",
            "tax",
            "paid",
            "difference",
            "issued_at",
            "fiscal",
            "pdf",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.UUID)
    def get_session_id(self, receipt: Receipt) -> str:
        return receipt.reference.removeprefix(f"{SESSION}:")

    def get_pdf(self, receipt: Receipt) -> str:
        address = f"/billing/receipts/{self.get_session_id(receipt)}"
        if receipt.refers_to_id:
            address += f"/corrections/{receipt.number}"
        return f"{address}.pdf"


class SellerSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    address = serializers.CharField()
    tax_id = serializers.CharField()
    contact = serializers.CharField()


class SaleSerializer(serializers.Serializer[Any]):
    place = serializers.CharField()
    address = serializers.CharField()
    connector = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    time_zone = serializers.CharField()
    energy_kwh = serializers.CharField()
    tariff = serializers.CharField()
    price_per_kwh = serializers.CharField(allow_null=True)


class CorrectedSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    issued_at = serializers.DateTimeField()
    paid_before = serializers.CharField()


class ReceiptDocumentSerializer(serializers.Serializer[Any]):
    """The document itself (`receipts.snapshot`), with what the fiscal register said of it."""

    version = serializers.IntegerField()
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(Receipt.Kind.choices)
    issued_at = serializers.DateTimeField()
    seller = SellerSerializer()
    reference = serializers.CharField()
    sale = SaleSerializer()
    currency = serializers.CharField()
    lines = BillLineSerializer(many=True)
    total = serializers.CharField(help_text="As priced.")
    tax = serializers.CharField(help_text="Contained in what was paid.")
    paid = serializers.CharField(help_text="Of the total, in all.")
    corrects = CorrectedSerializer(allow_null=True)
    fiscal = FiscalSerializer(allow_null=True)


class ReceiptFilter(django_filters.FilterSet):
    issued_after = django_filters.IsoDateTimeFilter(field_name="issued_at", lookup_expr="gte")
    issued_before = django_filters.IsoDateTimeFilter(field_name="issued_at", lookup_expr="lt")

    class Meta:
        model = Receipt
        fields = ["kind", "number"]


class ReceiptsView(generics.ListAPIView[Receipt]):
    queryset = Receipt.objects.none()
    serializer_class = ReceiptSerializer
    filterset_class = ReceiptFilter

    @extend_schema(parameters=[USER_ID])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Your receipts and their corrections, newest first; staff who name nobody see all."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Receipt]:
        receipts = Receipt.objects.select_related("refers_to", "registration")
        if caller(self.request).is_staff and "user_id" not in self.request.query_params:
            return receipts
        return receipts.filter(user=user_in_query(self.request))


class ReceiptDocument(DocumentView):
    """One document of a session: its receipt, or the correction of this number."""

    def find(self, request: Request, session_id: uuid.UUID, number: int | None) -> Receipt:
        """Raises NotFound, also for another's."""
        documents = Receipt.objects.of(f"{SESSION}:{session_id}")
        if number is None:
            documents = documents.filter(kind=Receipt.Kind.RECEIPT)
        else:
            documents = documents.filter(kind=Receipt.Kind.CORRECTION, number=number)
        if not caller(request).is_staff:
            documents = documents.filter(user=caller(request))
        receipt = documents.select_related("registration").first()
        if receipt is None:
            raise NotFound("There is no such receipt.")
        return receipt


class _RenderedDocument(ReceiptDocument):
    kind: ClassVar[str]
    render: Callable[[Document], bytes | str]

    def get(
        self, request: Request, session_id: uuid.UUID, number: int | None = None
    ) -> HttpResponse:
        language = language_of(request)
        receipt = self.find(request, session_id, number)
        content = type(self).render(lay_out(receipt, language))
        name = f"{receipt.kind}-{receipt.number_text}"
        return as_file(content, name=name, kind=self.kind, language=language)


class ReceiptPdf(_RenderedDocument):
    kind = "pdf"
    render = staticmethod(printer.print_receipt)

    @extend_schema(parameters=[LANG], responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """The document on paper: the same bytes each time, in one language."""
        return super().get(*args, **kwargs)


class ReceiptPage(_RenderedDocument):
    kind = "html"
    render = staticmethod(page.to_html)

    @extend_schema(parameters=[LANG], responses={(200, "text/html"): OpenApiTypes.STR})
    def get(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """The document as a page that needs nothing else."""
        return super().get(*args, **kwargs)


class ReceiptJson(ReceiptDocument):
    @extend_schema(responses={200: ReceiptDocumentSerializer})
    def get(self, request: Request, session_id: uuid.UUID, number: int | None = None) -> Response:
        """The document for programs, as it was stored when it was issued."""
        receipt = self.find(request, session_id, number)
        registration = getattr(receipt, "registration", None)
        fiscal = FiscalSerializer(registration).data if registration else None
        return Response(receipt.snapshot | {"fiscal": fiscal})


def document_paths(route: str, name: str) -> list[URLPattern]:
    """A document in its three forms, each at its own suffix."""
    forms = (("pdf", ReceiptPdf), ("html", ReceiptPage), ("json", ReceiptJson))
    return [
        pattern
        for suffix, view in forms
        for pattern in api_path(f"{route}.{suffix}", view.as_view(), f"{name}_{suffix}")
    ]
