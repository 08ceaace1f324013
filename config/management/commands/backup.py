"""`backup`: copy a SQLite database as it is at one moment, while `serve` runs, with its secret."""

import os
import shutil
import sqlite3
from argparse import ArgumentParser
from contextlib import closing
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

OWN_EYES = 0o600
"""A backup holds people and money, and the key that signs log-ins."""


class Command(BaseCommand):
    help = "Write a consistent copy of the SQLite database, and the secret beside it, to PATH."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.IS_SQLITE:
            raise CommandError("PostgreSQL has its own tool: pg_dump -Fc (docs/backup.md).")
        path: Path = options["path"]
        if path.exists():
            raise CommandError(f"{path} exists; a backup overwrites nothing.")
        draft = path.with_name(f"{path.name}.part")
        draft.unlink(missing_ok=True)
        try:
            _copy_database(draft)
        except (OSError, sqlite3.Error) as error:
            draft.unlink(missing_ok=True)
            raise CommandError(f"No backup was made: {error}") from error
        _copy_secret(path)
        draft.rename(path)
        self.stdout.write(f"{path} ({path.stat().st_size} bytes)")


def _copy_database(draft: Path) -> None:
    """Let SQLite write a compact copy from one snapshot; it holds up no writer. Then read it all.

    Raises OSError and sqlite3.Error.
    """
    draft.touch(OWN_EYES, exist_ok=False)
    connection.ensure_connection()
    source: sqlite3.Connection = connection.connection
    source.execute("VACUUM INTO ?", [str(draft)])
    with closing(sqlite3.connect(draft)) as copy:
        (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _copy_secret(path: Path) -> None:
    """Copy the key that was made beside the database; one from the environment is kept there."""
    source = Path(settings.DATABASE["NAME"])
    secret = source.with_name(f"{source.name}.secret")
    if secret.exists():
        copy = path.with_name(f"{path.name}.secret")
        copy.touch(OWN_EYES)
        shutil.copyfile(secret, copy)
