"""The errors of a study as SVG, written as text: one panel a policy, one point a session."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from .case import Outcome

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, GAP = 1080, 400, 78, 46, 46, 30
INK, FAINT, GOOD, BAD, BAND = "#222", "#ddd", "#2a8f5b", "#c2562d", "#e9f3ec"
INTERVAL_TICKS_S = (5, 10, 30, 60, 120, 300)
SPREAD = 0.09
"""Points of one interval are spread so far, in decades, so that they can be told apart."""


@dataclass(frozen=True, slots=True)
class Series:
    """One policy and the errors that it left, by the interval of the station."""

    title: str
    outcomes: Sequence[Outcome]
    error: Callable[[Outcome], float]


@dataclass(frozen=True, slots=True)
class Scale:
    """A symmetric scale: straight up to `least` on both sides, logarithmic beyond."""

    least: float
    most: float

    def place(self, value: float) -> float:
        """Where a value is between -1 and 1."""
        size = min(abs(value), self.most)
        share = size / self.least if size < self.least else 1 + math.log10(size / self.least)
        return math.copysign(share / (1 + math.log10(self.most / self.least)), value)

    def ticks(self) -> list[float]:
        steps = int(math.log10(self.most / self.least)) + 1
        sides = [self.least * 10**step for step in range(steps)]
        return [*(-side for side in reversed(sides)), 0.0, *sides]


def draw(title: str, unit: str, series: Sequence[Series], *, least: float) -> str:
    """Panels beside each other on one scale; `least` is up to where it is straight."""
    errors = [abs(one.error(outcome)) for one in series for outcome in one.outcomes]
    most = 10 ** math.ceil(math.log10(max(*errors, least * 10)))
    scale = Scale(least, most)
    width = (WIDTH - LEFT - GAP * len(series)) / len(series)
    panels = [
        _panel(one, scale, LEFT + number * (width + GAP), width, has_numbers=number == 0)
        for number, one in enumerate(series)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="sans-serif" font-size="12" fill="{INK}">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
        f'<text x="10" y="18" font-weight="bold">{escape(title)}</text>\n'
        f'<text x="10" y="36">{escape(unit)}</text>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _panel(series: Series, scale: Scale, left: float, width: float, *, has_numbers: bool) -> str:
    middle, reach = (TOP + HEIGHT - BOTTOM) / 2, (HEIGHT - BOTTOM - TOP) / 2

    def y(value: float) -> float:
        return middle - reach * scale.place(value)

    def x(interval_s: float) -> float:
        low, high = math.log10(3.6), math.log10(420)
        return left + width * (math.log10(interval_s) - low) / (high - low)

    lines = [
        f'<rect x="{left:.1f}" y="{y(scale.least):.1f}" width="{width:.1f}" '
        f'height="{y(-scale.least) - y(scale.least):.1f}" fill="{BAND}"/>',
        f'<text x="{left + width / 2:.1f}" y="36" text-anchor="middle" font-weight="bold">'
        f"{escape(series.title)}</text>",
    ]
    lines += [_level(value, y(value), left, width, has_numbers) for value in scale.ticks()]
    lines += [
        f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick}</text>'
        for tick in INTERVAL_TICKS_S
    ]
    lines.append(
        f'<text x="{left + width / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle">'
        "seconds between samples</text>"
    )
    lines += [_point(one, series, x, y) for one in series.outcomes]
    return "\n".join(lines)


def _level(value: float, at: float, left: float, width: float, has_number: bool) -> str:
    color = INK if value == 0 else FAINT
    line = (
        f'<line x1="{left:.1f}" y1="{at:.1f}" x2="{left + width:.1f}" y2="{at:.1f}" '
        f'stroke="{color}"/>'
    )
    if not has_number:
        return line
    text = f"{value:+,.0f}" if value else "0"
    return line + f'<text x="{left - 8:.1f}" y="{at + 4:.1f}" text-anchor="end">{text}</text>'


def _point(
    outcome: Outcome, series: Series, x: Callable[[float], float], y: Callable[[float], float]
) -> str:
    value = series.error(outcome)
    stray = (outcome.case.number * 0.618 % 1 - 0.5) * 2 * SPREAD
    at = x(outcome.case.make.interval_s * 10**stray)
    color = BAD if value > 0 else GOOD
    return f'<circle cx="{at:.1f}" cy="{y(value):.1f}" r="2.4" fill="{color}" fill-opacity="0.55"/>'
