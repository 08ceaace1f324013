"""Energy as integers: watt-hours inside, kWh strings with three decimals at the edge."""

from decimal import ROUND_HALF_UP, Decimal
from typing import NewType

Wh = NewType("Wh", int)
"""Energy in watt-hours."""
MAX_WH = Wh(2**53)


def round_wh(energy: Decimal) -> Wh:
    """Round watt-hours half up, once a session."""
    return Wh(int(energy.quantize(Decimal(1), rounding=ROUND_HALF_UP)))


def to_kwh(energy_wh: int) -> Decimal:
    return Decimal(energy_wh).scaleb(-3)


def to_wh(energy_kwh: Decimal) -> Wh:
    """Convert kWh with at most three decimals to Wh.

    Raises ValueError for more decimals, or beyond MAX_WH.
    """
    if not energy_kwh.is_finite() or abs(energy_kwh) > to_kwh(MAX_WH):
        raise ValueError(f"{energy_kwh} is no amount of energy")
    exact = energy_kwh.quantize(Decimal("0.001"))
    if exact != energy_kwh:
        raise ValueError(f"{energy_kwh} has more than 3 decimals")
    return Wh(int(exact.scaleb(3)))


def to_text(energy_wh: int) -> str:
    """Render Wh as the API does: 2300 is "2.300"."""
    return f"{to_kwh(energy_wh):.3f}"
