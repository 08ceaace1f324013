"""`day_totals`: opening, debits, credits and closing of each kind of account in a local day."""

import csv
import datetime as dt
import zoneinfo
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from billing.day_totals import DayTotal, day_totals
from billing.money import to_text

HEADERS = ("account", "opening", "debits", "credits", "closing")


class Command(BaseCommand):
    help = "Sum up a local day (CSMS_TIME_ZONE) by kind of account; customers are one kind."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--date", type=dt.date.fromisoformat, help="like 2026-11-24; the last whole day if none"
        )
        parser.add_argument("--csv", action="store_true", help="for spreadsheets")

    def handle(self, *args: Any, **options: Any) -> None:
        zone = zoneinfo.ZoneInfo(settings.CSMS_TIME_ZONE)
        day = options["date"] or timezone.localdate(timezone=zone) - dt.timedelta(days=1)
        rows = [_cells(total) for total in day_totals(day, zone)]
        if options["csv"]:
            table = [("date", *HEADERS), *((day, *row) for row in rows)]
            csv.writer(self.stdout, lineterminator="\n").writerows(table)
            return
        self.stdout.write(f"{day} {zone.key}, {settings.CSMS_CURRENCY}")
        for row in (HEADERS, *rows):
            name, *amounts = row
            self.stdout.write(f"{name:12}" + "".join(f"{amount:>16}" for amount in amounts))


def _cells(total: DayTotal) -> tuple[str, ...]:
    amounts = (
        total.opening_minor,
        total.debits_minor,
        total.credits_minor,
        total.closing_minor,
    )
    return total.kind.value, *(to_text(amount) for amount in amounts)
