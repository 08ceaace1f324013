"""What the rows say of this moment: counted by an index, or by the worker where that is much."""

import datetime as dt
from collections.abc import Iterator, Mapping

from django.db.models import Count, Min, Q, TextChoices
from django.utils import timezone
from prometheus_client.core import Metric

from billing.models import OutboxMessage, Payment
from sessions_app.models import (
    ChargingSession,
    Orphan,
    ReconcileRun,
    SessionEvent,
    SessionStatus,
)
from stations.models import Alert, Command, Connector, GatewayProcess, Site, Station
from stations.models.station import LEASE

from .. import tallies
from ..flows import Kept
from ..models import WorkerProcess
from ..tallies import States
from .families import gauge, major, number

LATER = "what is {}, once it is much, as the worker counted it last"
NO_SITE = "none"
"""The label of stations that belong to no site."""


def collect(kept: Kept) -> Iterator[Metric]:
    yield from _processes()
    yield from _stations(kept)
    yield from _sessions(kept)
    yield from _payments(kept)
    yield from _queues(kept)
    yield from _reconcile()


def _processes() -> Iterator[Metric]:
    gateways = GatewayProcess.objects.filter(lease_at__gt=timezone.now() - LEASE)
    yield number("gateways", "Processes that hold sockets of stations.", gateways.count())
    workers = WorkerProcess.objects.alive()
    yield number("workers", "Worker loops that are alive.", workers.count())


def _stations(kept: Kept) -> Iterator[Metric]:
    sites = _by_site()
    known = sum(known for _, known, _ in sites)
    yield number("stations", "Stations that are known.", known)
    online = sum(online for _, _, online in sites)
    yield number("stations_online", "Stations that are connected.", online)
    text = "Stations that are known, by site."
    yield gauge("site_stations", text, ["site"], (([site], known) for site, known, _ in sites))
    text = "Stations that are connected, by site."
    yield gauge("site_stations_online", text, ["site"], (([site], up) for site, _, up in sites))
    text = "Connectors by their last status; once they are many, as the worker counted them last."
    yield _by_state("connectors", text, tallies.CONNECTORS, Connector.Status, kept)
    text = f"Calls to stations; {LATER.format('neither queued nor sent')}."
    yield _by_state("commands", text, tallies.COMMANDS, Command.Status, kept)
    alerts = Alert.objects.filter(resolved_at__isnull=True)
    counted = dict(alerts.order_by().values_list("severity").annotate(Count("pk")))
    yield _by_choice("alerts_open", "Open alerts.", counted, Alert.Severity, field="severity")


def _by_site() -> list[tuple[str, int, int]]:
    """Each site, its stations, and how many of them are connected; sites of one name are one."""
    fresh = Q(owner__lease_at__gt=timezone.now() - LEASE)
    rows = Station.objects.order_by().values_list("site")
    sums: dict[str, tuple[int, int]] = dict.fromkeys(site_names().values(), (0, 0))
    names = site_names()
    for pk, known, online in rows.annotate(Count("pk"), online=Count("pk", filter=fresh)):
        name = names.get(pk, NO_SITE)
        others = sums.get(name, (0, 0))
        sums[name] = (others[0] + known, others[1] + online)
    return [(name, known, online) for name, (known, online) in sorted(sums.items())]


def site_names() -> dict[int, str]:
    return dict(Site.objects.order_by().values_list("pk", "name"))


def _sessions(kept: Kept) -> Iterator[Metric]:
    text = f"Charging sessions; {LATER.format('completed or error')}."
    yield _by_state("sessions", text, tallies.SESSIONS, SessionStatus, kept)
    orphans = Orphan.objects.filter(resolved_at__isnull=True)
    waiting, oldest = orphans.aggregate(number=Count("pk"), at=Min("received_at")).values()
    yield number("orphans_open", "Messages that belong to no session.", waiting)
    moved = SessionEvent.objects.filter(
        session__status=SessionStatus.REVIEW, to_status=SessionStatus.REVIEW
    )
    since = moved.aggregate(at=Min("at"))["at"]
    text = "How long the oldest of what an operator must decide has waited."
    ages = [(["session"], _age_s(since)), (["message"], _age_s(oldest))]
    yield gauge("review_oldest_age_seconds", text, ["kind"], ages)


def _payments(kept: Kept) -> Iterator[Metric]:
    rows = [
        (provider, status, many, major(amount))
        for status, provider, many, amount in tallies.PAYMENTS.read(kept)
    ]
    labels = ["provider", "status"]
    text = f"Top-ups; {LATER.format('no longer pending')}."
    yield gauge("payments", text, labels, ((row[:2], row[2]) for row in rows))
    text = f"Money of top-ups; {LATER.format('no longer pending')}."
    yield gauge("payments_amount", text, labels, ((row[:2], row[3]) for row in rows))


def _queues(kept: Kept) -> Iterator[Metric]:
    text = f"Messages to the outside; {LATER.format('delivered')}."
    yield _by_state("outbox", text, tallies.OUTBOX, OutboxMessage.Status, kept)
    queued = OutboxMessage.objects.filter(status=OutboxMessage.Status.QUEUED)
    due = {
        "outbox": queued,
        "sessions": ChargingSession.objects.filter(due_at__isnull=False),
        "payments": Payment.objects.filter(due_at__isnull=False),
    }
    text = "How long ago the oldest of what the worker must do was due."
    oldest = ((queue, rows.aggregate(at=Min("due_at"))["at"]) for queue, rows in due.items())
    lags = (([queue], _age_s(at)) for queue, at in oldest)
    yield gauge("queue_lag_seconds", text, ["queue"], lags)


def _reconcile() -> Iterator[Metric]:
    """The last nightly reconcile that ended."""
    runs = ReconcileRun.objects.filter(exit__isnull=False).order_by("-day")
    last = runs.values_list("finished_at", "exit", "counts").first()
    finished_at, exit_code, counts = last or (None, 0, {})
    text = "When the last nightly reconcile ended; 0 before the first."
    at = finished_at.timestamp() if finished_at else 0
    yield number("reconcile_last_timestamp_seconds", text, at)
    text = "What the last nightly reconcile found."
    yield number("reconcile_findings", text, sum(counts.values()))
    text = "Whether the last nightly reconcile could not finish."
    yield number("reconcile_failed", text, int(exit_code == ReconcileRun.Exit.FAILURE))


def _age_s(at: dt.datetime | None) -> float:
    """How long ago a moment was; 0 for one that is to come, and for none."""
    return max((timezone.now() - at).total_seconds(), 0.0) if at else 0.0


def _by_state(
    name: str, text: str, states: States, choices: type[TextChoices], kept: Kept
) -> Metric:
    return _by_choice(name, text, states.counts(kept), choices)


def _by_choice(
    name: str,
    text: str,
    counted: Mapping[str, int],
    choices: type[TextChoices],
    *,
    field: str = "status",
) -> Metric:
    """What was counted by one field, with a zero for each value that no row has."""
    samples = (([value], counted.get(value, 0)) for value in choices.values)
    return gauge(name, text, [field], samples)
