"""What a study found, in Markdown: for the terminal, and for docs/limits.md between two marks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from billing.money import to_text

from . import plot
from .case import Outcome
from .figures import (
    HARD,
    INTERVALS,
    LEAST_FULL_S,
    POWERS,
    Band,
    Figures,
    is_aimed,
    is_fine,
    part,
)
from .limits import Findings

PAGE = "limits.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
EMPTY = f"# Limits\n\n{BEGIN}\n{END}\n"
HEAD = (
    "which sessions",
    "sessions",
    "median",
    "99 %",
    "within",
    "worst over",
    "worst under",
    "worst over, KGS",
    "worst under, KGS",
)


def summary(findings: Findings) -> str:
    """Everything that was found."""
    parts = [
        f"{len(findings.predictive)} sessions, seed {findings.seed}.",
        _verdicts(findings),
        "**Predictive stop**",
        _table(findings.predictive),
        "**Reactive stop**",
        _table(findings.reactive),
        "**Predictive stop, Smart Charging, network cut at a random moment**",
        _rows([("limits of at least 5 min, samples up to 60 s", _aimed(findings.cuts))]),
    ]
    return "\n\n".join(parts)


def write(findings: Findings, directory: Path) -> list[Path]:
    """Write the page and its plots. What the page says around its two marks stays."""
    page = directory / PAGE
    text = page.read_text() if page.exists() else EMPTY
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    drawn = {directory / name: (title, svg) for name, title, svg in _plots(findings)}
    shown = "\n\n".join(f"![{title}]({path.name})" for path, (title, _) in drawn.items())
    page.write_text(f"{before}{BEGIN}\n\n{summary(findings)}\n\n{shown}\n\n{END}{after}")
    for path, (_, svg) in drawn.items():
        path.write_text(svg)
    return [page, *drawn]


def _plots(findings: Findings) -> Iterator[tuple[str, str, str]]:
    stops = (
        ("reactive: after the sample that crossed the limit", _ended(findings.reactive)),
        ("predictive", _ended(findings.predictive)),
    )
    title = "Error at the limit, each point a session; red is more than was bought"
    yield (
        "limits-energy.svg",
        "Error in energy",
        plot.draw(
            title,
            "Wh",
            [plot.Series(name, of, lambda one: one.error_wh) for name, of in stops],
            least=10,
        ),
    )
    yield (
        "limits-money.svg",
        "Error in money",
        plot.draw(
            title,
            "KGS",
            [plot.Series(name, of, lambda one: one.error_minor / 100) for name, of in stops],
            least=1,
        ),
    )


def _verdicts(findings: Findings) -> str:
    lines = [
        f"| {one.asked} | {one.found} | {'met' if one.is_met else '**missed**'} |"
        for one in findings.verdicts
    ]
    return "| target | found | |\n|---|---|---|\n" + "\n".join(lines)


def _table(outcomes: Sequence[Outcome]) -> str:
    ended, aimed = _ended(outcomes), _aimed(outcomes)
    return _rows(
        [
            ("**all that the targets are for**", aimed),
            *(
                (f"{interval.name}, {power.name}", part(aimed, interval, power))
                for interval in INTERVALS[:2]
                for power in POWERS
            ),
            *((f"… {hard.name}", part(aimed, hard)) for hard in HARD),
            *((f"{INTERVALS[2].name}, {power.name}", _seldom(ended, power)) for power in POWERS),
            ("limits under 5 min", [one for one in ended if one.case.full_s < LEAST_FULL_S]),
            ("registers too coarse for 0.5 %", [one for one in ended if not is_fine(one)]),
            ("cars that were full before", [one for one in outcomes if not one.goal.is_limit]),
        ]
    )


def _rows(rows: Sequence[tuple[str, Sequence[Outcome]]]) -> str:
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    lines += [_row(name, Figures.of(of)) for name, of in rows if of]
    return "\n".join(lines)


def _row(name: str, found: Figures) -> str:
    cells = (
        name,
        str(found.count),
        f"{found.median:.2%}",
        f"{found.p99:.2%}",
        f"{found.within:.1%}",
        f"{found.over_wh:+,.0f} Wh",
        f"{found.under_wh:+,.0f} Wh",
        f"{to_text(found.over_minor)}",
        f"{to_text(found.under_minor)}",
    )
    return f"| {' | '.join(cells)} |"


def _aimed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in outcomes if is_aimed(one)]


def _ended(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that the limit ends, not the car."""
    return [one for one in outcomes if one.goal.is_limit]


def _seldom(outcomes: Sequence[Outcome], power: Band) -> list[Outcome]:
    return [one for one in part(outcomes, INTERVALS[2], power) if is_fine(one)]
