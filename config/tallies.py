"""Numbers of whole tables for the metrics, without reading the tables at each scrape.

Transfers are never changed, so their sums up to a moment are kept, and a scrape adds what came
since (`flows`). States change: what is under way is counted by its index, and how many rows ended
in which state is counted by the worker, for at most a thousandth of its time.
"""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum

from billing.models import OutboxMessage, Payment, Transfer
from sessions_app.models import ChargingSession
from sessions_app.models.session import HOLDING
from stations.models import Command, Connector

from . import results
from .flows import Flow, Kept, Rows, within
from .models import Tally

SETTLED = dt.timedelta(minutes=5)
"""A transfer of a time before this is committed: no transaction of ours is open for so long."""
LEAST_PAUSE_S = 15
SHARE = 1000
SMALL = 10_000
"""A table of so many rows is counted at the scrape."""


def kept() -> Kept:
    """All that the worker has counted, by one query."""
    return Tally.objects.in_bulk()


@dataclass(frozen=True, slots=True)
class States:
    """How many rows of a table are in which state; those in `live` states are counted anew.

    They may be told apart by `also` another column, and `amount` be summed up.
    """

    name: str
    rows: QuerySet[Any]
    live: tuple[str, ...]
    also: str = ""
    amount: str = ""

    def counts(self, kept: Kept) -> dict[str, int]:
        """Count by state: exact where the row is under way, or the table small."""
        counts: dict[str, int] = {}
        for status, *_, number in self.read(kept):
            counts[status] = counts.get(status, 0) + number
        return counts

    def read(self, kept: Kept) -> list[list[Any]]:
        """As rows: the state, what `also` says, how many, and their `amount`."""
        tally = kept.get(self.name)
        ended: list[list[Any]] = tally.numbers if tally else []
        if sum(row[self._number_at] for row in ended) < SMALL:
            return self._count(self.rows)
        live = self._count(self.rows.filter(status__in=self.live))
        return [row for row in ended if row[0] not in self.live] + live

    def keep(self, now: dt.datetime) -> None:
        """Count all rows, unless that was done a short while ago for what it costs."""
        tally = Tally.objects.filter(pk=self.name).first()
        if tally and now < tally.due_at:
            return
        began = time.monotonic()
        numbers = self._count(self.rows)
        took_s = time.monotonic() - began
        pause = dt.timedelta(seconds=max(LEAST_PAUSE_S, SHARE * took_s))
        Tally.objects.update_or_create(
            pk=self.name, defaults={"numbers": numbers, "until": now, "due_at": now + pause}
        )

    @property
    def _number_at(self) -> int:
        return 2 if self.also else 1

    def _count(self, rows: QuerySet[Any]) -> list[list[Any]]:
        labels = ("status", self.also) if self.also else ("status",)
        counted = rows.order_by().values_list(*labels).annotate(number=Count("*"))
        if self.amount:
            counted = counted.annotate(sum=Sum(self.amount))
        return [list(row) for row in counted]


_O, _P = OutboxMessage.Status, Payment.Status
SESSIONS = States("sessions", ChargingSession.objects.all(), HOLDING)
COMMANDS = States("commands", Command.objects.all(), Command.OPEN)
OUTBOX = States("outbox", OutboxMessage.objects.all(), (_O.QUEUED, _O.FAILED))
CONNECTORS = States("connectors", Connector.objects.all(), ())
PAYMENTS = States(
    "payments", Payment.objects.all(), (_P.PENDING,), also="provider", amount="amount_minor"
)
STATES = (SESSIONS, COMMANDS, OUTBOX, CONNECTORS, PAYMENTS)


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


def _transfers(since: dt.datetime | None, until: dt.datetime | None) -> Rows:
    labels = ("kind", "code", "debit__kind", "credit__kind", "debit__currency")
    rows = Transfer.objects.filter(within("created_at", since, until)).order_by()
    return rows.values_list(*labels).annotate(
        number=Count("*"), minor=Sum("amount_minor"), freed=Sum("resolves__amount_minor", default=0)
    )


TRANSFERS = Flow("transfers", 5, _transfers)
FLOWS = (results.COMMANDS, results.CHARGES, results.LOSSES)


def transfers(kept: Kept) -> list[Moved]:
    """Sum up all transfers: what is kept, and what came since."""
    return [Moved(*row) for row in TRANSFERS.read(kept)]


def run_due(now: dt.datetime) -> int:
    """Bring the kept numbers up to date; return how many transfers were added."""
    for states in STATES:
        states.keep(now)
    for flow in FLOWS:
        flow.keep(now - SETTLED)
    return sum(Moved(*row).number for row in TRANSFERS.keep(now - SETTLED))
