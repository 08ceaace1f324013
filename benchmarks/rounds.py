"""Contestants in alternation: each round loads each of them once, every second round backwards."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .figures import Figure
from .fleet import Fleet, LoadFailed, Meter, Window
from .messages import Kind
from .options import Sizes

Say = Callable[[str], None]
DIARY_S = 1.5


@dataclass
class Contestant:
    """One server under load; `meter` reads its CPU time, and its database's after it.

    `count_rows` says how many rows its database has, where each message must leave one;
    `count_frames` how many frames are in its diary, which drops them when it cannot keep up.
    """

    name: str
    fleet: Fleet
    kind: Kind
    meter: Meter
    count_rows: Callable[[], int] | None = None
    count_frames: Callable[[], int] | None = None
    frames_kept: float | None = None
    windows: list[Window] = field(default_factory=list)

    def cost_us(self, index: int = 0) -> list[float]:
        """CPU time a message, a round each."""
        return [window.spent_us(index) for window in self.windows]

    def per(self, other: "Contestant", index: int = 0) -> list[float]:
        """The same as a multiple of another's, round by round."""
        pairs = zip(self.cost_us(index), other.cost_us(index), strict=True)
        return [mine / theirs for mine, theirs in pairs]

    def cost(self, what: str, index: int = 0) -> Figure:
        client = max(window.client_cpu_s / window.wall_s for window in self.windows)
        per_s = sorted(window.per_s for window in self.windows)[len(self.windows) // 2]
        how = f"{per_s:,.0f} messages a second; the load took at most {client:.0%} of a core"
        if self.frames_kept is not None:
            how += f"; {self.frames_kept:.0%} of the frames are in the diary"
        return Figure(f"{what}: {self.name}", "µs", self.cost_us(index), how)


async def alternate(contestants: Sequence[Contestant], sizes: Sizes, say: Say) -> None:
    """Measure all contestants in each round. Raises LoadFailed, also where a row is missing."""
    storing = [(each, count, count()) for each in contestants if (count := each.count_rows)]
    keeping = [
        (each, count, await _steady(count)) for each in contestants if (count := each.count_frames)
    ]
    await _alternate(contestants, sizes, say)
    for each, count, before in storing:
        stored, replies = count() - before, each.fleet.watch.replies
        if stored < replies:
            raise LoadFailed(f"{each.name} answered {replies} and stored {stored}")
    for each, count, before in keeping:
        written = await _steady(count) - before
        each.frames_kept = written / (2 * each.fleet.watch.replies)


async def _steady(count: Callable[[], int]) -> int:
    """A count that grows no more: what waits is written every half second."""
    last = -1
    while (now := count()) != last:
        last = now
        await asyncio.sleep(DIARY_S)
    return now


async def _alternate(contestants: Sequence[Contestant], sizes: Sizes, say: Say) -> None:
    for number in range(sizes.rounds):
        for contestant in contestants[:: 1 if number % 2 == 0 else -1]:
            window = await contestant.fleet.load(
                contestant.kind,
                warm_s=sizes.warm_s,
                measured_s=sizes.measured_s,
                meter=contestant.meter,
            )
            contestant.windows.append(window)
            spent = " + ".join(f"{window.spent_us(n):.0f}" for n in range(len(window.spent_s)))
            say(f"  round {number + 1}: {contestant.name:<40} {spent} µs, {window.per_s:,.0f}/s")
