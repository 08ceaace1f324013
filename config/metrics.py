"""Metrics for Prometheus, counted from the rows: right whichever process is asked.

Money is in major units, as Prometheus wants base units; the books stay integers.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet, Sum, TextChoices
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from billing.models import Account, OutboxMessage, Transfer
from billing.money import to_major
from sessions_app.models import ChargingSession, Orphan, SessionStatus
from stations.models import Alert, Command, GatewayProcess, Station
from stations.models.station import LEASE

from .models import WorkerProcess

Samples = Iterable[tuple[list[str], float]]


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
        outbox = OutboxMessage.objects.all()
        yield _by_choice("outbox", "Messages to the outside.", outbox, OutboxMessage.Status)


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
    yield _by_choice("commands", "Calls to stations.", Command.objects.all(), Command.Status)
    alerts = Alert.objects.filter(resolved_at__isnull=True)
    yield _by_choice("alerts_open", "Open alerts.", alerts, Alert.Severity, field="severity")


def _sessions() -> Iterator[Metric]:
    sessions = ChargingSession.objects.all()
    yield _by_choice("sessions", "Charging sessions.", sessions, SessionStatus)
    orphans = Orphan.objects.filter(resolved_at__isnull=True)
    yield _gauge("orphans_open", "Messages that belong to no session.", orphans.count())


def _money() -> Iterator[Metric]:
    """What is held, what each kind of account has, and what has moved by which transfers."""
    pending = Transfer.objects.pending().aggregate(count=Count("pk"), sum=Sum("amount_minor"))
    yield _gauge("holds", "Unresolved holds.", pending["count"])
    held = [([settings.CSMS_CURRENCY], _major(pending["sum"] or 0))]
    text = "Money that holds set aside."
    yield _fill(GaugeMetricFamily("kubat_held", text, labels=["currency"]), held)

    text = "Balances by kind of account; a customer's is what we owe."
    balances = GaugeMetricFamily("kubat_balance", text, labels=["kind", "currency"])
    accounts = Account.objects.values_list("kind", "currency").annotate(Sum("balance_minor"))
    yield _fill(balances, (([kind, unit], _major(sum_)) for kind, unit, sum_ in accounts))

    kinds = ["kind", "code"]
    count = CounterMetricFamily("kubat_transfers", "Transfers in the ledger.", labels=kinds)
    text = "Money in these transfers."
    moved = CounterMetricFamily("kubat_transferred", text, labels=kinds)
    for kind, code, number, sum_ in _transfers():
        count.add_metric([kind, code], number)
        moved.add_metric([kind, code], _major(sum_))
    yield count
    yield moved


def _transfers() -> Iterable[tuple[str, str, int, int]]:
    rows = Transfer.objects.order_by().values_list("kind", "code")
    return rows.annotate(Count("pk"), Sum("amount_minor"))


def _major(minor: int) -> float:
    return float(to_major(minor))


def _gauge(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(f"kubat_{name}", text, value=value)


def _by_choice(
    name: str,
    text: str,
    rows: QuerySet[Any],
    choices: type[TextChoices],
    *,
    field: str = "status",
) -> Metric:
    """Count rows by one field, with a zero for each value that no row has."""
    counted = dict(rows.order_by().values_list(field).annotate(Count("pk")))
    family = GaugeMetricFamily(f"kubat_{name}", text, labels=[field])
    return _fill(family, (([value], counted.get(value, 0)) for value in choices.values))


def _fill(family: GaugeMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, value)
    return family
