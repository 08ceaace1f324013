"""What happens once and then stays: summed up to a moment, with what came since added on reading.

So a sum is exact and costs what is new, however many years lie behind it. What is kept here stays
when the rows that it was made of are thrown away.
"""

import datetime as dt
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q

from .models import Tally

Kept = Mapping[str, Tally]
Rows = Iterable[Sequence[Any]]
EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


@dataclass(frozen=True, slots=True)
class Flow:
    """Rows of `labels` labels, and after them numbers.

    `sums` makes them of what happened from the first moment on and before the second.
    """

    name: str
    labels: int
    sums: Callable[[dt.datetime | None, dt.datetime | None], Rows]

    def read(self, kept: Kept) -> list[list[Any]]:
        """Sum up all of it: what is kept, and what came since."""
        tally = kept.get(self.name)
        if tally is None:
            return self._added(self.sums(None, None))
        return self._added(tally.numbers, self.sums(tally.until, None))

    @transaction.atomic
    def keep(self, until: dt.datetime) -> list[list[Any]]:
        """Add what is settled by now; two workers at once add it once. Return what was added."""
        Tally.objects.get_or_create(pk=self.name, defaults={"until": EPOCH, "due_at": until})
        tally = Tally.objects.select_for_update().get(pk=self.name)
        if until <= tally.until:
            return []
        new = self._added(self.sums(tally.until, until))
        tally.numbers = self._added(tally.numbers, new)
        tally.until = tally.due_at = until
        tally.save()
        return new

    def _added(self, *parts: Rows) -> list[list[Any]]:
        """Add up the numbers of rows with the same labels."""
        sums: dict[tuple[Any, ...], list[Any]] = {}
        for row in itertools.chain(*parts):
            labels, numbers = tuple(row[: self.labels]), list(row[self.labels :])
            kept = sums.get(labels)
            sums[labels] = list(map(operator.add, kept, numbers)) if kept else numbers
        return [[*labels, *numbers] for labels, numbers in sums.items()]


def within(field: str, since: dt.datetime | None, until: dt.datetime | None) -> Q:
    """The condition that a moment lies in such a span."""
    span = Q()
    if since is not None:
        span &= Q(**{f"{field}__gte": since})
    if until is not None:
        span &= Q(**{f"{field}__lt": until})
    return span
