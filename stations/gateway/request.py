"""One call of a station on its way through the gateway, and what answers it."""

import datetime as dt
import uuid
from typing import Protocol

from ocpp.exceptions import OCPPError

from ..frame_rows import Noted
from ..models import Station
from .agenda import Agenda
from .followed import Followed
from .wire import Call
from .writer import Writer


class Request:
    """A call, its frame, and what is wrong with it (None: nothing)."""

    __slots__ = ("breach", "call", "frame")

    def __init__(self, call: Call, frame: Noted) -> None:
        self.call = call
        self.frame = frame
        self.breach: OCPPError | None = None

    @property
    def frame_id(self) -> uuid.UUID:
        return self.frame.id

    @property
    def received_at(self) -> dt.datetime:
        return self.frame.at


class Link(Protocol):
    """What a version's charge point must know of its socket."""

    station_pk: int
    station_id: str
    is_lenient: bool
    writer: Writer
    arrivals: Writer
    """The writer for what comes in masses when stations come back: readings do not wait for it."""
    agenda: Agenda

    async def send(self, text: str, *, action: str = "") -> None: ...

    def note_breach(self) -> None:
        """Count a call that breaks its schema."""


class ChargePoint(Protocol):
    """One OCPP version, spoken over one socket."""

    followed: Followed
    registration: Station.Registration | None
    """What the last Boot over this socket was answered; None before there was one."""
    has_queued: bool
    """False where no call waited for the station when that Boot was stored."""

    def answer_at_once(self, request: Request, *, is_next: bool) -> str | None:
        """Return the answer where it needs no database, else None.

        `is_next`: no call before it is still being handled.
        """

    async def handle(self, request: Request) -> None:
        """Do what a call says, in the order in which calls came, and send its answer.

        Raises DatabaseAway; then no answer was sent.
        """
