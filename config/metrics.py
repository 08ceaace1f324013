"""Metrics for Prometheus, from the rows: right whichever process is asked.

Nothing here reads a table that grows with time: `tallies` says how its numbers come about.

Money is in major units, as Prometheus wants base units; the books stay integers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from django.conf import settings
from django.db.models import Count, TextChoices
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from billing.day_totals import MOVING
from billing.models import Account, OutboxMessage, Transfer
from billing.money import to_major
from sessions_app.models import Orphan, SessionStatus
from stations.models import Alert, Command, GatewayProcess, Station
from stations.models.station import LEASE

from . import tallies
from .models import WorkerProcess
from .tallies import Moved, States

Samples = Iterable[tuple[list[str], float]]
LATER = "what is {}, once it is much, as the worker counted it last"


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format."""
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class Rows(Collector):
    """Counts the rows anew for each scrape."""

    def collect(self) -> Iterator[Metric]:
        yield from _processes()
        yield from _stations()
        yield from _sessions()
        yield from _money()
        text = f"Messages to the outside; {LATER.format('delivered')}."
        yield _by_state("outbox", text, tallies.OUTBOX, OutboxMessage.Status)


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(Rows())


def _processes() -> Iterator[Metric]:
    gateways = GatewayProcess.objects.filter(lease_at__gt=timezone.now() - LEASE)
    yield _gauge("gateways", "Processes that hold sockets of stations.", gateways.count())
    workers = WorkerProcess.objects.alive()
    yield _gauge("workers", "Worker loops that are alive.", workers.count())


def _stations() -> Iterator[Metric]:
    yield _gauge("stations", "Stations that are known.", Station.objects.count())
    online = Station.objects.online()
    yield _gauge("stations_online", "Stations that are connected.", online.count())
    text = f"Calls to stations; {LATER.format('neither queued nor sent')}."
    yield _by_state("commands", text, tallies.COMMANDS, Command.Status)
    alerts = Alert.objects.filter(resolved_at__isnull=True)
    counted = dict(alerts.order_by().values_list("severity").annotate(Count("pk")))
    yield _by_choice("alerts_open", "Open alerts.", counted, Alert.Severity, field="severity")


def _sessions() -> Iterator[Metric]:
    text = f"Charging sessions; {LATER.format('completed or error')}."
    yield _by_state("sessions", text, tallies.SESSIONS, SessionStatus)
    orphans = Orphan.objects.filter(resolved_at__isnull=True)
    yield _gauge("orphans_open", "Messages that belong to no session.", orphans.count())


def _money() -> Iterator[Metric]:
    """What is held, what each kind of account has, and what has moved by which transfers.

    All of it follows from the sums of the transfers (P2).
    """
    transfers = tallies.transfers()
    yield _gauge("holds", "Unresolved holds.", sum(map(_holds, transfers)))
    held = sum(map(_held, transfers))
    text = "Money that holds set aside."
    family = GaugeMetricFamily("kubat_held", text, labels=["currency"])
    yield _fill(family, [([settings.CSMS_CURRENCY], _major(held))])
    text = "Balances by kind of account; a customer's is what we owe."
    balances = GaugeMetricFamily("kubat_balance", text, labels=["kind", "currency"])
    unit = settings.CSMS_CURRENCY
    yield _fill(balances, (([kind, unit], sum_) for kind, sum_ in _balances(transfers).items()))

    kinds = ["kind", "code"]
    count = CounterMetricFamily("kubat_transfers", "Transfers in the ledger.", labels=kinds)
    text = "Money in these transfers."
    moved = CounterMetricFamily("kubat_transferred", text, labels=kinds)
    numbers, amounts = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for row in transfers:
        numbers[row.kind, row.code] += row.number
        amounts[row.kind, row.code] += row.amount_minor
    for labels, number in numbers.items():
        count.add_metric(labels, number)
        moved.add_metric(labels, _major(amounts[labels]))
    yield count
    yield moved


def _holds(moved: Moved) -> int:
    """How many holds these transfers opened, less those that they resolved."""
    if moved.kind == Transfer.Kind.PENDING:
        return moved.number
    return -moved.number if moved.kind != Transfer.Kind.POSTED else 0


def _held(moved: Moved) -> int:
    return (moved.amount_minor if moved.kind == Transfer.Kind.PENDING else 0) - moved.freed_minor


def _balances(transfers: list[Moved]) -> dict[str, float]:
    """The balance of each kind of account in major units."""
    balances = dict.fromkeys(Account.Kind.values, 0)
    for moved in transfers:
        if moved.kind in MOVING:
            balances[moved.credit] += moved.amount_minor
            balances[moved.debit] -= moved.amount_minor
    return {kind: _major(minor) for kind, minor in balances.items()}


def _major(minor: int) -> float:
    return float(to_major(minor))


def _gauge(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(f"kubat_{name}", text, value=value)


def _by_state(name: str, text: str, states: States, choices: type[TextChoices]) -> Metric:
    return _by_choice(name, text, states.counts(), choices)


def _by_choice(
    name: str,
    text: str,
    counted: Mapping[str, int],
    choices: type[TextChoices],
    *,
    field: str = "status",
) -> Metric:
    """What was counted by one field, with a zero for each value that no row has."""
    family = GaugeMetricFamily(f"kubat_{name}", text, labels=[field])
    return _fill(family, (([value], counted.get(value, 0)) for value in choices.values))


def _fill(family: GaugeMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
