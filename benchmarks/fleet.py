"""Stations of one server together: connected, booted, and loading it for a stated time."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .messages import Kind
from .station import Lost, Station, Watch

KEY = "a-key-of-the-benchmarks"
AT_ONCE = 10
"""How many stations connect or boot at a time where that is not what is measured."""
SETTLED_S = 1.5
WITHIN_S = 300.0

Meter = Callable[[], tuple[float, ...]]


class LoadFailed(Exception):
    """Something that must not happen in a load happened; its text says what."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen between two moments of a load that had begun before and went on after."""

    replies: int
    wall_s: float
    client_cpu_s: float
    spent_s: tuple[float, ...]
    """CPU time, one for each thing that the meter reads."""

    def spent_us(self, index: int = 0) -> float:
        """CPU time a reply in microseconds."""
        return self.spent_s[index] * 1e6 / self.replies

    @property
    def per_s(self) -> float:
        return self.replies / self.wall_s


class Fleet:
    """Stations `PREFIX-1` and on. Any fault of one fails what is under way."""

    def __init__(self, count: int, *, port: int, is_echoed: bool = False, first: int = 1) -> None:
        self.watch = Watch()
        self.port = port
        self.stations = [
            Station(station_id(number), self.watch, is_echoed=is_echoed)
            for number in range(first, first + count)
        ]

    async def connect(self) -> None:
        """Open all sockets of a server that knows no boot."""
        await _some_at_once(station.connect(self.port, key=KEY) for station in self.stations)

    async def boot(self) -> None:
        """Connect and boot all, and wait until the server has asked what it wants to know of them.

        A station that a busy machine turns away comes again.
        """
        await _some_at_once(self._boot(station) for station in self.stations)
        await self.settle()

    async def _boot(self, station: Station) -> None:
        await station.arrive(self.port, key=KEY)
        await station.be_free()

    async def settle(self) -> None:
        """Wait until no station is called any more."""
        self.watch.called_at = time.monotonic()
        await self.wait(lambda: time.monotonic() - self.watch.called_at > SETTLED_S, "quiet")

    async def load(self, kind: Kind, *, warm_s: float, measured_s: float, meter: Meter) -> Window:
        """Let every station have one call outstanding, and measure after `warm_s`.

        It measures until there is a reply at least. Raises LoadFailed.
        """
        for station in self.stations:
            station.load = kind
            station.say()
        await asyncio.sleep(warm_s)
        before, replies = meter(), self.watch.replies
        began, own = time.monotonic(), time.process_time()
        await asyncio.sleep(measured_s)
        await self.wait(lambda: self.watch.replies > replies, "answered at all")
        after, now = meter(), time.monotonic()
        window = Window(
            self.watch.replies - replies,
            now - began,
            time.process_time() - own,
            tuple(end - start for start, end in zip(before, after, strict=True)),
        )
        await self._stop_load()
        return window

    async def _stop_load(self) -> None:
        for station in self.stations:
            station.load = None
        await self.wait(lambda: not any(s.is_waiting for s in self.stations), "all answered")
        self.check()

    def check(self) -> None:
        """Raise LoadFailed when there was a fault."""
        if self.watch.faults:
            first = "\n".join(self.watch.faults[:5])
            raise LoadFailed(f"{len(self.watch.faults)} faults, among them\n{first}")

    async def wait(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not is_so():
            self.check()
            if time.monotonic() > deadline:
                raise LoadFailed(f"not {what} within {WITHIN_S:.0f} s")
            await asyncio.sleep(0.05)

    def close(self) -> None:
        for station in self.stations:
            station.close()


def station_id(number: int) -> str:
    return f"BENCH-{number}"


async def _some_at_once(tasks: Iterable[asyncio.Future[None] | object]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(task: object) -> None:
        async with gate:
            await task  # type: ignore[misc]

    try:
        await asyncio.gather(*(one(task) for task in tasks))
    except Lost as error:
        raise LoadFailed(str(error)) from error
