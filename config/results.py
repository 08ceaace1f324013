"""How commands ended, what charges delivered, and what of it was not paid for: as flows."""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Count, DurationField, ExpressionWrapper, F, Q, Sum
from django.db.models.functions import Coalesce, Greatest

from billing.models import Account, Transfer
from sessions_app.models import ChargingSession, SessionStatus
from stations.models import Command

from .flows import Flow, Rows, within

LATENCIES_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
OVERSHOOTS_WH = (0, 10, 50, 100, 250, 500, 1000, 2000, 5000)
PORTION = 500
NO_SITE = 0

Moment = dt.datetime | None


def _commands(since: Moment, until: Moment) -> Rows:
    """Action, status; how many, how many were answered, in how many µs, and in which bucket.

    An ended command never changes, so each is in one span for good.
    """
    ended = Command.objects.filter(within("resolved_at", since, until), resolved_at__isnull=False)
    took = ExpressionWrapper(F("resolved_at") - F("sent_at"), output_field=DurationField())
    answered = Q(status=Command.Status.ANSWERED, sent_at__isnull=False)
    buckets = {
        f"bucket_{number}": Count("pk", filter=answered & Q(took__lte=dt.timedelta(seconds=bound)))
        for number, bound in enumerate(LATENCIES_S)
    }
    sums = ended.annotate(took=took).order_by().values_list("action", "status")
    rows = sums.annotate(
        number=Count("*"),
        answers=Count("pk", filter=answered),
        waited=Sum("took", filter=answered),
        **buckets,
    )
    for action, status, number, answers, waited, *counts in rows:
        waited_us = waited // dt.timedelta(microseconds=1) if waited else 0
        yield action, status, number, answers, waited_us, *counts


def _charges(since: Moment, until: Moment) -> Rows:
    """Site; how many charges, Wh, how many had a limit, Wh past it, and in which bucket.

    They count as they were settled; a later correction changes the bill and not this.
    """
    ended = ChargingSession.objects.filter(
        within("ended_at", since, until), ended_at__isnull=False, status=SessionStatus.COMPLETED
    )
    limited = Q(energy_limit_wh__isnull=False)
    over = Greatest(F("energy_wh") - F("energy_limit_wh"), 0)
    buckets = {
        f"bucket_{number}": Count("pk", filter=limited & Q(over_wh__lte=bound))
        for number, bound in enumerate(OVERSHOOTS_WH)
    }
    sums = ended.annotate(over_wh=over, site=Coalesce("station__site", NO_SITE))
    return (
        sums.order_by()
        .values_list("site")
        .annotate(
            number=Count("*"),
            wh=Sum("energy_wh"),
            limits=Count("pk", filter=limited),
            past_wh=Sum("over_wh", filter=limited, default=0),
            **buckets,
        )
    )


def _losses(since: Moment, until: Moment) -> Rows:
    """Site; minor units that were booked to the loss account, and that were taken back from it."""
    sums: dict[int, Counter[bool]] = {}
    booked = Transfer.objects.filter(
        within("created_at", since, until), code=Transfer.Code.LOSS, kind=Transfer.Kind.POSTED
    )
    rows = booked.order_by().values_list("reference", "debit__kind", "amount_minor")
    for portion in _portions(list(rows)):
        sites = _sites_of([reference for reference, _, _ in portion])
        for reference, debit, minor in portion:
            site = sums.setdefault(sites.get(reference, NO_SITE), Counter())
            site[debit == Account.Kind.LOSS] += minor
    return [(site, minor[True], minor[False]) for site, minor in sums.items()]


def _portions(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), PORTION):
        yield rows[start : start + PORTION]


def _sites_of(references: Sequence[str]) -> dict[str, int]:
    """The sites of the sessions that transfers refer to."""
    ids = {pk for pk in map(_session_id, references) if pk}
    rows = ChargingSession.objects.filter(pk__in=ids).order_by().values_list("pk", "station__site")
    return {f"session:{pk}": site or NO_SITE for pk, site in rows}


def _session_id(reference: str) -> uuid.UUID | None:
    kind, _, text = reference.partition(":")
    try:
        return uuid.UUID(text) if kind == "session" else None
    except ValueError:
        return None


COMMANDS = Flow("ended commands", 2, _commands)
CHARGES = Flow("charges", 1, _charges)
LOSSES = Flow("losses", 1, _losses)
