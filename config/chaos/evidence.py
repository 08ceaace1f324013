"""What is known at the end of a run: the rows, and beside them what was seen from outside.

Plain values without a database, so that a check can be asked about a copy with a defect in it.
"""

import datetime as dt
import zoneinfo
from dataclasses import dataclass, field
from typing import Any

from billing.pricing import Terms

from .journal import Exchange, Line
from .town import Wish


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: str
    user_id: str
    station_id: str
    connector_id: int | None
    origin: str
    status: str
    error_code: str
    id_tag: str
    transaction_id: int | None
    meter_start_wh: int | None
    energy_wh: int
    cost_minor: int
    hold_minor: int
    bill: dict[str, Any] | None
    terms: Terms
    zone: zoneinfo.ZoneInfo
    flags: tuple[str, ...]
    has_stop: bool
    meter_start_at: dt.datetime | None
    requested_at: dt.datetime
    ended_at: dt.datetime | None

    @property
    def reference(self) -> str:
        return f"session:{self.id}"


@dataclass(frozen=True, slots=True)
class TransferRow:
    """`payer` and `payee` are the owners of the accounts; "" is the operator."""

    id: str
    key: str
    kind: str
    code: str
    debit: int
    credit: int
    payer: str
    payee: str
    amount_minor: int
    resolves: str
    reference: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    id: int
    owner: str
    kind: str
    balance_minor: int
    held_minor: int


@dataclass(frozen=True, slots=True)
class StationRow:
    station_id: str
    is_online: bool
    fence: int


@dataclass(frozen=True, slots=True)
class ReadingRow:
    session_id: str
    station_id: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class OrphanRow:
    station_id: str
    kind: str
    cause: str
    session_id: str


@dataclass(frozen=True, slots=True)
class CommandRow:
    id: str
    station_id: str
    action: str
    status: str


@dataclass(frozen=True, slots=True)
class EventRow:
    session_id: str
    at: dt.datetime
    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What the database says."""

    sessions: tuple[SessionRow, ...] = ()
    transfers: tuple[TransferRow, ...] = ()
    accounts: tuple[AccountRow, ...] = ()
    stations: tuple[StationRow, ...] = ()
    readings: tuple[ReadingRow, ...] = ()
    orphans: tuple[OrphanRow, ...] = ()
    commands: tuple[CommandRow, ...] = ()
    events: tuple[EventRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge as its station counted it. `is_told`: its stop was confirmed."""

    station_id: str
    connector_id: int
    transaction_id: int | None
    id_tag: str
    started_at: dt.datetime
    meter_start_wh: int
    meter_stop_wh: int | None
    is_told: bool


@dataclass(frozen=True, slots=True)
class Wallet:
    """What the API tells a driver of their money, beside what they paid in; minor units."""

    user_id: str
    paid_in_minor: int
    balance_minor: int
    held_minor: int


@dataclass(frozen=True, slots=True)
class Presence:
    """What one server says of a station; `command` is the end of a command given there."""

    station_id: str
    server: str
    is_online: bool
    command: str


@dataclass(frozen=True, slots=True)
class Witness:
    """What was seen from outside."""

    charges: tuple[Charge, ...] = ()
    wishes: tuple[Wish, ...] = ()
    wallets: tuple[Wallet, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    presences: tuple[Presence, ...] = ()
    admitted: dict[str, int] = field(default_factory=dict)
    dialled: dict[str, int] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    trespasses: tuple[str, ...] = ()
    reconcile: tuple[str, ...] = ()
    unrest: tuple[str, ...] = ()
    wrong_clocks: frozenset[str] = frozenset()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    rows: Rows
    seen: Witness
