"""`osmp_compare`: a terminal network's register of one day against ours."""

import datetime as dt
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.payments import register

DIFFERENT, FAILURE = 1, 2


class Command(BaseCommand):
    help = "Compare a register file with what we took. Exit status: 0 equal, 1 not, 2 failure."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--date", type=dt.date.fromisoformat, required=True, help="2026-01-31")
        parser.add_argument("--terminal", required=True, help="The name in the network's address.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with options["file"].open(newline="", encoding="utf-8-sig") as file:
                theirs = register.read(file)
        except (OSError, ValueError) as error:
            raise CommandError(f"{options['file']}: {error}", returncode=FAILURE) from error
        ours = register.taken_on(options["date"], options["terminal"])
        found = list(register.differences(ours, theirs))
        for line in found:
            self.stdout.write(line)
        self.stdout.write(f"{len(theirs)} in their register, {len(found)} differences.")
        if found:
            sys.exit(DIFFERENT)
