"""Do the balances follow from the transfers, and do the books balance? (P2)"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum

from billing import ledger
from billing.models import Account, Transfer
from billing.money import to_text
from stations import alerts
from stations.models import Alert

from ..models import ChargingSession
from ..models.session import HOLDING
from .finding import Finding

MOVING = (Transfer.Kind.POSTED, Transfer.Kind.CAPTURED)


@dataclass(frozen=True, slots=True)
class Sheet:
    """An account beside what its transfers say: balance and held in minor units."""

    account: Account
    balance_minor: int
    held_minor: int

    @property
    def subject(self) -> str:
        return f"account {self.account.pk} ({self.account})"

    @property
    def has_right_balance(self) -> bool:
        return self.account.balance_minor == self.balance_minor

    @property
    def has_right_held(self) -> bool:
        return self.account.held_minor == self.held_minor


def check_accounts() -> Iterator[Finding]:
    """All checks on accounts and on the transfers by themselves."""
    sheets = load_sheets(Account.objects.select_related("owner").order_by("pk"))
    yield from check_balances(sheets)
    yield from check_held(sheets)
    yield from check_sum(sheets)
    yield from check_customers(sheets)
    yield from check_resolutions()
    yield from check_adjustments()


def load_sheets(accounts: QuerySet[Account]) -> list[Sheet]:
    moving = Transfer.objects.filter(kind__in=MOVING)
    received = _sum_by(moving, "credit", accounts)
    given = _sum_by(moving, "debit", accounts)
    held = _sum_by(Transfer.objects.pending(), "debit", accounts)
    return [
        Sheet(row, received.get(row.pk, 0) - given.get(row.pk, 0), held.get(row.pk, 0))
        for row in accounts
    ]


def check_balances(sheets: Iterable[Sheet]) -> Iterator[Finding]:
    """Each balance is what its transfers add up to.

    A lost or altered transfer shows on two accounts, an altered balance on one: only that one is
    rebuilt, for two need someone to find out what happened.
    """
    wrong = [sheet for sheet in sheets if not sheet.has_right_balance]
    for sheet in wrong:
        yield Finding(
            "balance_wrong",
            sheet.subject,
            "The balance does not follow from the transfers.",
            expected=to_text(sheet.balance_minor),
            found=to_text(sheet.account.balance_minor),
            fix=partial(rebuild, sheet.account.pk, "balance_minor") if len(wrong) == 1 else None,
        )


def check_held(sheets: Iterable[Sheet]) -> Iterator[Finding]:
    """What is held is the sum of the unresolved holds.

    It is rebuilt where the driver's sessions confirm those holds: one hold lost, and a session
    would miss it.
    """
    for sheet in sheets:
        if not sheet.has_right_held:
            yield Finding(
                "held_wrong",
                sheet.subject,
                "What is held is not the sum of the unresolved holds.",
                expected=to_text(sheet.held_minor),
                found=to_text(sheet.account.held_minor),
                fix=(
                    partial(rebuild, sheet.account.pk, "held_minor")
                    if _sessions_confirm(sheet)
                    else None
                ),
            )


def check_sum(sheets: Iterable[Sheet]) -> Iterator[Finding]:
    """Money only moves: all balances together are zero."""
    total = sum(sheet.account.balance_minor for sheet in sheets)
    if total:
        yield Finding(
            "books_unbalanced",
            "all accounts",
            "The balances do not add up to zero.",
            expected=to_text(0),
            found=to_text(total),
        )


def check_customers(sheets: Iterable[Sheet]) -> Iterator[Finding]:
    """No customer is below zero or below what is held, by the balance or by the transfers."""
    for sheet in sheets:
        row = sheet.account
        available = min(row.available_minor, sheet.balance_minor - sheet.held_minor)
        if row.kind == Account.Kind.CUSTOMER and available < 0:
            yield Finding(
                "customer_overdrawn",
                sheet.subject,
                "More is spent and held than was paid in.",
                expected="at least 0.00 available",
                found=to_text(available),
            )


def check_resolutions() -> Iterator[Finding]:
    """Each resolution ends a hold between the same accounts, with at most its amount."""
    hold = "resolves__"
    differs = (
        ~Q(resolves__kind=Transfer.Kind.PENDING)
        | ~Q(debit=F(f"{hold}debit"))
        | ~Q(credit=F(f"{hold}credit"))
        | ~Q(reference=F(f"{hold}reference"))
        | Q(amount_minor__gt=F(f"{hold}amount_minor"))
        | (Q(kind=Transfer.Kind.VOIDED) & ~Q(amount_minor=F(f"{hold}amount_minor")))
    )
    rows = Transfer.objects.filter(resolves__isnull=False).filter(differs)
    for row in rows.select_related("resolves"):
        yield Finding(
            "resolution_wrong",
            f"transfer {row.pk} ({row.reference})",
            "It resolves a hold that it does not fit.",
            expected=str(row.resolves),
            found=str(row),
        )


def check_adjustments() -> Iterator[Finding]:
    """What staff moved says who and why (P10)."""
    rows = Transfer.objects.filter(code=Transfer.Code.ADJUSTMENT)
    for row in rows.filter(Q(reason="") | Q(made_by__isnull=True)):
        yield Finding(
            "adjustment_unexplained",
            f"transfer {row.pk}",
            "An adjustment by staff has no reason or no author.",
        )


def rebuild(account_id: int, column: Literal["balance_minor", "held_minor"]) -> None:
    """Derive one figure of an account again from its transfers; an alert keeps the old one.

    The lock comes first: a transfer that commits later then moves the rebuilt figure. What the
    database would refuse of a customer's account is left as it is.
    """
    with transaction.atomic():
        (row,) = ledger.lock(Account.objects.get(pk=account_id))
        (sheet,) = load_sheets(Account.objects.filter(pk=row.pk))
        before, after = getattr(row, column), getattr(sheet, column)
        setattr(row, column, after)
        if before == after or (row.kind == Account.Kind.CUSTOMER and row.available_minor < 0):
            return
        row.save(update_fields=[column])
        alerts.open_alert(
            "account_rebuilt",
            f"{row.pk}:{column}",
            "An account was rebuilt from its transfers by reconcile.",
            severity=Alert.Severity.CRITICAL,
            account=str(row),
            column=column,
            before=before,
            after=after,
        )


def _sum_by(
    transfers: QuerySet[Transfer], side: str, accounts: QuerySet[Account]
) -> dict[int, int]:
    of_these = transfers.filter(**{f"{side}__in": accounts.order_by()}).order_by()
    return dict(of_these.values_list(side).annotate(sum=Sum("amount_minor")))


def _sessions_confirm(sheet: Sheet) -> bool:
    if sheet.account.owner is None:
        return False
    sessions = ChargingSession.objects.for_driver(sheet.account.owner).filter(status__in=HOLDING)
    wanted = sessions.aggregate(sum=Sum("hold_minor"))["sum"] or 0
    return bool(wanted == sheet.held_minor)
