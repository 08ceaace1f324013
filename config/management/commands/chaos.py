"""Let everything break while stations charge, and prove that the promises hold."""

import asyncio
import logging
import shutil
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.chaos.account import tell
from config.chaos.engines import postgres_programs, redis_program
from config.chaos.evidence import Evidence
from config.chaos.finding import Finding
from config.chaos.play import judge, play, summary, where_to_play
from config.chaos.processes import CannotRun
from config.chaos.schedule import Options, Schedule, draw
from config.demo.processes import ended_by_sigterm

FINDINGS, FAILURE = 1, 2


class Command(BaseCommand):
    help = (
        "Charge at simulated stations while servers, worker, databases, network and clocks break, "
        "then check the promises. Exit status: 0 clean, 1 findings, 2 it could not run. It plays "
        "on programs and files of its own, and touches no database of yours."
    )
    requires_system_checks: list[str] = []  # its servers have settings of their own

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same faults")
        parser.add_argument("--minutes", type=float, default=1.0, help="how long things break")
        parser.add_argument("--stations", type=int, default=6)
        parser.add_argument("--no-postgres", action="store_true", help="SQLite, also where it is")
        parser.add_argument("--no-redis", action="store_true", help="one serve, also where it is")
        parser.add_argument("--schedule", action="store_true", help="only show what would happen")
        parser.add_argument("--keep", action="store_true", help="keep database and logs")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["minutes"] <= 0 or options["stations"] < 1:
            raise CommandError("There is nothing to do.", returncode=FAILURE)
        schedule = draw(
            Options(
                seed=options["seed"],
                minutes=options["minutes"],
                stations=options["stations"],
                programs=programs(
                    has_postgres=not options["no_postgres"], has_redis=not options["no_redis"]
                ),
            )
        )
        if options["schedule"]:
            self.stdout.write("\n".join(schedule.lines()))
            return
        directory = Path(tempfile.mkdtemp(prefix="kubat-chaos-"))
        try:
            self._run(schedule, directory)
        finally:
            if options["keep"]:
                self._say(f"kept: {directory}")
            else:
                shutil.rmtree(directory, ignore_errors=True)

    def _run(self, schedule: Schedule, directory: Path) -> None:
        """Play, and say what was found. Exits with FINDINGS or FAILURE."""
        options = schedule.options
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._say(
            f"seed {options.seed}, {options.stations} stations, {', '.join(options.programs)}"
        )
        house, journal = where_to_play(directory, schedule)
        try:
            with ended_by_sigterm():
                evidence = asyncio.run(play(schedule, house, journal, self._say))
        except CannotRun as reason:
            raise CommandError(str(reason), returncode=FAILURE) from None
        finally:
            house.end()
        self._say("\n".join(summary(evidence)))
        findings = judge(evidence)
        if findings:
            self._tell(findings, evidence, schedule)
            sys.exit(FINDINGS)
        self._say("Clean.")

    def _tell(self, findings: list[Finding], evidence: Evidence, schedule: Schedule) -> None:
        first = min(findings, key=lambda row: (not row.session_id, not row.station_id))
        self._say(f"\nFirst finding, with seed {schedule.options.seed}:\n{first}")
        self._say("\n".join(tell(first, evidence)))
        self._say(f"\n{len(findings)} finding{'s' * (len(findings) != 1)}:")
        self._say("\n".join(map(str, findings)))

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def programs(*, has_postgres: bool, has_redis: bool) -> tuple[str, ...]:
    """What there is to run here; several `serve` need PostgreSQL and Redis."""
    if not (has_postgres and postgres_programs()):
        return ("serve-1",)
    if not (has_redis and redis_program()):
        return ("serve-1", "worker", "postgres")
    return ("serve-1", "serve-2", "worker", "postgres", "redis")
