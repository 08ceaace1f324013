"""Tell the operator that money needs a person. It knows no alerts: the outbox carries it there."""

from ..models import OutboxMessage

TOPIC = "payment.alarm"


def raise_alarm(kind: str, cause: str, text: str) -> None:
    """Report `kind:cause` once, in the caller's transaction."""
    OutboxMessage.objects.get_or_create(
        key=f"{TOPIC}:{kind}:{cause}",
        defaults={"topic": TOPIC, "payload": {"kind": kind, "cause": cause, "text": text}},
    )
