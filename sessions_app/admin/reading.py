"""Meter readings: read-only, never counted, and of one station a month at a time."""

import datetime as dt
import uuid
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter
from unfold.utils import parse_datetime_str

from billing.admin.base import DiaryAdmin, RecordInline
from billing.admin.display import energy_column
from billing.admin.filters import MomentFilter
from stations.models import Station

from ..models import Reading

SPAN = dt.timedelta(days=31)
"""How much of a station's history one list reads: no index has it by the time alone."""
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
    search_help_text = _("The whole id of a session, or the identity of a station.")
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reading]:
        """Readings; those of one station lie within a month of its clock."""
        rows: QuerySet[Reading] = super().get_queryset(request)
        if not _is_of_station(request):
            return rows
        end = _until(request)
        return rows.filter(at__gte=end - SPAN, at__lt=end)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Reading], search_term: str
    ) -> tuple[QuerySet[Reading], bool]:
        """Find by what an index knows; a part of a name would read every reading."""
        if not search_term:
            return queryset, False
        session = _session_in(request)
        if session is not None:
            return queryset.filter(session_id=session), False
        named = Station.objects.by_identity(search_term.strip())
        return queryset.filter(station__in=list(named)), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if _is_of_station(request):
            end = _until(request)
            shown = {"begin": f"{end - SPAN:%Y-%m-%d %H:%M}", "end": f"{end:%Y-%m-%d %H:%M}"}
            messages.info(request, _("By the station's clock from %(begin)s to %(end)s.") % shown)
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer


def _is_of_station(request: HttpRequest) -> bool:
    is_searched = bool(request.GET.get("q")) and _session_in(request) is None
    return is_searched or "station__id__exact" in request.GET


def _session_in(request: HttpRequest) -> uuid.UUID | None:
    """The id of a session that is searched for."""
    try:
        return uuid.UUID(request.GET.get("q", "").strip())
    except ValueError:
        return None


def _until(request: HttpRequest) -> dt.datetime:
    """The end of the month that is shown: that of the filter by time, or a day from now."""
    date, time = (request.GET.get(f"received_at_to_{number}") for number in (0, 1))
    moment = parse_datetime_str(f"{date} {time or '00:00'}")
    return timezone.make_aware(moment) if moment else timezone.now() + dt.timedelta(days=1)
