"""Who is told what: one delivery for each topic of the outbox."""

import logging
from collections.abc import Mapping

from billing.models import OutboxMessage
from billing.outbox import Handler
from billing.receipts import fiscal

logger = logging.getLogger("kubat.alerts")


def log_alert(message: OutboxMessage) -> None:
    """Write an alert to the log, where whatever watches the log finds it."""
    event = message.topic.removeprefix("alert.")
    logger.warning("alert %s %s: %s", message.payload["alert"], event, message.payload["text"])


DELIVERIES: Mapping[str, Handler] = {
    "alert.opened": log_alert,
    "alert.resolved": log_alert,
    fiscal.TOPIC: fiscal.register,
}
