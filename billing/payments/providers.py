"""Who takes the money of a top-up. A provider is named in the request and on the payment."""

from dataclasses import dataclass
from typing import Protocol

from ..models import Payment


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a provider says when a payment begins: paid already, or where the driver pays."""

    is_paid: bool = False
    url: str = ""


class Provider(Protocol):
    """One way to pay; `is_for_staff` when only staff may say that money came in."""

    name: str
    is_for_staff: bool

    def begin(self, payment: Payment) -> Checkout:
        """Open the payment at the provider."""


class Manual:
    """Cash or a bank transfer that staff have seen: paid at once."""

    name = "manual"
    is_for_staff = True

    def begin(self, payment: Payment) -> Checkout:
        return Checkout(is_paid=True)


_ALL: tuple[Provider, ...] = (Manual(),)
PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in _ALL}
