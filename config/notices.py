"""Who is told what: one delivery for each topic of the outbox."""

import logging
from collections.abc import Mapping

from billing.hooks import delivering, endpoints, events
from billing.models import OutboxMessage, WebhookEndpoint
from billing.notices import delivery, telling
from billing.outbox import Handler
from billing.payments import alarms, returns, sandbox
from billing.receipts import fiscal
from sessions_app.services import notices
from stations.alerting import delivery as alert_delivery
from stations.alerting import routing
from stations.alerts import OPENED, RESOLVED, open_alert, resolve_alert
from stations.models import Alert

logger = logging.getLogger("kubat.alerts")
WEBHOOK_OFF = "webhook_off"


def tell_of_alert(message: OutboxMessage) -> None:
    """Write an alert to the log, where whatever watches the log finds it, and note who is told."""
    event = message.topic.removeprefix("alert.")
    logger.warning("alert %s %s: %s", message.payload["alert"], event, message.payload["text"])
    routing.note(message.payload["alert"])


def open_payment_alert(message: OutboxMessage) -> None:
    """Make an alert of what payments reported, for they know no alerts."""
    alarm = message.payload
    open_alert(alarm["kind"], alarm["cause"], alarm["text"][:250], severity=Alert.Severity.CRITICAL)


def open_webhook_alert(message: OutboxMessage) -> None:
    """Make an alert of an endpoint that was switched off, because it took nothing."""
    pk = message.payload["endpoint"]
    if WebhookEndpoint.objects.filter(pk=pk, enabled=False).exists():  # not on again, nor gone
        open_alert(WEBHOOK_OFF, pk, message.payload["text"][:250])


def resolve_webhook_alert(message: OutboxMessage) -> None:
    resolve_alert(WEBHOOK_OFF, message.payload["endpoint"])


DELIVERIES: Mapping[str, Handler] = {
    OPENED: tell_of_alert,
    RESOLVED: tell_of_alert,
    routing.NOTICE: alert_delivery.tell,
    routing.TRIAL: alert_delivery.try_out,
    fiscal.TOPIC: fiscal.register,
    alarms.TOPIC: open_payment_alert,
    returns.TOPIC: returns.send_refund,
    sandbox.TOPIC: sandbox.deliver,
    events.TOPIC: delivering.deliver,
    endpoints.ALARM_TOPIC: open_webhook_alert,
    endpoints.OVER_TOPIC: resolve_webhook_alert,
    telling.TOPIC: delivery.deliver,
    notices.LOST_TOPIC: notices.tell_of_loss,
}
