"""Rules about Kubat itself: queues that fall behind, and channels that take no message."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.conf import settings

from billing.models import OutboxMessage, Payment
from billing.payments.providers import ONLINE
from sessions_app.models import ChargingSession
from stations.models import AlertChannel, Command

from .rule import Found, Look


@dataclass(frozen=True, slots=True)
class Queue:
    """Rows that wait for a worker: since when the first of them is due."""

    name: str
    label: str
    first_due: Callable[[], dt.datetime | None]


def _first_message() -> dt.datetime | None:
    """Those to targets that may be slow are in lanes of their own, and say nothing of a worker."""
    rows = OutboxMessage.objects.filter(status=OutboxMessage.Status.QUEUED, lane="")
    return rows.order_by("due_at").values_list("due_at", flat=True).first()


def _first_session() -> dt.datetime | None:
    rows = ChargingSession.objects.filter(due_at__isnull=False)
    return rows.order_by("due_at").values_list("due_at", flat=True).first()


def _first_payment() -> dt.datetime | None:
    rows = Payment.objects.filter(status=Payment.Status.PENDING, due_at__isnull=False)
    online = rows.filter(provider__in=ONLINE)
    return online.order_by("due_at").values_list("due_at", flat=True).first()


def _first_command() -> dt.datetime | None:
    rows = Command.objects.filter(status__in=Command.OPEN, deadline_at__isnull=False)
    return rows.order_by("deadline_at").values_list("deadline_at", flat=True).first()


QUEUES = (
    Queue("outbox", "Messages of the outbox", _first_message),
    Queue("sessions", "Sessions whose time is over", _first_session),
    Queue("payments", "Payments to ask about", _first_payment),
    Queue("commands", "Calls past their deadline", _first_command),
)


def queues_behind(look: Look) -> Iterator[Found]:
    """Queues whose first row has been due for too long."""
    for queue in QUEUES:
        lag_s = _lag_s(queue, look)
        if lag_s >= settings.CSMS_QUEUE_ALERT_S:
            text = f"{queue.label} wait for a worker: the first since {int(lag_s)} s."
            yield Found(queue.name, text, detail={"lag_s": int(lag_s)})


def queues_caught_up(look: Look) -> Iterator[str]:
    """Queues that are less than half as far behind as opens the alert."""
    causes = set(look.causes(look.open))
    for queue in QUEUES:
        if queue.name in causes and _lag_s(queue, look) < settings.CSMS_QUEUE_ALERT_S / 2:
            yield queue.name


def channels_failing(look: Look) -> Iterator[Found]:
    """Channels that have taken nothing for too long; it is not told through themselves."""
    since = look.ago(settings.CSMS_CHANNEL_ALERT_S)
    for row in AlertChannel.objects.filter(is_enabled=True, failing_since__lte=since):
        text = f"The channel {row} has failed since {row.failing_since:%Y-%m-%d %H:%M} UTC."
        yield Found(str(row.pk), text, detail={"channel": row.pk})


def channels_well(look: Look) -> Iterator[str]:
    failing = AlertChannel.objects.filter(is_enabled=True, failing_since__isnull=False)
    still = {str(pk) for pk in failing.values_list("pk", flat=True)}
    yield from sorted(set(look.causes(look.open)) - still)


def _lag_s(queue: Queue, look: Look) -> float:
    first = queue.first_due()
    return (look.now - first).total_seconds() if first else 0.0
