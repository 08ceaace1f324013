"""Run every check, and the fixes of what was found."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator

from .accounts import check_accounts
from .bills import check_bill, check_paid
from .cases import Case, load_cases
from .days import check_days
from .finding import Finding
from .holds import check_hold, check_hold_amount, check_references, check_within_hold
from .payments import check_payments
from .receipts import check_receipt_numbers, check_receipts, check_sold
from .states import (
    check_due_commands,
    check_due_sessions,
    check_history,
    check_numbers,
)
from .topups import check_credited, check_paid_for, check_pending

CASE_CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    check_hold,
    check_hold_amount,
    check_within_hold,
    check_paid,
    check_bill,
    check_history,
    check_receipts,
)


def examine(now: dt.datetime) -> list[Finding]:
    """Return what breaks a promise at `now`. Reads only; call it inside a `snapshot`."""
    return list(_find(now))


def repair(findings: Iterable[Finding]) -> list[Finding]:
    """Fix what can be fixed safely, one transaction a finding; return what was tried.

    Call it outside of the snapshot; what remains is known by examining again.
    """
    tried = []
    for finding in findings:
        if finding.fix:
            finding.fix()
            tried.append(finding)
    return tried


def _find(now: dt.datetime) -> Iterator[Finding]:
    yield from check_accounts()
    yield from check_days()
    yield from check_references()
    yield from check_numbers()
    yield from check_credited()
    yield from check_paid_for()
    yield from check_receipt_numbers()
    yield from check_sold()
    yield from check_payments(now)
    for case in load_cases():
        for check in CASE_CHECKS:
            yield from check(case)
    yield from check_due_sessions(now)
    yield from check_due_commands(now)
    yield from check_pending(now)
