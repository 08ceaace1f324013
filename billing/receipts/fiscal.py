"""The hook for fiscal registration: each document is told to a register of the operator's choice.

`CSMS_FISCAL_REGISTRAR` names a callable. The worker calls it through the outbox, at least once a
document and until it answers: a registrar recognises a document that it knows by `number`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.module_loading import import_string

from ..models import FiscalRegistration, OutboxMessage, Receipt
from .snapshot import Snapshot

TOPIC = "receipt.issued"


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer of a register: its number, and the text of the code that customers scan."""

    number: str
    qr_text: str = ""


class NotYet(Exception):
    """A correction whose receipt is not registered waits for it."""


Registrar = Callable[[Snapshot], Registered]
"""Registers a document; it raises when it could not, and is called again later."""


def queue(receipt: Receipt) -> None:
    """Have a new document registered, where a registrar is set; the commit sends it."""
    if settings.CSMS_FISCAL_REGISTRAR:
        OutboxMessage.objects.create(
            key=f"{TOPIC}:{receipt.number}", topic=TOPIC, payload={"number": receipt.number}
        )


def is_given_up(receipt: Receipt) -> bool:
    """Whether the outbox has stopped trying."""
    return _given_up(receipt).exists()


def queue_again(receipt: Receipt) -> bool:
    """Begin anew what the outbox gave up on; False when there is nothing to do again."""
    queued = OutboxMessage.Status.QUEUED
    return bool(_given_up(receipt).update(status=queued, attempts=0, due_at=timezone.now()))


def register(message: OutboxMessage) -> None:
    """Deliver a message of the outbox: register its document and keep the answer.

    Raises NotYet for a correction before its receipt, and whatever the registrar raises.
    """
    receipt = Receipt.objects.get(number=message.payload["number"])
    if _is_registered(receipt):
        return
    if receipt.refers_to and not _is_registered(receipt.refers_to):
        raise NotYet(f"receipt {receipt.refers_to.number_text} is not registered")
    registrar: Registrar = import_string(settings.CSMS_FISCAL_REGISTRAR)
    answer = registrar(receipt.snapshot)
    FiscalRegistration.objects.get_or_create(
        receipt=receipt, defaults={"fiscal_number": answer.number, "qr_text": answer.qr_text}
    )


def _is_registered(receipt: Receipt) -> bool:
    return FiscalRegistration.objects.filter(receipt=receipt).exists()


def _given_up(receipt: Receipt) -> QuerySet[OutboxMessage]:
    return OutboxMessage.objects.filter(
        key=f"{TOPIC}:{receipt.number}", status=OutboxMessage.Status.FAILED
    )
