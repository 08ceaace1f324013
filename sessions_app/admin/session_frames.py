"""The frames of one session on its page: in their order, both directions, with the gaps."""

import datetime as dt
from collections.abc import Iterator
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from billing.admin.display import EMPTY, link, list_link, table
from stations.models import Frame

from ..frames import frames_of, window_of
from ..models import ChargingSession

RIGHT = "stations.view_frame"
SHOWN = 200
SHOWN_CHARS = 300
LEAST_GAP_S = 60


def frame_table(session: ChargingSession) -> SafeString | str:
    """The first frames; the rest are in the list and in the file that it links to."""
    frames = frames_of(session, limit=SHOWN + 1)
    if not frames:
        return EMPTY
    gap = dt.timedelta(seconds=max(LEAST_GAP_S, 3 * session.station.meter_interval_s))
    headers = (_("time"), _("direction"), _("action"), _("text"))
    return format_html(
        '{}<p class="mt-4">{} · {}</p>',
        table(headers, _rows(frames[:SHOWN], gap)),
        list_link(Frame, f"q={session.pk}", _("All of them") if frames[SHOWN:] else _("As a list")),
        _download_link(session),
    )


def _rows(frames: list[Frame], gap: dt.timedelta) -> Iterator[tuple[object, ...]]:
    before: dt.datetime | None = None
    for frame in frames:
        if before is not None and frame.at - before > gap:
            seconds = int((frame.at - before).total_seconds())
            yield ("⋮", "", "", _("%(seconds)s s without a frame") % {"seconds": seconds})
        before = frame.at
        yield (
            link(frame, f"{frame.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]),
            frame.get_direction_display(),
            frame.action,
            Truncator(frame.text).chars(SHOWN_CHARS),
        )


def _download_link(session: ChargingSession) -> SafeString:
    begin, end = (f"{at:%Y-%m-%d %H:%M:%S}" for at in window_of(session))
    query = {"station": session.station_id, "session": session.pk, "begin": begin, "end": end}
    address = f"{reverse('admin:stations_frame_download')}?{urlencode(query)}"
    return format_html('<a href="{}" class="text-link">{}</a>', address, _("Download"))
