"""The traffic of one station as it comes: a page that asks for what is new, or is loaded again."""

import datetime as dt
import uuid

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..models import Frame, Station

AT_FIRST, AT_ONCE = 100, 200
SETTLED_AFTER = dt.timedelta(seconds=1.5)
"""Frames are written in batches, so that an older one may come last: what is younger waits."""
Cursor = tuple[dt.datetime, uuid.UUID]


def follow_station(request: HttpRequest, station_pk: int) -> HttpResponse:
    """The page; with `after`, what came since, and where to ask from next."""
    if not request.user.has_perm("stations.view_frame"):
        raise PermissionDenied
    station = get_object_or_404(Station, pk=station_pk)
    cursor = _read_cursor(request.GET.get("after", ""))
    frames = _since(station, cursor) if cursor else _latest(station)
    last = (frames[-1].at, frames[-1].pk) if frames else cursor or (_settled(), uuid.UUID(int=0))
    page = {
        "title": _("Live: %(station)s") % {"station": station},
        "station": station,
        "frames": frames,
        "after": f"{last[0].isoformat()}|{last[1]}",
    }
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, "admin/frames_rows.html", page)
    context = {**admin.site.each_context(request), "opts": Frame._meta, **page}
    return TemplateResponse(request, "admin/frames_live.html", context)


def _settled() -> dt.datetime:
    return timezone.now() - SETTLED_AFTER


def _latest(station: Station) -> list[Frame]:
    rows = Frame.objects.filter(station=station, at__lte=_settled())
    return list(rows.order_by("-at", "-id")[:AT_FIRST])[::-1]


def _since(station: Station, cursor: Cursor) -> list[Frame]:
    at, frame_id = cursor
    rows = Frame.objects.filter(station=station, at__gte=at, at__lte=_settled())
    return list(rows.filter(Q(at__gt=at) | Q(id__gt=frame_id)).order_by("at", "id")[:AT_ONCE])


def _read_cursor(text: str) -> Cursor | None:
    """Where the page stands; None when it is none, then the page begins anew."""
    at, _separator, frame_id = text.partition("|")
    try:
        moment = dt.datetime.fromisoformat(at)
        return (moment, uuid.UUID(frame_id)) if moment.tzinfo else None
    except ValueError:
        return None
