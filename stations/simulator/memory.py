"""What a station still knows after a power failure: registers, transactions, unsent messages.

And what it was told to keep: its key, the local list, the cache of tags, certificates, firmware.
"""

import json
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path

from .wire import Payload

AS_THEY_ARE = (
    "list_version",
    "local_list",
    "cached_tags",
    "firmware_version",
    "private_key",
    "certificate_chain",
)


@dataclass(slots=True)
class Transaction:
    """A charge as the station counts it; `transaction_id` is None until the server gave one.

    `verdict` is what the server thinks of its tag. `seen_at` is when it was last metered.
    `origin_wh` is what the meter had counted in its life when the charge began.
    """

    number: int
    connector_id: int
    id_tag: str
    started_at: str
    seen_at: str
    meter_start_wh: int
    meter_stop_wh: int | None = None
    transaction_id: int | None = None
    verdict: str = ""
    origin_wh: int = 0


@dataclass(slots=True)
class Message:
    """A message that waits for its turn.

    One about a transaction (`number`) is kept until it is confirmed, and gets the transaction's id
    when it is sent. Number 0 is an announcement, which lives as long as its connection.
    """

    action: str
    payload: Payload
    number: int = 0


@dataclass(slots=True)
class Memory:
    """Kept in `file` when there is one, so that a register goes on where it stood."""

    file: Path | None = None
    key: str = ""
    registers_wh: dict[int, Decimal] = field(default_factory=dict)
    transactions: dict[int, Transaction] = field(default_factory=dict)
    queue: list[Message] = field(default_factory=list)
    last_number: int = 0
    inoperative: set[int] = field(default_factory=set)
    list_version: int = 0
    local_list: dict[str, Payload] = field(default_factory=dict)
    cached_tags: dict[str, Payload] = field(default_factory=dict)
    firmware_version: str = "1.0"
    private_key: str = ""
    certificate_chain: str = ""
    roots: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path) -> "Memory":
        """Read what was saved; a file that does not exist is a new station."""
        if not file.exists():
            return cls(file)
        saved = json.loads(file.read_text())
        transactions = [Transaction(**row) for row in saved["transactions"]]
        return cls(
            file,
            key=saved["key"],
            registers_wh={int(n): Decimal(wh) for n, wh in saved["registers_wh"].items()},
            transactions={transaction.number: transaction for transaction in transactions},
            queue=[Message(**row) for row in saved["queue"]],
            last_number=saved["last_number"],
            inoperative=set(saved["inoperative"]),
            roots=[(use, pem) for use, pem in saved["roots"]],
            **{name: saved[name] for name in AS_THEY_ARE},
        )

    def save(self) -> None:
        """Write it all, so that whoever dies in between leaves the old file or the new one."""
        if self.file is None:
            return
        state = {
            "key": self.key,
            "registers_wh": {n: str(wh) for n, wh in self.registers_wh.items()},
            "transactions": [asdict(transaction) for transaction in self.transactions.values()],
            "queue": [asdict(message) for message in self.queue if message.number],
            "last_number": self.last_number,
            "inoperative": sorted(self.inoperative),
            "roots": self.roots,
            **{name: getattr(self, name) for name in AS_THEY_ARE},
        }
        draft = self.file.with_name(self.file.name + ".new")
        draft.write_text(json.dumps(state))
        draft.replace(self.file)

    def forget_announcements(self) -> None:
        self.queue[:] = [message for message in self.queue if message.number]

    def register_wh(self, connector_id: int) -> Decimal:
        return self.registers_wh.get(connector_id, Decimal(0))

    def running(self, connector_id: int) -> Transaction | None:
        """Return the transaction that has not ended on this connector."""
        for transaction in self.transactions.values():
            if transaction.connector_id == connector_id and transaction.meter_stop_wh is None:
                return transaction
        return None
