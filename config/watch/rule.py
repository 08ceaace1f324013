"""What a rule is: when its alerts open, when they are resolved, and how often it looks."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from stations.models import Alert, Site, Station
from stations.models.alert import AlertQuerySet


@dataclass(frozen=True, slots=True)
class Found:
    """A cause that a rule found, as its alert tells it."""

    cause: str
    text: str
    station: Station | None = None
    site: Site | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a rule: at which moment; what is new since `since`, where a rule reads that."""

    kind: str
    now: dt.datetime
    since: dt.datetime

    @property
    def open(self) -> AlertQuerySet:
        """The alerts of this rule that are open."""
        return Alert.objects.open().filter(kind=self.kind).order_by("pk")

    def ago(self, seconds: float) -> dt.datetime:
        return self.now - dt.timedelta(seconds=seconds)

    def told(self) -> QuerySet[Any]:
        """The stations with an open alert of this rule, as a subquery."""
        return told_of(self.kind, "station")

    def causes(self, alerts: QuerySet[Alert]) -> list[str]:
        """The causes of these alerts of this rule, without the kind before them."""
        return [self.bare(cause) for cause in alerts.values_list("cause", flat=True)]

    def bare(self, cause: str) -> str:
        return cause.removeprefix(f"{self.kind}:")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `begun` yields causes that may have no alert yet, `over` the causes of open
    alerts that are gone, without the kind before them.

    `opens` and `resolves` say it in words; `settings` are the thresholds that it goes by.
    """

    kind: str
    every_s: float
    opens: str
    resolves: str
    settings: tuple[str, ...]
    begun: Callable[[Look], Iterable[Found]]
    over: Callable[[Look], Iterable[str]]

    def __str__(self) -> str:
        return self.kind


def told_of(kind: str, column: str) -> QuerySet[Any]:
    """The stations or sites with an open alert of a kind, as a subquery.

    PostgreSQL reads it once; an EXISTS it would ask again for each of 100,000 stations.
    """
    rows = Alert.objects.open().filter(kind=kind, **{f"{column}__isnull": False})
    told: QuerySet[Any] = rows.order_by().values(column)
    return told


def nothing(look: Look) -> Iterable[Found]:
    """For kinds that something else opens."""
    return ()
