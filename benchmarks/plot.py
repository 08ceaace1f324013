"""The findings as SVG, written as text: bars on a logarithmic scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .figures import Figure, Findings

WIDTH, LABELS, NUMBERS = 1080, 500, 70
ROW, BAR, TITLE = 22, 12, 34
INK, FAINT, GOOD, BAD, PLAIN = "#222", "#bbb", "#2a8f5b", "#c2562d", "#4a76a8"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: its value on the scale, what is written behind it, and a mark where one belongs."""

    label: str
    value: float
    text: str
    color: str = PLAIN
    mark: float | None = None


def draw(findings: Findings) -> str:
    """Two panels: figures with a target as multiples of it, and CPU time a message."""
    aimed = [_by_target(figure) for figure in findings.figures if figure.goal and figure.values]
    costs = [
        Bar(cost.name, cost.median, f"{cost.median:,.0f} µs")
        for cost in findings.costs
        if cost.values
    ]
    panels, top = [], 10
    for title, bars in (
        ("Measured, in multiples of the target (1); the mark is the stretch", aimed),
        ("CPU time a message, µs", costs),
    ):
        if bars:
            panels.append(_panel(title, bars, top))
            top += TITLE + ROW * len(bars) + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" '
        f'height="{top}" font-family="sans-serif" font-size="12" fill="{INK}">\n'
        f'<rect width="{WIDTH}" height="{top}" fill="white"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


def _by_target(figure: Figure) -> Bar:
    assert figure.goal is not None
    value = figure.median / figure.goal.target
    return Bar(
        f"{figure.name} ({figure.unit})",
        value,
        f"{value:.2g}",
        GOOD if value <= 1 else BAD,
        figure.goal.stretch / figure.goal.target,
    )


def _panel(title: str, bars: Sequence[Bar], top: float) -> str:
    values = [bar.value for bar in bars] + [bar.mark for bar in bars if bar.mark]
    low = math.floor(math.log10(max(min(values), 1e-3)) - 0.01)
    high = max(math.ceil(math.log10(max(values)) + 0.01), low + 1)
    room = WIDTH - LABELS - NUMBERS

    def x(value: float) -> float:
        return LABELS + room * (math.log10(max(value, 10**low)) - low) / (high - low)

    first, last = top + TITLE, top + TITLE + ROW * len(bars)
    lines = [f'<text x="10" y="{top + 14}" font-weight="bold">{escape(title)}</text>']
    for power in range(low, high + 1):
        at = x(10**power)
        color = INK if power == 0 else FAINT
        lines.append(
            f'<line x1="{at:.1f}" y1="{first - 4}" x2="{at:.1f}" y2="{last}" stroke="{color}"/>'
            f'<text x="{at:.1f}" y="{last + 14}" text-anchor="middle">{10.0**power:g}</text>'
        )
    for number, bar in enumerate(bars):
        lines.append(_row(bar, first + ROW * number, x(bar.value), x(bar.mark) if bar.mark else 0))
    return "\n".join(lines)


def _row(bar: Bar, top: float, end: float, mark: float) -> str:
    middle = top + ROW / 2
    text = (
        f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect x="{LABELS}" y="{middle - BAR / 2}" width="{max(end - LABELS, 1):.1f}" '
        f'height="{BAR}" fill="{bar.color}"/>'
        f'<text x="{end + 6:.1f}" y="{middle + 4}">{escape(bar.text)}</text>'
    )
    if mark:
        text += (
            f'<line x1="{mark:.1f}" y1="{middle - 9}" x2="{mark:.1f}" y2="{middle + 9}" '
            f'stroke="{INK}" stroke-width="2"/>'
        )
    return text
