"""What waits for review, on one page: sessions that are in doubt, and messages of no session."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.admin.display import EMPTY, energy, link, list_link, money, table

from ..models import ChargingSession, Orphan, SessionStatus

RIGHTS = ("sessions_app.view_chargingsession", "sessions_app.view_orphan")
SHOWN = 100
"""How many of each are shown, those first that have waited longest."""


def show_waiting(request: HttpRequest) -> HttpResponse:
    """The page, for staff who may see both kinds."""
    if not all(request.user.has_perm(right) for right in RIGHTS):
        raise PermissionDenied
    sessions = ChargingSession.objects.filter(status=SessionStatus.REVIEW)
    messages = Orphan.objects.filter(resolved_at__isnull=True)
    page = {
        "title": _("Waiting for review"),
        "parts": [
            _part(_("Sessions"), sessions, _session_table, f"status__exact={SessionStatus.REVIEW}"),
            _part(_("Messages"), messages, _message_table, "open=1"),
        ],
    }
    return TemplateResponse(
        request, "admin/waiting.html", {**admin.site.each_context(request), **page}
    )


def _part(title: Any, rows: QuerySet[Any], write: Any, query: str) -> dict[str, Any]:
    count = rows.count()
    return {
        "title": title,
        "count": count,
        "table": write(rows) if count else "",
        "all": list_link(rows.model, query, _("All of them")),
    }


def _session_table(sessions: QuerySet[ChargingSession]) -> SafeString:
    is_doubt = Q(events__to_status=SessionStatus.REVIEW)
    rows = sessions.select_related("user", "station").annotate(
        doubted_at=Max("events__at", filter=is_doubt)
    )
    headers = (_("since"), _("station"), _("driver"), _("why"), _("energy"), _("bill"), _("hold"))
    return table(
        headers,
        [
            (
                link(row, f"{row.doubted_at:%Y-%m-%d %H:%M}"),
                str(row.station),
                str(row.user or EMPTY),
                ", ".join(row.flags),
                energy(row.energy_wh),
                f"{row.bill['total']} {row.currency}" if row.bill else EMPTY,
                money(row.hold_minor),
            )
            for row in rows.order_by("doubted_at")[:SHOWN]
        ],
    )


def _message_table(messages: QuerySet[Orphan]) -> SafeString:
    rows = messages.select_related("station").order_by("received_at")[:SHOWN]
    return table(
        (_("since"), _("station"), _("kind"), _("why")),
        [
            (
                link(row, f"{row.received_at:%Y-%m-%d %H:%M}"),
                str(row.station),
                row.get_kind_display(),
                row.cause,
            )
            for row in rows
        ],
    )
