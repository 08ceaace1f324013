"""A session beside its transfers and its history, read in batches: what the checks look at."""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from billing.models import Account, Receipt, Transfer

from ..models import ChargingSession, SessionEvent
from .batches import in_batches

MOVING = (Transfer.Kind.POSTED, Transfer.Kind.CAPTURED)
Kind, Code = Account.Kind, Transfer.Code


@dataclass(frozen=True, slots=True)
class Case:
    """One session with its transfers, moves (from, to) and receipts, in the order of each."""

    session: ChargingSession
    transfers: tuple[Transfer, ...]
    moves: tuple[tuple[str, str], ...]
    receipts: tuple[Receipt, ...]

    @property
    def subject(self) -> str:
        return f"session {self.session.pk}"

    @property
    def holds(self) -> list[Transfer]:
        return [row for row in self.transfers if row.kind == Transfer.Kind.PENDING]

    @property
    def unresolved(self) -> list[Transfer]:
        resolved = {row.resolves_id for row in self.transfers}
        return [row for row in self.holds if row.pk not in resolved]

    @property
    def paid_minor(self) -> int:
        """Captured, collected later, less refunds."""
        return self._net(Kind.CUSTOMER, Code.CHARGE, Code.CORRECTION)

    @property
    def loss_minor(self) -> int:
        return self._net(Kind.LOSS, Code.LOSS)

    @property
    def tax_minor(self) -> int:
        return -self._net(Kind.TAX, Code.TAX)

    def _net(self, account: Account.Kind, *codes: Transfer.Code) -> int:
        """What left accounts of this kind, less what came back."""
        rows = [row for row in self.transfers if row.kind in MOVING and row.code in codes]
        left = sum(row.amount_minor for row in rows if row.debit.kind == account)
        return left - sum(row.amount_minor for row in rows if row.credit.kind == account)


def load_cases() -> Iterator[Case]:
    sessions = ChargingSession.objects.select_related("tariff").order_by("pk")
    for batch in in_batches(sessions.iterator()):
        transfers, moves, receipts = _transfers_of(batch), _moves_of(batch), _receipts_of(batch)
        for session in batch:
            yield Case(
                session,
                tuple(transfers[session.reference]),
                tuple(moves[session.pk]),
                tuple(receipts[session.reference]),
            )


def _transfers_of(batch: list[ChargingSession]) -> defaultdict[str, list[Transfer]]:
    found: defaultdict[str, list[Transfer]] = defaultdict(list)
    rows = Transfer.objects.filter(reference__in=[session.reference for session in batch])
    for row in rows.select_related("debit", "credit").order_by("created_at", "id"):
        found[row.reference].append(row)
    return found


def _moves_of(batch: list[ChargingSession]) -> defaultdict[uuid.UUID, list[tuple[str, str]]]:
    found: defaultdict[uuid.UUID, list[tuple[str, str]]] = defaultdict(list)
    events = SessionEvent.objects.filter(session__in=batch, kind=SessionEvent.Kind.MOVED)
    columns = ("session_id", "from_status", "to_status")
    for session_id, before, after in events.order_by("id").values_list(*columns):
        found[session_id].append((before, after))
    return found


def _receipts_of(batch: list[ChargingSession]) -> defaultdict[str, list[Receipt]]:
    found: defaultdict[str, list[Receipt]] = defaultdict(list)
    rows = Receipt.objects.filter(reference__in=[session.reference for session in batch])
    for row in rows.order_by("number"):
        found[row.reference].append(row)
    return found
