"""Do what is due, in a process of its own."""

import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config import telemetry, worker

LOOK_EVERY_S = 0.2


class Command(BaseCommand):
    help = "Do what is due (time-outs, deliveries, clean-up) until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--alive-file",
            type=Path,
            help="A file that is touched with each renewal of the lease, for health checks.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # A flag, and a look at it: a handler may neither raise here nor touch a lock, as it
        # runs between any two lines.
        asked: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: asked.append(number))
        alive_file = options["alive_file"]
        with telemetry.traced(), worker.in_thread(alive_file=alive_file) as thread:
            self.stderr.write("The worker is running.")
            while thread.is_alive() and not asked:
                time.sleep(LOOK_EVERY_S)
        if not asked:
            raise CommandError("The worker has failed.")
