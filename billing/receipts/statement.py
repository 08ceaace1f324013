"""A statement of one account: what moved its balance in a period, from one balance to the next."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet, Sum

from ..errors import Invalid
from ..models import Account, Receipt, Transfer
from .layout import number_text

LONGEST = dt.timedelta(days=366)
MAX_MOVEMENTS = 2000
"""More than this on one paper helps nobody, and would keep others waiting."""
MOVING = (Transfer.Kind.POSTED, Transfer.Kind.CAPTURED)


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of `first` to the end of `last`, by the clock of the installation."""

    first: dt.date
    last: dt.date

    def __post_init__(self) -> None:
        """Raises Invalid for a period that is none, or longer than a year."""
        if self.last < self.first:
            raise Invalid(fields={"to": ["Must not be before `from`."]})
        if self.last - self.first >= LONGEST:
            raise Invalid(fields={"to": [f"Choose at most {LONGEST.days} days."]})
        if not 1970 <= self.first.year <= self.last.year < 9999:
            raise Invalid(fields={"from": ["This is not in our time."]})

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE)

    @property
    def start(self) -> dt.datetime:
        return dt.datetime.combine(self.first, dt.time.min, self.zone)

    @property
    def end(self) -> dt.datetime:
        """The first moment after it."""
        return dt.datetime.combine(self.last + dt.timedelta(days=1), dt.time.min, self.zone)


@dataclass(frozen=True, slots=True)
class Movement:
    """One transfer as its account sees it: `change_minor` is negative for what went out."""

    at: dt.datetime
    code: str
    change_minor: int
    balance_minor: int
    reason: str
    receipt: str


@dataclass(frozen=True, slots=True)
class Statement:
    """`opening_minor` and the changes of all movements add up to `closing_minor`."""

    account: Account
    period: Period
    opening_minor: int
    movements: tuple[Movement, ...]

    @property
    def in_minor(self) -> int:
        return sum(row.change_minor for row in self.movements if row.change_minor > 0)

    @property
    def out_minor(self) -> int:
        return -sum(row.change_minor for row in self.movements if row.change_minor < 0)

    @property
    def closing_minor(self) -> int:
        return self.movements[-1].balance_minor if self.movements else self.opening_minor


def draw_up(account: Account, period: Period) -> Statement:
    """State what moved the balance of an account; holds move nothing.

    Raises Invalid when there is more than one paper holds.
    """
    moving = Transfer.objects.for_account(account).filter(kind__in=MOVING)
    opening = _balance(account, moving.filter(created_at__lt=period.start))
    within = moving.filter(created_at__gte=period.start, created_at__lt=period.end)
    transfers = list(within.order_by("created_at", "id")[: MAX_MOVEMENTS + 1])
    if len(transfers) > MAX_MOVEMENTS:
        raise Invalid(fields={"to": [f"More than {MAX_MOVEMENTS} movements: choose less."]})
    return Statement(account, period, opening, tuple(_movements(account, opening, transfers)))


def _balance(account: Account, transfers: QuerySet[Transfer]) -> int:
    received, given = (
        transfers.filter(**{side: account}).aggregate(sum=Sum("amount_minor"))["sum"] or 0
        for side in ("credit", "debit")
    )
    return received - given


def _movements(account: Account, opening: int, transfers: list[Transfer]) -> Iterable[Movement]:
    receipts = _receipts({row.reference for row in transfers})
    balance = opening
    for row in transfers:
        change = row.balance_change(account)
        balance += change
        yield Movement(
            at=row.created_at,
            code=row.code,
            change_minor=change,
            balance_minor=balance,
            reason=row.reason,
            receipt=receipts.get(row.reference, ""),
        )


def _receipts(references: set[str]) -> dict[str, str]:
    """The number of the receipt of each reference that has one."""
    rows = Receipt.objects.filter(kind=Receipt.Kind.RECEIPT, reference__in=references - {""})
    return {
        reference: number_text(number)
        for reference, number in rows.values_list("reference", "number")
    }
