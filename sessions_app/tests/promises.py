"""What P1 and P2 say, asked of the rows themselves."""

from django.db.models import Q, Sum

from billing.models import Account, Transfer
from sessions_app.models import ChargingSession
from sessions_app.models.session import HOLDING


def check_books() -> None:
    """Balances and holds derive from transfers, and nobody owes us anything."""
    for account in Account.objects.all():
        moved = Transfer.objects.filter(kind__in=("posted", "captured"))
        came = _sum(moved.filter(credit=account))
        went = _sum(moved.filter(debit=account))
        held = _sum(Transfer.objects.pending().filter(debit=account))
        assert account.balance_minor == came - went
        assert account.held_minor == held
        if account.kind == Account.Kind.CUSTOMER:
            assert account.balance_minor >= account.held_minor >= 0


def check_sessions() -> None:
    """Each session holds what its state says, and none took more than it held."""
    for session in ChargingSession.objects.all():
        pending = list(Transfer.objects.pending().filter(reference=session.reference))
        should_hold = session.status in HOLDING and session.hold_minor > 0
        assert [row.amount_minor for row in pending] == [session.hold_minor] * should_hold
        assert session.cost_minor <= session.hold_minor
        if session.status not in HOLDING:
            assert _paid(session) == session.cost_minor


def _paid(session: ChargingSession) -> int:
    moved = Transfer.objects.filter(
        Q(kind="posted") | Q(kind="captured"), reference=session.reference
    )
    return _sum(moved.filter(debit__kind="customer")) - _sum(moved.filter(credit__kind="customer"))


def _sum(transfers) -> int:
    return transfers.aggregate(sum=Sum("amount_minor"))["sum"] or 0
