"""Connectors and what they reported: read-only, for only the station knows its state."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin, ReadOnlyAdmin, RecordInline
from billing.admin.filters import MomentFilter

from ..models import Connector, ConnectorStatus


class ConnectorInline(RecordInline):
    model = Connector
    fields = readonly_fields = ("connector_id", "status", "error_code", "status_at")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connector]:
        connectors: QuerySet[Connector] = super().get_queryset(request)
        return connectors.select_related("station").order_by("connector_id")


@admin.register(Connector)
class ConnectorAdmin(ReadOnlyAdmin):
    list_display = ("station", "connector_id", "status", "error_code", "status_at")
    list_display_links = ("station", "connector_id")
    list_filter = (("station", AutocompleteSelectFilter), "status")
    list_select_related = ("station",)
    search_fields = ("station__station_id", "station__name")
    fields = readonly_fields = ("station", "connector_id", "status", "error_code", "status_at")


@admin.register(ConnectorStatus)
class ConnectorStatusAdmin(DiaryAdmin):
    list_display = (
        "received_at",
        "station",
        "connector_id",
        "status",
        "error_code",
        "vendor_error_code",
        "info",
        "at",
    )
    list_filter = (
        ("station", AutocompleteSelectFilter),
        ("status", FieldTextFilter),
        ("received_at", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("station__station_id", "error_code", "vendor_error_code", "info")
    ordering = ("-id",)
    fields = readonly_fields = (
        "station",
        "connector_id",
        "status",
        "error_code",
        "vendor_error_code",
        "info",
        "at",
        "received_at",
    )
