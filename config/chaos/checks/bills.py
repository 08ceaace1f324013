"""Price: P9 (the bill is the tariff's price of its periods) and P1 (what is past it is loss)."""

import datetime as dt
from collections.abc import Iterator

from billing.energy import Wh
from billing.pricing import Bill, Period, price

from ..evidence import Evidence, SessionRow
from ..finding import Finding
from .books import by_reference, loss, paid

DONE = ("completed", "error")


def check_price(evidence: Evidence) -> Iterator[Finding]:
    """P9: the price of the stored periods is the stored total, and they hold all the energy."""
    for session in evidence.rows.sessions:
        if session.bill is None:
            if session.status == "completed" and session.transaction_id is not None:
                yield _of(session, "bill_missing", "a completed session has no bill")
            continue
        total = _priced(session, session.bill).total
        energy_wh = sum(period["energy_wh"] for period in session.bill["periods"])
        stated = _stated(session.bill)
        if total != stated:
            yield _of(session, "bill_wrong", f"the bill says {stated}, its periods cost {total}")
        if energy_wh != session.energy_wh:
            text = f"the periods hold {energy_wh} Wh of {session.energy_wh} Wh"
            yield _of(session, "bill_energy_wrong", text)


def check_loss(evidence: Evidence) -> Iterator[Finding]:
    """P1: cost is what was paid, at most price and hold; what is missing is the operator's loss.

    Less than both is only for a correction that its driver could not pay; without a bill, nothing.
    """
    loss_account = next((row.id for row in evidence.rows.accounts if row.kind == "loss"), 0)
    transfers = by_reference(evidence)
    for session in evidence.rows.sessions:
        if session.status not in DONE:
            continue
        rows, cost = transfers[session.reference], session.cost_minor
        total = _priced(session, session.bill).total if session.bill else 0
        due = min(total, session.hold_minor) if session.user_id else 0
        is_corrected = any(row.code == "correction" for row in rows) or "corrected" in {
            event.text.split()[0]
            for event in evidence.rows.events
            if event.session_id == session.id
        }
        if paid(rows) != cost or cost > due or (cost < due and not is_corrected):
            text = f"paid {paid(rows)}, cost {cost}, of {due} due (price {total})"
            yield _of(session, "cost_wrong", text)
        borne = loss(session, rows, loss_account)
        if borne != total - cost:
            yield _of(session, "loss_wrong", f"loss {borne}, price {total} less cost {cost}")


def _priced(session: SessionRow, bill: dict[str, object]) -> Bill:
    rows = bill["periods"]
    assert isinstance(rows, list)
    periods = [
        Period(
            start=dt.datetime.fromisoformat(row["start"]),
            end=dt.datetime.fromisoformat(row["end"]),
            energy_wh=Wh(row["energy_wh"]),
            power_w=row["power_w"],
            state=row["state"],
        )
        for row in rows
    ]
    return price(session.terms, periods, session.zone)


def _stated(bill: dict[str, object]) -> int:
    return int(str(bill["total"]).replace(".", ""))


def _of(session: SessionRow, code: str, text: str) -> Finding:
    return Finding("P9", code, text, session_id=session.id, station_id=session.station_id)
