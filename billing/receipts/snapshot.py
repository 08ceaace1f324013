"""What a receipt stores, once and for ever: every document is rendered from this alone.

It is JSON, so that it means the same in twenty years: money and quantities are decimal strings,
times ISO 8601 in UTC. It holds nothing about the customer, so that a person's data can be erased
and the books stay whole.
"""

from typing import Literal, NotRequired, TypedDict

VERSION: Literal[1] = 1


class Seller(TypedDict):
    name: str
    address: str
    tax_id: str
    contact: str


class Sale(TypedDict):
    """What was sold, in the words of whoever sold it; `time_zone` is where it happened."""

    place: str
    address: str
    connector: int | None
    started_at: str
    ended_at: str
    time_zone: str
    energy_kwh: str
    tariff: str
    price_per_kwh: str | None


class BillLine(TypedDict):
    """A line as `billing.pricing.Line.to_json` writes it; all gross."""

    type: str
    quantity: str
    unit: str
    unit_price: str
    amount: str
    tax: str
    vat_percent: NotRequired[str | None]


class Corrected(TypedDict):
    """The receipt that a correction refers to, and what had been paid until then."""

    number: int
    issued_at: str
    paid_before: str


class Snapshot(TypedDict):
    """`total` as priced, `paid` of it in all, `tax` the tax in what was paid."""

    version: Literal[1]
    number: int
    kind: Literal["receipt", "correction"]
    issued_at: str
    seller: Seller
    reference: str
    sale: Sale
    currency: str
    lines: list[BillLine]
    total: str
    tax: str
    paid: str
    corrects: Corrected | None
