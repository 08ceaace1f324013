"""What was seen between stations and servers: every call of a station, and what became of it."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from .wire import message_of

CALL, RESULT, ERROR = 2, 3, 4


@dataclass(slots=True)
class Exchange:
    """One call of a station on one connection, and its answer, as it left the server.

    `is_lost` says that the answer was seen by the proxy and kept from the station.
    """

    station_id: str
    connection: int
    message_id: str
    action: str
    payload: dict[str, Any]
    asked_at: dt.datetime
    answered_at: dt.datetime | None = None
    answer: dict[str, Any] | None = None
    error: str = ""
    is_lost: bool = False

    @property
    def is_confirmed(self) -> bool:
        return self.answer is not None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened, at its time, for the account of a finding."""

    at: dt.datetime
    station_id: str
    text: str


@dataclass(slots=True)
class Journal:
    """Kept in memory for one run. `admitted` counts the handshakes that were answered by 101."""

    exchanges: list[Exchange] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    dialled: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    admitted: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _open: dict[tuple[int, str], Exchange] = field(default_factory=dict)

    def note(self, text: str, station_id: str = "") -> None:
        self.lines.append(Line(now(), station_id, text))

    def sent(self, station_id: str, connection: int, text: str) -> None:
        """Take note of a frame of a station."""
        message = message_of(text)
        self.lines.append(Line(now(), station_id, f"#{connection} → {text}"))
        if message is None or message[0] != CALL or len(message) < 4:
            return
        exchange = Exchange(station_id, connection, message[1], message[2], message[3], now())
        self.exchanges.append(exchange)
        self._open[connection, exchange.message_id] = exchange

    def answered(self, station_id: str, connection: int, text: str) -> Exchange | None:
        """Take note of a frame of a server; return the exchange that it ends, if any."""
        message = message_of(text)
        self.lines.append(Line(now(), station_id, f"#{connection} ← {text}"))
        if message is None or message[0] == CALL:
            return None
        exchange = self._open.pop((connection, message[1]), None)
        if exchange is not None:
            exchange.answered_at = now()
            if message[0] == RESULT:
                exchange.answer = message[2]
            else:
                exchange.error = str(message[2])
        return exchange


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
