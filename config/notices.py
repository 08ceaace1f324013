"""Who is told what: one delivery for each topic of the outbox."""

import logging
from collections.abc import Mapping

from billing.models import OutboxMessage
from billing.outbox import Handler
from billing.payments import alarms, returns, sandbox
from billing.receipts import fiscal
from stations.alerting import delivery, routing
from stations.alerts import OPENED, RESOLVED, open_alert
from stations.models import Alert

logger = logging.getLogger("kubat.alerts")


def tell_of_alert(message: OutboxMessage) -> None:
    """Write an alert to the log, where whatever watches the log finds it, and note who is told."""
    event = message.topic.removeprefix("alert.")
    logger.warning("alert %s %s: %s", message.payload["alert"], event, message.payload["text"])
    routing.note(message.payload["alert"])


def open_payment_alert(message: OutboxMessage) -> None:
    """Make an alert of what payments reported, for they know no alerts."""
    alarm = message.payload
    open_alert(alarm["kind"], alarm["cause"], alarm["text"][:250], severity=Alert.Severity.CRITICAL)


DELIVERIES: Mapping[str, Handler] = {
    OPENED: tell_of_alert,
    RESOLVED: tell_of_alert,
    routing.NOTICE: delivery.tell,
    routing.TRIAL: delivery.try_out,
    fiscal.TOPIC: fiscal.register,
    alarms.TOPIC: open_payment_alert,
    returns.TOPIC: returns.send_refund,
    sandbox.TOPIC: sandbox.deliver,
}
