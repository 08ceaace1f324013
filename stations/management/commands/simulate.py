"""Let simulated stations play a scenario against any OCPP 1.6 server."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sessions_app.study import limits, report
from stations.simulator.connector import Setup
from stations.simulator.fleet import Outcome, play
from stations.simulator.memory import Memory
from stations.simulator.quirks import METERS
from stations.simulator.scenarios import SCENARIOS, THEMES, help_of
from stations.simulator.station import SimulatedStation

SUMMARY_EVERY_S = 5
STUDIES = ("limits",)
EPILOG = "\n\n".join(
    f"{theme}:\n" + "\n".join(f"  {name:26}{text}" for name, text in rows.items())
    for theme, rows in {
        **{
            f"scenarios: {theme}": {name: help_of(story) for name, story in stories.items()}
            for theme, stories in THEMES.items()
        },
        "meters": {name: meter.help for name, meter in METERS.items()},
    }.items()
)


class Command(BaseCommand):
    help = "Simulate one charging station or many against an OCPP 1.6 server."
    requires_system_checks = []  # it needs neither our database nor our settings

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, epilog=EPILOG, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        study = parser.add_argument_group("a study, in a simulated clock and without a server")
        study.add_argument(
            "--study", choices=STUDIES, help="limits: how exactly they are held (docs/limits.md)"
        )
        study.add_argument(
            "--sessions", type=natural, default=400, help="how many (default: %(default)s)"
        )
        study.add_argument(
            "--seed", type=int, default=1, help="the same seed, the same sessions and figures"
        )
        study.add_argument(
            "--output", type=Path, help="an existing directory for the page and its plots"
        )
        where = parser.add_argument_group("where and who")
        where.add_argument(
            "--url",
            default="ws://127.0.0.1:8180",
            help="the server; without a path Kubat's /ws/ (default: %(default)s)",
        )
        where.add_argument(
            "--station-id",
            default="SIM-1",
            help="with --count a pattern: SIM-{n} (default: %(default)s)",
        )
        where.add_argument("--key", default="", help="the station's key; none: security profile 0")
        where.add_argument("--count", type=natural, default=1, help="how many stations")
        where.add_argument("--connectors", type=natural, default=1, help="how many each has")
        what = parser.add_argument_group("what happens")
        what.add_argument("--scenario", choices=SCENARIOS, default="plain")
        what.add_argument("--meter", choices=METERS, default="plain", help="how it tells energy")
        what.add_argument("--tag", default="", help="the card of a start at the station")
        what.add_argument("--timeout", type=positive, help="give up after so many seconds")
        what.add_argument("--memory", type=Path, help="keep register and queue in this file")
        how = parser.add_argument_group("how it charges")
        for option, default, text in (
            ("--power-kw", 60, "what the station offers"),
            ("--energy-kwh", 60, "what the car takes until it is full"),
            ("--interval", 10, "seconds between meter samples"),
            ("--speed", 1, "multiplies the power, and no time"),
        ):
            how.add_argument(
                option, type=positive, default=default, help=f"{text} (default: %(default)s)"
            )
        how.add_argument("--parking", type=float, default=0, help="seconds that a full car stays")

    def handle(self, **options: Any) -> None:
        if options["study"]:
            self._study(options)
            return
        if options["output"]:
            raise CommandError("--output is of a --study")
        stations = [self._station(name, options) for name in station_ids(options)]
        try:
            outcomes = asyncio.run(self._play(stations, options))
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        failures = [outcome for outcome in outcomes if outcome.error]
        for outcome in failures[:-1]:
            self.stderr.write(describe(outcome))
        if failures:
            raise CommandError(describe(failures[-1]))
        self.stdout.write(f"went through: {told(stations)}")

    def _study(self, options: dict[str, Any]) -> None:
        """Play a study and tell its figures. Fails where a target is missed."""
        directory: Path | None = options["output"]
        if directory is not None and not directory.is_dir():
            raise CommandError(f"{directory} is no directory")
        findings = limits.run(options["sessions"], options["seed"])
        self.stdout.write(report.summary(findings))
        if directory is not None:
            for path in report.write(findings, directory):
                self.stdout.write(f"wrote {path}")
        missed = [verdict.asked for verdict in findings.verdicts if not verdict.is_met]
        if missed:
            raise CommandError(f"missed: {'; '.join(missed)}")

    def _station(self, station_id: str, options: dict[str, Any]) -> SimulatedStation:
        setup = Setup(
            url=options["url"],
            station_id=station_id,
            key=options["key"],
            connectors=options["connectors"],
            power_w=Decimal(options["power_kw"]) * 1000,
            speed=Decimal(options["speed"]),
            interval_s=Decimal(options["interval"]),
            car_needs_wh=Decimal(options["energy_kwh"]) * 1000,
            parking_s=options["parking"],
            meter=METERS[options["meter"]],
        )
        memory = Memory.load(options["memory"]) if options["memory"] else Memory()
        return SimulatedStation(setup, memory=memory, report=self._reporter(station_id, options))

    def _reporter(self, station_id: str, options: dict[str, Any]) -> Callable[[str], None]:
        if options["count"] > 1:
            return lambda line: None
        return lambda line: self._tell(f"{station_id}  {line}")

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()  # whoever reads it through a pipe sees it as it happens

    async def _play(
        self, stations: list[SimulatedStation], options: dict[str, Any]
    ) -> list[Outcome]:
        summaries = asyncio.create_task(self._summarise(stations))
        try:
            return await play(
                stations,
                SCENARIOS[options["scenario"]],
                id_tag=options["tag"],
                timeout_s=float(options["timeout"]) if options["timeout"] else None,
            )
        finally:
            summaries.cancel()

    async def _summarise(self, stations: list[SimulatedStation]) -> None:
        while len(stations) > 1:
            await asyncio.sleep(SUMMARY_EVERY_S)
            self._tell(summary(stations))


def natural(text: str) -> int:
    """Read a whole number above 0, as argparse wants it read."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)


def positive(text: str) -> Decimal:
    """Read a number above 0, as argparse wants it read."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ArgumentTypeError(f"{text} is not a number") from None
    if not number.is_finite() or number <= 0:
        raise ArgumentTypeError(f"{text} is not above 0")
    return number


def station_ids(options: dict[str, Any]) -> list[str]:
    """Return the identities; with several stations `{n}` becomes 1, 2, 3, …

    Raises CommandError when one memory would have to do for several.
    """
    pattern, count = options["station_id"], options["count"]
    if count == 1:
        return [pattern]
    if options["memory"]:
        raise CommandError("--memory is for one station")
    if "{n}" not in pattern:
        pattern += "-{n}"
    return [pattern.replace("{n}", str(number)) for number in range(1, count + 1)]


def describe(outcome: Outcome) -> str:
    return f"{outcome.station.setup.station_id}: {outcome.error}"


def summary(stations: list[SimulatedStation]) -> str:
    """Return one line on where all stations are."""
    online = sum(station.is_ready for station in stations)
    running = sum(len(station.memory.transactions) for station in stations)
    return f"{len(stations)} stations, {online} online, {running} charging; {told(stations)}"


def told(stations: list[SimulatedStation]) -> str:
    """Return what has been charged and confirmed."""
    charges = [transaction for station in stations for transaction in station.delivered]
    energy_wh = sum((t.meter_stop_wh or 0) - t.meter_start_wh for t in charges)
    return f"{len(charges)} charge{'s' * (len(charges) != 1)}, {energy_wh / 1000:.3f} kWh"
