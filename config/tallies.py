"""Numbers of whole tables for the metrics, without reading the tables at each scrape.

Transfers are never changed, so their sums up to a moment are kept, and a scrape adds what came
since. States change: what is under way is counted by its index, and how many rows ended in which
state is counted by the worker, for at most a thousandth of its time.
"""

import datetime as dt
import itertools
import operator
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet, Sum

from billing.models import OutboxMessage, Transfer
from sessions_app.models import ChargingSession
from sessions_app.models.session import HOLDING
from stations.models import Command

from .models import Tally

SETTLED = dt.timedelta(minutes=5)
"""A transfer of a time before this is committed: no transaction of ours is open for so long."""
LEAST_PAUSE_S = 15
SHARE = 1000
SMALL = 10_000
"""A table of so many rows is counted at the scrape."""


@dataclass(frozen=True, slots=True)
class States:
    """How many rows of a table are in which state; those in `live` states are counted anew."""

    name: str
    rows: QuerySet[Any]
    live: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Count by state: exact where the row is under way, or the table small."""
        tally = Tally.objects.filter(pk=self.name).first()
        ended: dict[str, int] = dict(tally.numbers) if tally else {}
        if sum(ended.values()) < SMALL:
            return self._count(self.rows)
        live = self._count(self.rows.filter(status__in=self.live))
        return ended | dict.fromkeys(self.live, 0) | live

    def keep(self, now: dt.datetime) -> None:
        """Count all rows, unless that was done a short while ago for what it costs."""
        tally = Tally.objects.filter(pk=self.name).first()
        if tally and now < tally.due_at:
            return
        began = time.monotonic()
        numbers = [list(pair) for pair in self._count(self.rows).items()]
        took_s = time.monotonic() - began
        pause = dt.timedelta(seconds=max(LEAST_PAUSE_S, SHARE * took_s))
        Tally.objects.update_or_create(
            pk=self.name, defaults={"numbers": numbers, "until": now, "due_at": now + pause}
        )

    def _count(self, rows: QuerySet[Any]) -> dict[str, int]:
        return dict(rows.order_by().values_list("status").annotate(number=Count("*")))


_O = OutboxMessage.Status
SESSIONS = States("sessions", ChargingSession.objects.all(), HOLDING)
COMMANDS = States("commands", Command.objects.all(), Command.OPEN)
OUTBOX = States("outbox", OutboxMessage.objects.all(), (_O.QUEUED, _O.FAILED))
STATES = (SESSIONS, COMMANDS, OUTBOX)
TRANSFERS = "transfers"


@dataclass(frozen=True, slots=True)
class Moved:
    """All transfers of one kind and code between two kinds of account.

    `freed_minor` is what the holds that they resolve had set aside.
    """

    kind: str
    code: str
    debit: str
    credit: str
    currency: str
    number: int
    amount_minor: int
    freed_minor: int


def transfers() -> list[Moved]:
    """Sum up all transfers: what is kept, and what came since."""
    tally = Tally.objects.filter(pk=TRANSFERS).first()
    since = Transfer.objects.filter(created_at__gte=tally.until) if tally else Transfer.objects
    return _added(tally.numbers if tally else [], _sums(since.all()))


def run_due(now: dt.datetime) -> int:
    """Bring the kept numbers up to date; return how many transfers were added."""
    for states in STATES:
        states.keep(now)
    return _keep_transfers(now - SETTLED)


@transaction.atomic
def _keep_transfers(until: dt.datetime) -> int:
    """Add the transfers that are settled by now; two workers at once add them once."""
    first = {"until": dt.datetime.fromtimestamp(0, dt.UTC), "due_at": until}
    Tally.objects.get_or_create(pk=TRANSFERS, defaults=first)
    tally = Tally.objects.select_for_update().get(pk=TRANSFERS)
    if until <= tally.until:
        return 0
    new = Transfer.objects.filter(created_at__gte=tally.until, created_at__lt=until)
    sums = list(_sums(new))
    tally.numbers = [list(astuple(moved)) for moved in _added(tally.numbers, sums)]
    tally.until = tally.due_at = until
    tally.save()
    return sum(moved.number for moved in _added(sums))


def _sums(rows: QuerySet[Transfer]) -> Iterable[Sequence[Any]]:
    labels = ("kind", "code", "debit__kind", "credit__kind", "debit__currency")
    sums = rows.order_by().values_list(*labels)
    return sums.annotate(
        number=Count("*"), minor=Sum("amount_minor"), freed=Sum("resolves__amount_minor", default=0)
    )


def _added(*parts: Iterable[Sequence[Any]]) -> list[Moved]:
    """Add up rows of five labels and three numbers."""
    sums: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in itertools.chain(*parts):
        kept = sums[tuple(row[:5])]
        kept[:] = map(operator.add, kept, row[5:])
    return [Moved(*labels, *numbers) for labels, numbers in sums.items()]
