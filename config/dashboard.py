"""The back office's first page: what needs a look, each with the list that it counts."""

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from sessions_app.models import ChargingSession, Orphan, ReconcileRun, SessionStatus
from stations.models import Alert, Station

RUNS, RUN = (f"admin:sessions_app_reconcilerun_{page}" for page in ("changelist", "change"))
AT_MOST_OLD = dt.timedelta(days=2)
"""The books of yesterday are closed in the night: an older run means that none is made."""


@dataclass(frozen=True, slots=True)
class Card:
    """One number that leads to its rows. `is_due` where it waits for someone."""

    title: Any
    rows: QuerySet[Any]
    query: str
    is_due: bool = False

    @property
    def count(self) -> int:
        return self.rows.count()

    @property
    def link(self) -> str:
        meta = self.rows.model._meta
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist") + f"?{self.query}"

    def is_for(self, request: HttpRequest) -> bool:
        meta = self.rows.model._meta
        return request.user.has_perm(f"{meta.app_label}.view_{meta.model_name}")


@dataclass(frozen=True, slots=True)
class Books:
    """What the last nightly reconcile says, and where to read it."""

    text: Any
    link: str
    is_due: bool


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the cards and the books to the first page (unfold's DASHBOARD_CALLBACK)."""
    cards = [card for card in _cards() if card.is_for(request)]
    may_see_books = request.user.has_perm("sessions_app.view_reconcilerun")
    return context | {"cards": cards, "books": _books() if may_see_books else None}


def _books() -> Books:
    """The last nightly reconcile; it is due where there is none of the last day but one."""
    run = ReconcileRun.objects.first()
    if run is None:
        return Books(_("Books: not reconciled yet"), reverse(RUNS), is_due=False)
    zone = zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE)
    age = timezone.localdate(timezone=zone) - run.day
    facts = {"day": date_format(run.day), "outcome": run.outcome, "count": sum(run.counts.values())}
    text = (
        _("Books of %(day)s: %(outcome)s (%(count)s)")
        if run.counts
        else _("Books of %(day)s: %(outcome)s")
    )
    is_due = bool(run.exit) or age > AT_MOST_OLD
    return Books(text % facts, reverse(RUN, args=[run.pk]), is_due=is_due)


def _cards() -> list[Card]:
    sessions, stations = ChargingSession.objects, Station.objects
    review = SessionStatus.REVIEW
    pending = Station.Registration.PENDING
    return [
        Card(_("Sessions that run"), sessions.open(), "course=open"),
        Card(
            _("Sessions in review"),
            sessions.filter(status=review),
            f"status__exact={review}",
            is_due=True,
        ),
        Card(
            _("Unattributed messages"),
            Orphan.objects.filter(resolved_at__isnull=True),
            "open=1",
            is_due=True,
        ),
        Card(
            _("Open alerts"), Alert.objects.filter(resolved_at__isnull=True), "open=1", is_due=True
        ),
        Card(_("Stations online"), stations.online(), "online=1"),
        Card(_("Stations offline"), stations.offline(), "online=0"),
        Card(
            _("Stations that wait for approval"),
            stations.filter(registration=pending),
            f"registration__exact={pending}",
            is_due=True,
        ),
    ]
