"""Money: P1 (within the hold), P2 (books balance), P3 (once), P10 (only one's own)."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from ..evidence import AccountRow, Evidence, SessionRow, TransferRow
from ..finding import Finding

MOVING = ("posted", "captured")
CUSTOMER = "customer"
OPEN_HOLDS = ("requested", "starting", "charging", "stopping", "review")


def check_taken(evidence: Evidence) -> Iterator[Finding]:
    """P1: what a session took from its driver is no more than was on hold for it in the end.

    A hold that another took the place of, by a raised limit or in review, counts no more.
    """
    transfers = by_reference(evidence)
    for session in evidence.rows.sessions:
        rows = transfers[session.reference]
        held = next((row.amount_minor for row in reversed(rows) if row.kind == "pending"), 0)
        taken = max(paid(rows), session.cost_minor if session.user_id else 0)
        if taken > min(held, session.hold_minor):
            yield Finding(
                "P1",
                "taken_past_hold",
                f"{taken} was taken, {held} was held and the session states {session.hold_minor}",
                session_id=session.id,
            )
        for row in rows:
            hold = next((hold for hold in rows if hold.id == row.resolves), None)
            if row.kind == "captured" and (hold is None or row.amount_minor > hold.amount_minor):
                yield Finding(
                    "P1",
                    "capture_above_hold",
                    f"{row.amount_minor} was captured of a hold of "
                    f"{hold.amount_minor if hold else 'nothing'}",
                    session_id=session.id,
                )


def check_holds(evidence: Evidence) -> Iterator[Finding]:
    """P2: a session that may hold money has one unresolved hold of its amount, others none."""
    transfers = by_reference(evidence)
    known = {session.reference for session in evidence.rows.sessions}
    for session in evidence.rows.sessions:
        left = [row.amount_minor for row in unresolved(transfers[session.reference])]
        is_due = session.status in OPEN_HOLDS and session.hold_minor > 0
        if left != ([session.hold_minor] if is_due else []):
            yield Finding(
                "P2",
                "holds_wrong",
                f"in {session.status} with {session.hold_minor} to hold, unresolved are {left}",
                session_id=session.id,
            )
    for reference in transfers.keys() - known:
        if reference.startswith("session:"):
            yield Finding("P2", "session_missing", f"money moved for {reference}, which is no row")


def check_accounts(evidence: Evidence) -> Iterator[Finding]:
    """P2: balances and holds follow from the transfers, add up to zero, and nobody owes."""
    transfers = evidence.rows.transfers
    left = unresolved(transfers)
    for account in evidence.rows.accounts:
        balance = sum(_change(row, account) for row in transfers if row.kind in MOVING)
        held = sum(row.amount_minor for row in left if row.debit == account.id)
        if (balance, held) != (account.balance_minor, account.held_minor):
            yield Finding(
                "P2",
                "balance_wrong",
                f"account {account.id} ({account.kind} {account.owner}) has balance "
                f"{account.balance_minor} and {account.held_minor} on hold; by its transfers "
                f"{balance} and {held}",
            )
        if account.kind == CUSTOMER and account.balance_minor < account.held_minor:
            yield Finding("P2", "overdrawn", f"account {account.id} is below what it holds")
    total = sum(account.balance_minor for account in evidence.rows.accounts)
    if total:
        yield Finding("P2", "unbalanced", f"all balances add up to {total}")


def check_once(evidence: Evidence) -> Iterator[Finding]:
    """P3: no transfer twice: by key, by the hold that it resolves, by a session's capture."""
    rows = evidence.rows.transfers
    for name, values in (
        ("key", [row.key for row in rows]),
        ("resolution of hold", [row.resolves for row in rows if row.resolves]),
        ("capture for", [row.reference for row in rows if row.kind == "captured"]),
    ):
        for value, count in Counter(values).items():
            if count > 1:
                yield Finding("P3", "transfer_repeated", f"{count} transfers with {name} {value}")


def check_payers(evidence: Evidence) -> Iterator[Finding]:
    """P10: only a session's own driver pays for it, or is paid back."""
    drivers = {session.reference: session.user_id for session in evidence.rows.sessions}
    for row in evidence.rows.transfers:
        if row.reference not in drivers:
            continue
        strangers = {row.payer, row.payee} - {"", drivers[row.reference]}
        if strangers:
            yield Finding(
                "P10",
                "paid_by_another",
                f"a transfer ({row.kind} {row.code}) concerns {', '.join(sorted(strangers))}",
                session_id=row.reference.removeprefix("session:"),
            )


def check_wallets(evidence: Evidence) -> Iterator[Finding]:
    """P2, P10: a driver's balance is what they paid in, less what their own charges cost."""
    for wallet in evidence.seen.wallets:
        own = [row for row in evidence.rows.sessions if row.user_id == wallet.user_id]
        spent = sum(row.cost_minor for row in own if row.status in ("completed", "error"))
        held = sum(row.hold_minor for row in own if row.status in OPEN_HOLDS)
        if (wallet.balance_minor, wallet.held_minor) != (wallet.paid_in_minor - spent, held):
            yield Finding(
                "P10",
                "wallet_wrong",
                f"driver {wallet.user_id} is told {wallet.balance_minor} and {wallet.held_minor} "
                f"on hold, paid in {wallet.paid_in_minor}, spent {spent} and should hold {held}",
            )


def by_reference(evidence: Evidence) -> defaultdict[str, list[TransferRow]]:
    found: defaultdict[str, list[TransferRow]] = defaultdict(list)
    for row in evidence.rows.transfers:
        found[row.reference].append(row)
    return found


def paid(rows: list[TransferRow]) -> int:
    """What left the driver for a session, less what came back."""
    moved = [row for row in rows if row.kind in MOVING and row.code in ("charge", "correction")]
    return sum(row.amount_minor for row in moved if row.payer) - sum(
        row.amount_minor for row in moved if row.payee
    )


def loss(session: SessionRow, rows: list[TransferRow], loss_account: int) -> int:
    """What the operator bears of a session."""
    moved = [row for row in rows if row.kind in MOVING and row.code == "loss"]
    return sum(
        row.amount_minor if row.debit == loss_account else -row.amount_minor for row in moved
    )


def unresolved(rows: tuple[TransferRow, ...] | list[TransferRow]) -> list[TransferRow]:
    resolved = {row.resolves for row in rows}
    return [row for row in rows if row.kind == "pending" and row.id not in resolved]


def _change(row: TransferRow, account: AccountRow) -> int:
    came = row.amount_minor if row.credit == account.id else 0
    return came - (row.amount_minor if row.debit == account.id else 0)
