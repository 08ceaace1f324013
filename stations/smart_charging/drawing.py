"""The geometry of a step chart of limits over time; a template makes an SVG of it. No Django."""

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .composition import Limit

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 32
TICKS = 5
STEPS_S = (60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800)
"""How far apart the marks of the time axis may be."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: where it is, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A frame, its axes, and one SVG path for each series; a gap is where nothing limits."""

    paths: tuple[str, ...]
    times: tuple[Tick, ...]
    values: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def draw(series: Sequence[Sequence[Limit]], *, start_at: dt.datetime, duration_s: int) -> Chart:
    """Draw series of limits over the same time; `start_at` is in the zone that is to be shown."""
    told = [limit.limit for line in series for limit in line if limit.limit]
    most = max(told, default=Decimal(1))
    top = _round_up(most)
    length_s = max(duration_s, 1)

    def x(second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(second, length_s) / length_s

    def y(value: Decimal) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * float(value / top)

    return Chart(
        paths=tuple(_path(line, length_s, x, y) for line in series),
        times=tuple(Tick(x(second), text) for second, text in _times(start_at, length_s)),
        values=tuple(
            Tick(y(value), f"{value.normalize():f}")
            for value in (top * step / TICKS for step in range(TICKS + 1))
        ),
    )


def _path(
    line: Sequence[Limit],
    length_s: int,
    x: Callable[[float], float],
    y: Callable[[Decimal], float],
) -> str:
    parts: list[str] = []
    is_drawn = False
    bounds = [*(limit.start_s for limit in line), length_s]
    for limit, end in zip(line, bounds[1:], strict=True):
        if limit.limit is None:
            is_drawn = False
            continue
        height = f"{y(limit.limit):.1f}"
        parts.append(f"V{height}" if is_drawn else f"M{x(limit.start_s):.1f} {height}")
        parts.append(f"H{x(end):.1f}")
        is_drawn = True
    return "".join(parts)


def _times(start_at: dt.datetime, length_s: int) -> list[tuple[int, str]]:
    """Marks at round hours of the shown zone, at most a dozen."""
    step = next((step for step in STEPS_S if length_s / step <= 12), length_s // 12)
    midnight = start_at.replace(hour=0, minute=0, second=0, microsecond=0)
    gone = int((start_at - midnight).total_seconds())
    first = -gone % step
    form = "%H:%M" if step < STEPS_S[-2] else "%d %b"
    return [
        (second, f"{start_at + dt.timedelta(seconds=second):{form}}")
        for second in range(first, length_s + 1, step)
    ]


def _round_up(value: Decimal) -> Decimal:
    """The next of 1, 2, 2.5 or 5 times a power of ten: the top of the axis."""
    power = Decimal(10) ** math.floor(value.log10())
    return next(power * step for step in (1, 2, Decimal("2.5"), 5, 10) if power * step >= value)
