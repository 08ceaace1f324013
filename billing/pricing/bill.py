"""What was sold: lines, and their sums."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ..money import Minor, to_text


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill. Everything is gross: `amount` contains `tax`, `unit_price` its VAT.

    `amount` is the exact quantity times `unit_price`, rounded half up once; `quantity` shows it
    with at most six decimals. `vat_percent` is None where rates mix, in the lines that a least
    or a most price adds.
    """

    type: str  # ENERGY, TIME, PARKING_TIME, FLAT, MIN_PRICE, MAX_PRICE
    quantity: Decimal
    unit: str  # kWh, h, session
    unit_price: Decimal
    amount: Minor
    tax: Minor
    vat_percent: Decimal | None = None

    def to_json(self) -> dict[str, str | None]:
        vat = self.vat_percent
        return {
            "type": self.type,
            "quantity": f"{self.quantity:f}",
            "unit": self.unit,
            "unit_price": number_text(self.unit_price, least_decimals=2),
            "vat_percent": None if vat is None else number_text(vat),
            "amount": to_text(self.amount),
            "tax": to_text(self.tax),
        }


@dataclass(frozen=True, slots=True)
class Bill:
    """What was sold: its lines, and their sums in minor units (gross, and the tax in it)."""

    currency: str
    lines: tuple[Line, ...] = field(default=())

    @property
    def total(self) -> Minor:
        return Minor(sum(line.amount for line in self.lines))

    @property
    def tax(self) -> Minor:
        return Minor(sum(line.tax for line in self.lines))

    def to_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "lines": [line.to_json() for line in self.lines],
            "total": to_text(self.total),
            "tax": to_text(self.tax),
        }


def number_text(number: Decimal, *, least_decimals: int = 0) -> str:
    """Render a number the same way however it was stored: 12.500000 is "12.50"."""
    whole, _, decimals = f"{number:f}".partition(".")
    decimals = decimals.rstrip("0").ljust(least_decimals, "0")
    return f"{whole}.{decimals}" if decimals else whole
