"""Money as integers: minor units inside, decimal strings at the edge; the one rounding rule.

KGS has two decimals, and one installation has one currency, so an amount is a plain integer.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import NewType

Minor = NewType("Minor", int)
"""An amount in minor units (tyiyn)."""

DECIMALS = 2
MAX_MINOR = Minor(2**53)
"""Amounts stay below this, far from the end of a 64-bit column."""


def round_minor(amount: Decimal) -> Minor:
    """Round minor units half up: 0.5 tyiyn becomes 1. It is the only rounding of money."""
    return Minor(int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP)))


def to_minor(amount: Decimal) -> Minor:
    """Convert major units (som) to minor units.

    Raises ValueError when the amount has more than two decimals or is not within MAX_MINOR.
    """
    if not amount.is_finite() or abs(amount) > to_major(MAX_MINOR):
        raise ValueError(f"{amount} is no amount of money")
    exact = amount.quantize(Decimal(1).scaleb(-DECIMALS))
    if exact != amount:
        raise ValueError(f"{amount} has more than {DECIMALS} decimals")
    return Minor(int(exact.scaleb(DECIMALS)))


def to_major(amount: int) -> Decimal:
    """Convert minor units to major units with exactly two decimals."""
    return Decimal(amount).scaleb(-DECIMALS)


def to_text(amount: int) -> str:
    """Render minor units as the API does: 2300 is "23.00"."""
    return f"{to_major(amount):.{DECIMALS}f}"
