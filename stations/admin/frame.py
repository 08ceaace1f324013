"""What was said over the wire: read-only, searched within a bound of time, never counted."""

import datetime as dt
import uuid

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter
from unfold.utils import parse_datetime_str

from billing.admin.base import DiaryAdmin
from billing.admin.filters import MomentFilter
from sessions_app.frames import frames_of
from sessions_app.models import ChargingSession

from ..models import Frame
from .frame_download import download_frames
from .frame_live import follow_station

SHOWN = 120
SPAN, SPAN_AT_STATION = dt.timedelta(days=1), dt.timedelta(days=7)
"""How much of the diary one search reads: of all stations, and of one."""
OF_A_SESSION = 2000
"""The most frames that are listed of one session."""


@admin.register(Frame)
class FrameAdmin(DiaryAdmin):
    list_display = ("moment", "station", "direction", "action", "message_id", "beginning")
    list_filter = (
        ("station", AutocompleteSelectFilter),
        "direction",
        ("action", FieldTextFilter),
        ("at", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("text",)
    search_help_text = _(
        "A part of the text, a message id, or the id of a session. A search reads one day of the "
        "diary, or seven days of one station: the last, or those from the moment that is stated."
    )
    fields = readonly_fields = (
        "id",
        "at",
        "station",
        "direction",
        "action",
        "message_id",
        "text",
    )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("live/<int:station_pk>/", wrap(follow_station), name="stations_frame_live"),
            path("download/", wrap(download_frames), name="stations_frame_download"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Frame]:
        """Frames; those of a search lie within its bound, so that it cannot read for hours."""
        frames: QuerySet[Frame] = super().get_queryset(request)
        is_search = request.GET.get("q") or request.GET.get("action__icontains")
        if not is_search or _session_in(request):
            return frames
        begin, end = bound_of(request)
        return frames.filter(at__gte=begin, at__lt=end)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Frame], search_term: str
    ) -> tuple[QuerySet[Frame], bool]:
        session = _session_in(request)
        if session is not None:
            frames = frames_of(session, limit=OF_A_SESSION)
            return queryset.filter(pk__in=[frame.pk for frame in frames]), False
        if search_term:
            begin, end = (f"{at:%Y-%m-%d %H:%M}" for at in bound_of(request))
            text = _("Searched from %(begin)s to %(end)s.") % {"begin": begin, "end": end}
            messages.info(request, text)
        found: tuple[QuerySet[Frame], bool] = super().get_search_results(
            request, queryset, search_term
        )
        return found

    @admin.display(description=_("at"), ordering="at")
    def moment(self, frame: Frame) -> str:
        return f"{timezone.localtime(frame.at):%Y-%m-%d %H:%M:%S.%f}"[:-3]

    @admin.display(description=_("text"))
    def beginning(self, frame: Frame) -> str:
        return Truncator(frame.text).chars(SHOWN)


def bound_of(request: HttpRequest) -> tuple[dt.datetime, dt.datetime]:
    """From when to when a search reads; the moments are those of the filter by time."""
    is_at_station = "station__id__exact" in request.GET
    span = SPAN_AT_STATION if is_at_station else SPAN
    begin, end = (_moment_in(request, side) for side in ("from", "to"))
    if begin is not None:
        return begin, min(begin + span, end or begin + span)
    end = end or timezone.now() + dt.timedelta(seconds=1)
    return end - span, end


def _moment_in(request: HttpRequest, side: str) -> dt.datetime | None:
    date, time = (request.GET.get(f"at_{side}_{number}") for number in (0, 1))
    moment = parse_datetime_str(f"{date} {time or '00:00'}")
    return timezone.make_aware(moment) if moment else None


def _session_in(request: HttpRequest) -> ChargingSession | None:
    """The session whose id is searched for, for those who may see it."""
    if not request.user.has_perm("sessions_app.view_chargingsession"):
        return None
    try:
        session_id = uuid.UUID(request.GET.get("q", "").strip())
    except ValueError:
        return None
    return ChargingSession.objects.filter(pk=session_id).select_related("station").first()
