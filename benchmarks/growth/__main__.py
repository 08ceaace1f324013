"""Compare the cost of all kinds of work: few stations or many, no history or a year of it.

    python -m benchmarks.growth --server postgres://root@127.0.0.1:5432/postgres

The server must run on this machine (its CPU time is read from /proc) and its user be a superuser.
Databases are made, filled, and dropped.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = 100, 5000
LIMIT = 1.2

Figures = dict[str, dict[str, float]]


def main() -> None:
    told = _options()
    history = (told.sessions, told.readings, told.frames)
    variants = {
        f"{FEW} stations, empty": (FEW, 0, 0, 0),
        f"{MANY} stations, empty": (MANY, 0, 0, 0),
        f"{MANY} stations, filled": (MANY, *history),
    }
    addresses = {
        name: urllib.parse.urlsplit(told.server)._replace(path=f"/kubat_growth_{number}").geturl()
        for number, name in enumerate(variants)
    }
    try:
        if not told.reuse:
            for name, size in variants.items():
                _make(told.server, addresses[name])
                _run(addresses[name], "fill", *map(str, size))
                print(f"filled: {name}", file=sys.stderr, flush=True)
        figures = _measure(addresses, told.rounds, told.charges)
        print(_table(figures))
    finally:
        if not told.keep:
            for address in addresses.values():
                _drop(told.server, address)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--server", required=True, help="DATABASE_URL of a superuser")
    parser.add_argument("--sessions", type=int, default=50_000)
    parser.add_argument("--readings", type=int, default=5_000_000)
    parser.add_argument("--frames", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--charges", type=int, default=50, help="in one round")
    parser.add_argument("--keep", action="store_true", help="leave the databases")
    parser.add_argument("--reuse", action="store_true", help="use those that --keep has left")
    return parser.parse_args()


def _measure(addresses: dict[str, str], rounds: int, charges: int) -> dict[str, Figures]:
    """The median of each figure over the rounds, which visit the databases in turn."""
    found: dict[str, list[Figures]] = {name: [] for name in addresses}
    for number in range(rounds):
        for name, address in addresses.items():
            found[name].append(json.loads(_run(address, "round", str(charges))))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return {name: _medians(each) for name, each in found.items()}


def _medians(rounds: list[Figures]) -> Figures:
    return {
        work: {unit: statistics.median(one[work][unit] for one in rounds) for unit in figures}
        for work, figures in rounds[0].items()
    }


def _table(figures: dict[str, Figures]) -> str:
    """A table in Markdown: PostgreSQL's CPU and the wall time of the statements, in µs."""
    few, many, filled = figures.values()
    lines = [
        f"| work | statements | {' | '.join(figures)} | stations × | history × |",
        "|---|---|---|---|---|---|---|",
    ]
    for work in few:
        cells = [
            f"{each[work]['pg']:,.0f} / {each[work]['wall']:,.0f}" for each in (few, many, filled)
        ]
        by_stations = many[work]["pg"] / few[work]["pg"]
        by_history = filled[work]["pg"] / many[work]["pg"]
        lines.append(
            f"| {work} | {few[work]['statements']:.0f} | {' | '.join(cells)} "
            f"| {_ratio(by_stations)} | {_ratio(by_history)} |"
        )
    return "\n".join(lines)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value <= LIMIT else f"**{value:.2f}**"


def _run(address: str, *arguments: str) -> str:
    return _call(address, sys.executable, "-m", "benchmarks.growth.measure", *arguments)


def _make(server: str, address: str) -> None:
    _drop(server, address)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_name(address)}")
    _call(address, sys.executable, "manage.py", "migrate", "-v0")


def _drop(server: str, address: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {_name(address)} WITH (FORCE)")


def _name(address: str) -> Any:
    return urllib.parse.urlsplit(address).path.removeprefix("/")


def _call(address: str, *command: str) -> str:
    ours = {
        "DATABASE_URL": address,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SECRET_KEY": "growth",
        "CSMS_LOG_LEVEL": "ERROR",
        "REDIS_URL": "",
    }
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | ours, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


main()
