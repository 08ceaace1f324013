"""The frames of one station as a file: streamed in portions, whatever its length."""

import csv
import datetime as dt
import io
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.admin.reasoned import ReasonForm, actor_of
from sessions_app.frames import frames_of
from sessions_app.models import ChargingSession

from .. import audit
from ..models import Command, Frame, Station

PORTION = 500
COLUMNS = ("at", "station_id", "direction", "action", "message_id", "text")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula; a station may say anything."""
OF_A_SESSION = 10_000

Write = Callable[[Sequence[Frame], str], str]


class DownloadForm(ReasonForm):
    """Which frames of which station, and how they are written."""

    station = forms.ModelChoiceField(
        label=_("Station"),
        queryset=Station.objects.all(),
        widget=AutocompleteSelect(Command._meta.get_field("station"), admin.site),
    )
    begin = forms.DateTimeField(label=_("From"), widget=UnfoldAdminTextInputWidget)
    end = forms.DateTimeField(label=_("Until"), widget=UnfoldAdminTextInputWidget)
    action = forms.CharField(
        label=_("Action"), max_length=50, required=False, widget=UnfoldAdminTextInputWidget
    )
    text = forms.CharField(
        label=_("Text"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )
    session = forms.UUIDField(
        label=_("Session"),
        help_text=_("Only the frames of this session."),
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    kind = forms.ChoiceField(
        label=_("Format"),
        choices=[("ndjson", "NDJSON"), ("csv", "CSV")],
        widget=UnfoldAdminSelectWidget,
    )

    def clean_session(self) -> ChargingSession | None:
        session_id: uuid.UUID | None = self.cleaned_data["session"]
        if session_id is None:
            return None
        session = ChargingSession.objects.filter(pk=session_id).first()
        if session is None:
            raise forms.ValidationError(_("There is no such session."))
        return session

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors and values["end"] <= values["begin"]:
            self.add_error("end", _("This is before the beginning."))
        session = values.get("session")
        if not self.errors and session and session.station_id != values["station"].pk:
            self.add_error("session", _("This session was at another station."))
        return values


def download_frames(request: HttpRequest) -> HttpResponseBase:
    """Ask which frames and why; then note it, and send them."""
    if not request.user.has_perm("stations.view_frame"):
        raise PermissionDenied
    form = DownloadForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        _record(request, values)
        return _file(values)
    form.initial.update(_at_first(request))
    return _ask(request, form)


def _file(values: dict[str, Any]) -> StreamingHttpResponse:
    kind, station = values["kind"], values["station"]
    content_type, write, heading = KINDS[kind]
    name = f"frames-{values['begin']:%Y%m%dT%H%M}-{values['end']:%Y%m%dT%H%M}.{kind}"
    response = StreamingHttpResponse(
        _texts(_portions(values), write, heading, station.station_id), content_type=content_type
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _texts(
    portions: Iterator[list[Frame]], write: Write, heading: str, station_id: str
) -> AsyncIterator[str]:
    """Asynchronous, for a plain iterator would be read to its end before the first byte goes."""
    if heading:
        yield heading
    while portion := await sync_to_async(_next)(portions):
        yield write(portion, station_id)


def _next(portions: Iterator[list[Frame]]) -> list[Frame]:
    return next(portions, [])


def _portions(values: dict[str, Any]) -> Iterator[list[Frame]]:
    """The frames in their order, never more in memory than one portion."""
    rows = _chosen(values)
    after: tuple[dt.datetime, uuid.UUID] | None = None
    while True:
        left = rows
        if after is not None:
            is_after = Q(at__gt=after[0]) | Q(id__gt=after[1])
            left = rows.filter(is_after, at__gte=after[0])
        portion = list(left.order_by("at", "id")[:PORTION])
        if not portion:
            return
        yield portion
        after = portion[-1].at, portion[-1].pk


def _chosen(values: dict[str, Any]) -> QuerySet[Frame]:
    rows = Frame.objects.filter(
        station=values["station"], at__gte=values["begin"], at__lt=values["end"]
    )
    if values["action"]:
        rows = rows.filter(action__iexact=values["action"])
    if values["text"]:
        rows = rows.filter(text__icontains=values["text"])
    if values["session"]:
        frames = frames_of(values["session"], limit=OF_A_SESSION)
        rows = rows.filter(pk__in=[frame.pk for frame in frames])
    return rows


def _write_ndjson(frames: Sequence[Frame], station_id: str) -> str:
    lines = (
        json.dumps(dict(zip(COLUMNS, _cells(frame, station_id), strict=True))) for frame in frames
    )
    return "".join(f"{line}\n" for line in lines)


def _write_csv(frames: Sequence[Frame], station_id: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    for frame in frames:
        cells = _cells(frame, station_id)
        writer.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells])
    return text.getvalue()


def _cells(frame: Frame, station_id: str) -> tuple[str, ...]:
    at = frame.at.isoformat()
    return (at, station_id, frame.direction, frame.action, frame.message_id, frame.text)


KINDS: dict[str, tuple[str, Write, str]] = {
    "ndjson": ("application/x-ndjson", _write_ndjson, ""),
    "csv": ("text/csv; charset=utf-8", _write_csv, ",".join(COLUMNS) + "\r\n"),
}


def _record(request: HttpRequest, values: dict[str, Any]) -> None:
    """Frames hold tags, which are personal: who took them away is on record."""
    span = f"{values['begin']:%Y-%m-%d %H:%M} - {values['end']:%Y-%m-%d %H:%M}"
    what = f"frames downloaded: {span}"
    audit.record(actor_of(request), audit.CHANGE, values["station"], what, reason=values["reason"])


def _at_first(request: HttpRequest) -> dict[str, Any]:
    """What the link to the page says, and the last day."""
    now = timezone.now()
    last_day = {
        "begin": f"{now - dt.timedelta(days=1):%Y-%m-%d %H:%M}",
        "end": f"{now + dt.timedelta(minutes=1):%Y-%m-%d %H:%M}",
    }
    return last_day | {
        name: request.GET[name] for name in DownloadForm.base_fields if name in request.GET
    }


def _ask(request: HttpRequest, form: DownloadForm) -> HttpResponse:
    page = {
        "opts": Frame._meta,
        "title": _("Download frames"),
        "media": form.media,
        "form": form,
        "back": reverse("admin:stations_frame_changelist"),
        "submit_name": "_submit",
    }
    frame = admin.site.each_context(request)
    return TemplateResponse(request, "admin/reasoned_action.html", {**frame, **page})
