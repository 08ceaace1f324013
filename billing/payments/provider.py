"""What every payment provider is to us: the protocol, and the words that it is spoken in.

A provider says what it knows and moves no money of ours; `topups` and `returns` do.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..models import Payment
from ..money import Minor

ZERO = Minor(0)


@dataclass(frozen=True, slots=True)
class Links:
    """Our own addresses that a provider is given: where it reports, where the driver returns."""

    webhook: str
    back: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment that was opened at its provider: where the driver pays, the provider's number."""

    url: str
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A webhook as it came."""

    body: bytes
    content_type: str = ""
    signature: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a verified webhook claims: the order and the fee. All else is asked again."""

    order: str
    fee: Minor | None = None


class State(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider answers when it is asked about a payment.

    `order` and `ref` are empty where it does not repeat them; `fee` is None where it names none.
    `returned` is what went back to the payer so far.
    """

    state: State
    amount: Minor = ZERO
    currency: str = ""
    order: str = ""
    ref: str = ""
    fee: Minor | None = None
    returned: Minor = ZERO


class Verdict(StrEnum):
    """What we tell a provider about its webhook."""

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Reply:
    body: str
    content_type: str
    status: int = 200


class Provider(Protocol):
    """One way to pay; `is_for_staff` when only staff may say that money came in."""

    name: str
    is_for_staff: bool

    def is_enabled(self) -> bool:
        """Whether this installation offers it."""

    def refund(self, payment: Payment, amount: Minor) -> None:
        """Send money back to the payer. Raises ProviderRefused, ProviderUnavailable."""


class OnlineProvider(Provider, Protocol):
    """A provider that the driver pays at and that reports to us; it may be asked at any time."""

    def begin(self, payment: Payment, links: Links) -> Checkout:
        """Open the payment. Raises ProviderRefused, ProviderUnavailable."""

    def parse_webhook(self, incoming: Incoming) -> Notice:
        """Verify and read a webhook. Raises UnverifiedWebhook."""

    def query_status(self, payment: Payment) -> Report:
        """Ask what became of a payment. Raises ProviderUnavailable."""

    def acknowledge(self, verdict: Verdict) -> Reply:
        """Word our answer to a webhook as this provider wants it."""


def payment_of(provider: Provider, order: str) -> Payment | None:
    """Find the payment of an order, whose number is the payment's id; None for none of ours."""
    try:
        payment_id = uuid.UUID(order)
    except ValueError:
        return None
    return Payment.objects.filter(pk=payment_id, provider=provider.name).first()
