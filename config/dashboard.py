"""The back office's first page: what needs a look, each with the list that it counts."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from sessions_app.models import ChargingSession, Orphan, SessionStatus
from stations.models import Alert, Station


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


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the cards to the first page (unfold's DASHBOARD_CALLBACK)."""
    return context | {"cards": [card for card in _cards() if card.is_for(request)]}


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
