"""The findings as a table and a plot, in docs/benchmarks.md between its two marks."""

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from . import plot
from .figures import Figure, Findings
from .servers import ROOT
from .stores import Postgres

PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks.svg"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACKAGES = ("django", "channels", "daphne", "uvicorn", "ocpp", "websockets", "psycopg")


def table(findings: Findings) -> str:
    """Everything that was found, in Markdown."""
    parts = ["\n".join(f"- {note}" for note in findings.notes)]
    if findings.figures:
        parts.append(
            _rows(("figure", "unit", "target", "stretch", "measured", "spread", "rounds"))
            + "\n".join(_figure_row(figure) for figure in findings.figures)
        )
    if findings.costs:
        parts.append(
            _rows(("CPU a message", "µs", "spread", "how"))
            + "\n".join(_cost_row(cost) for cost in findings.costs)
        )
    measured = {figure.how: figure for figure in findings.figures if figure.how}
    if measured:
        parts.append(_explain(findings.figures))
    return "\n\n".join(parts)


def write(findings: Findings) -> None:
    """Put the table into the page, and the plot beside it."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    middle = f"\n{table(findings)}\n\n![Measured figures by their targets]({PLOT.name})\n"
    PAGE.write_text(f"{before}{BEGIN}\n{middle}\n{END}{after}")
    PLOT.write_text(plot.draw(findings))


def describe_machine(postgres: Postgres | None) -> list[str]:
    """What the figures depend on, without anything that names the machine."""
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES if _version(name))
    engine = f"PostgreSQL {postgres.version()} with its defaults" if postgres else "no PostgreSQL"
    return [
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}",
        f"{os.cpu_count()} cores ({_processor()}), {platform.system()}, load "
        f"{os.getloadavg()[0]:.1f} before the run",
        f"Python {platform.python_version()}, {versions}, {engine}",
    ]


def _figure_row(figure: Figure) -> str:
    goal = (_number(figure.goal.target), _number(figure.goal.stretch)) if figure.goal else ("", "")
    if not figure.values:
        cells = (figure.name, figure.unit, *goal, figure.missing, "", "")
    else:
        low, high = figure.spread
        spread = f"{_number(low)} – {_number(high)}" if len(figure.values) > 1 else ""
        measured = f"**{_number(figure.median)}**"
        cells = (figure.name, figure.unit, *goal, measured, spread, str(len(figure.values)))
    return f"| {' | '.join(cells)} |"


def _cost_row(cost: Figure) -> str:
    low, high = cost.spread
    cells = (cost.name, _number(cost.median), f"{_number(low)} – {_number(high)}", cost.how)
    return f"| {' | '.join(cells)} |"


def _explain(figures: list[Figure]) -> str:
    """What exactly each figure is; those that were measured alike stand together."""
    told: dict[str, list[str]] = {}
    for figure in figures:
        if figure.how:
            told.setdefault(figure.how, []).append(f"{figure.name} ({figure.unit})")
    return "\n".join(f"- *{'; '.join(names)}*: {how}." for how, names in told.items())


def _rows(titles: tuple[str, ...]) -> str:
    return f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"


def _number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
