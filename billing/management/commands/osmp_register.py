"""`osmp_register`: what a terminal network paid in on one day, for the daily comparison."""

import datetime as dt
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from billing.payments import register


class Command(BaseCommand):
    help = "Write the terminal payments that we took on a local day as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", type=dt.date.fromisoformat, required=True, help="2026-01-31")
        parser.add_argument("--terminal", required=True, help="The name in the network's address.")
        parser.add_argument("--output", type=Path, help="A file; by default, standard output.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = register.taken_on(options["date"], options["terminal"])
        if options["output"] is None:
            register.write(rows, sys.stdout)
            return
        with options["output"].open("w", newline="") as file:
            register.write(rows, file)
