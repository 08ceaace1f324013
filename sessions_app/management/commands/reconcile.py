"""`reconcile`: prove from the rows that every promise on money and sessions was kept."""

import json
import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from sessions_app.reconcile import Finding, examine, repair, snapshot

FINDINGS, FAILURE = 1, 2
logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Check balances, holds, bills and deadlines against each other. Exit status: 0 clean, "
        "1 findings, 2 failure. Changes nothing without --fix."
    )
    requires_system_checks: list[str] = []  # run in `handle`: what fails there is no finding

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="Repair what is safe to repair.")
        parser.add_argument("--json", action="store_true", help="Report for machines.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.check()
            findings = look()
            fixed = repair(findings) if options["fix"] else []
            remaining = look() if fixed else findings
        except Exception as error:
            logger.exception("reconcile could not finish")
            raise CommandError(f"Could not finish: {error}", returncode=FAILURE) from error
        report = as_json if options["json"] else as_text
        self.stdout.write(report(remaining, [row for row in fixed if row not in remaining]))
        if remaining:
            sys.exit(FINDINGS)


def look() -> list[Finding]:
    with snapshot():
        return examine(timezone.now())


def as_text(remaining: list[Finding], fixed: list[Finding]) -> str:
    lines = [f"fixed: {finding}" for finding in fixed]
    lines += [f"{row}{' [--fix repairs this]' if row.fix else ''}" for row in remaining]
    count = len(remaining)
    lines.append(f"{count} finding{'' if count == 1 else 's'}." if count else "Clean.")
    return "\n".join(lines)


def as_json(remaining: list[Finding], fixed: list[Finding]) -> str:
    return json.dumps(
        {
            "clean": not remaining,
            "findings": [finding.to_json() for finding in remaining],
            "fixed": [finding.to_json() for finding in fixed],
        },
        ensure_ascii=False,
    )
