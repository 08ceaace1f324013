"""`after_restore`: make a database that came from a backup safe to serve from."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from sessions_app.services.restore import NoIdsLeft, after_restore

SKIP_IDS = 1_000_000


class Command(BaseCommand):
    help = (
        "Run once after a restore and before the first serve: move transaction ids on, and mark "
        "running sessions for a look."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--skip-ids",
            type=int,
            default=SKIP_IDS,
            help="more than the transactions since the backup (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["skip_ids"] < 1:
            raise CommandError("--skip-ids must be at least 1.")
        try:
            done = after_restore(timezone.now(), skip_ids=options["skip_ids"])
        except NoIdsLeft as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"New transactions count from {done.last_id + 1}.")
        self.stdout.write(f"{done.running} running sessions are marked for a look.")
