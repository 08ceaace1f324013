"""The register of a day's terminal payments, and its comparison with the network's own.

A register is CSV with the columns of COLUMNS; of the network's only `txn_id` and `sum` must be
there. Refused payments are in neither.
"""

import csv
import datetime as dt
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TextIO

from django.conf import settings
from django.db.models import QuerySet

from ..models import TerminalPayment
from ..money import Minor, to_minor, to_text
from .osmp import Result

COLUMNS = ("txn_id", "date", "account", "sum", "prv_txn")


@dataclass(frozen=True, slots=True)
class Entry:
    """One payment in a register; an empty `account` or `prv_txn` is not compared."""

    txn_id: str
    amount: Minor
    account: str = ""
    prv_txn: str = ""


def taken_on(day: dt.date, terminal: str) -> QuerySet[TerminalPayment]:
    """What a terminal network paid in on a local day, by its own clock."""
    zone = zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE)
    start = dt.datetime.combine(day, dt.time(), zone)
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
    rows = TerminalPayment.objects.filter(terminal=terminal, result=Result.OK)
    return rows.filter(txn_at__gte=start, txn_at__lt=end).order_by("txn_at", "pk")


def write(rows: Iterable[TerminalPayment], file: TextIO) -> None:
    zone = zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        date = row.txn_at.astimezone(zone).strftime("%Y%m%d%H%M%S")
        writer.writerow([row.txn_id, date, row.account, to_text(row.amount_minor), row.pk])


def read(file: TextIO) -> list[Entry]:
    """Read a register. Raises ValueError, with the line, where it cannot be read."""
    rows = csv.DictReader(file)
    if not {"txn_id", "sum"} <= set(rows.fieldnames or ()):
        raise ValueError("a register begins with a line that names txn_id and sum")
    entries = []
    for row in rows:
        try:
            amount = to_minor(Decimal(row["sum"]))
        except (ValueError, InvalidOperation, TypeError):
            raise ValueError(f"line {rows.line_num}: {row['sum']!r} is no amount") from None
        entries.append(
            Entry(row["txn_id"], amount, row.get("account") or "", row.get("prv_txn") or "")
        )
    return entries


def differences(ours: Iterable[TerminalPayment], theirs: Iterable[Entry]) -> Iterator[str]:
    """Say what the two do not agree on, one line each."""
    missing = {row.txn_id: row for row in ours}
    seen: set[str] = set()
    for entry in theirs:
        if entry.txn_id in seen:
            yield f"{entry.txn_id}: twice in their register"
            continue
        seen.add(entry.txn_id)
        row = missing.pop(entry.txn_id, None)
        if row is None:
            yield f"{entry.txn_id}: {to_text(entry.amount)} only in their register"
        else:
            yield from _compare(row, entry)
    for row in missing.values():
        yield f"{row.txn_id}: {to_text(row.amount_minor)} only in ours"


def _compare(row: TerminalPayment, entry: Entry) -> Iterator[str]:
    pairs = (
        ("sum", to_text(row.amount_minor), to_text(entry.amount)),
        ("account", row.account, entry.account),
        ("prv_txn", str(row.pk), entry.prv_txn),
    )
    for name, mine, their in pairs:
        if their and mine != their:
            yield f"{row.txn_id}: {name} is {mine} in ours and {their} in theirs"
