"""Meter readings: read-only, never counted."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin, RecordInline
from billing.admin.display import energy_column
from billing.admin.filters import MomentFilter

from ..models import Reading

REGISTER = energy_column("register_wh", _("register"))


class ReadingInline(RecordInline):
    model = Reading
    fields = readonly_fields = ("at", "received_at", REGISTER, "power_w", "soc", "context", "flags")


@admin.register(Reading)
class ReadingAdmin(DiaryAdmin):
    list_display = ("at", "station", "connector_id", REGISTER, "power_w", "soc", "session", "flags")
    list_filter = (
        ("station", AutocompleteSelectFilter),
        ("context", FieldTextFilter),
        ("received_at", MomentFilter),
    )
    list_select_related = ("station", "session")
    search_fields = ("session__id", "station__station_id")
    ordering = ("-id",)
    fields = readonly_fields = (
        "session",
        "station",
        "connector_id",
        "at",
        "received_at",
        REGISTER,
        "power_w",
        "soc",
        "context",
        "flags",
        "frame_id",
    )
