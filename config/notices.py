"""Who is told what: one delivery for each topic of the outbox."""

import logging
from collections.abc import Mapping

from billing.models import OutboxMessage
from billing.notices import delivery, telling
from billing.outbox import Handler
from billing.payments import alarms, returns, sandbox
from billing.receipts import fiscal
from sessions_app.services import notices
from stations.alerts import open_alert
from stations.models import Alert

logger = logging.getLogger("kubat.alerts")


def log_alert(message: OutboxMessage) -> None:
    """Write an alert to the log, where whatever watches the log finds it."""
    event = message.topic.removeprefix("alert.")
    logger.warning("alert %s %s: %s", message.payload["alert"], event, message.payload["text"])


def open_payment_alert(message: OutboxMessage) -> None:
    """Make an alert of what payments reported, for they know no alerts."""
    alarm = message.payload
    open_alert(alarm["kind"], alarm["cause"], alarm["text"][:250], severity=Alert.Severity.CRITICAL)


DELIVERIES: Mapping[str, Handler] = {
    "alert.opened": log_alert,
    "alert.resolved": log_alert,
    fiscal.TOPIC: fiscal.register,
    alarms.TOPIC: open_payment_alert,
    returns.TOPIC: returns.send_refund,
    sandbox.TOPIC: sandbox.deliver,
    telling.TOPIC: delivery.deliver,
    notices.LOST_TOPIC: notices.tell_of_loss,
}
