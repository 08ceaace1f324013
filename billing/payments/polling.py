"""Ask about payments that nobody reported: a webhook may be lost, money may not."""

import datetime as dt
import logging

from django.conf import settings
from django.db import transaction

from ..errors import ProviderUnavailable
from ..hooks.events import EventType, emit
from ..models import Payment
from .provider import OnlineProvider, Report, State
from .providers import ONLINE
from .topups import FIRST_POLL, locked
from .verdicts import decide
from .webhooks import settle_waiting

logger = logging.getLogger(__name__)

LONGEST_PAUSE = dt.timedelta(minutes=10)
GRACE = dt.timedelta(minutes=10)
"""How long after its life at the provider a payment is asked about for the last time."""

Status = Payment.Status


def poll_due(now: dt.datetime, *, limit: int = 3) -> int:
    """Ask about what is due, at most `limit` at a time; return how many were asked about.

    Any number of workers may call it: each claims its rows by putting them off.
    """
    due = Payment.objects.filter(status=Status.PENDING, due_at__lte=now, provider__in=ONLINE)
    asked = 0
    for payment in due.order_by("due_at")[:limit]:
        if _claim(payment, now):
            _look(payment, now)
            asked += 1
    return asked


def pause_after(polls: int) -> dt.timedelta:
    """How long to wait after this many polls: 30 s, 1 min, 2 min, …, at most 10 min."""
    doublings = min(polls, 10)
    return min(FIRST_POLL * (1 << doublings), LONGEST_PAUSE)


def _claim(payment: Payment, now: dt.datetime) -> bool:
    mine = Payment.objects.filter(pk=payment.pk, status=Status.PENDING, due_at=payment.due_at)
    return bool(mine.update(due_at=now + pause_after(payment.polls), polls=payment.polls + 1))


def _look(payment: Payment, now: dt.datetime) -> None:
    """Decide one payment; one that is still pending at its end expires, if the provider says so."""
    provider = ONLINE[payment.provider]
    try:
        report = _ask(provider, payment)
    except ProviderUnavailable as error:
        logger.warning("payment %s: %s: %s", payment.pk, payment.provider, error)
        return
    settle_waiting(provider, payment, decide(payment.pk, report))
    if report.state == State.PENDING and now >= payment.created_at + lifetime() + GRACE:
        _expire(payment)


def _ask(provider: OnlineProvider, payment: Payment) -> Report:
    # A checkout that nobody opened is not known to the provider.
    return provider.query_status(payment) if payment.opened_at else Report(State.PENDING)


def lifetime() -> dt.timedelta:
    """How long a driver has to pay."""
    return dt.timedelta(seconds=settings.CSMS_PAYMENT_LIFETIME_S)


@transaction.atomic
def _expire(payment: Payment) -> None:
    row = locked(payment.pk)
    if row.status == Status.PENDING:
        row.status = Status.EXPIRED
        row.due_at = None
        row.save(update_fields=["status", "due_at"])
        emit(EventType.PAYMENT_EXPIRED, row)
