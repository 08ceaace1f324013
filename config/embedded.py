"""What `serve` does besides serving when it is the whole system: lock, migrate, work."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from . import worker


@contextmanager
def sole_user_of_database() -> Iterator[None]:
    """Hold the lock beside a SQLite file and migrate it; another database needs neither.

    Two processes on one SQLite file would each believe to own every socket.
    """
    if not settings.IS_SQLITE:
        yield
        return
    path = Path(settings.DATABASE["NAME"])
    with path.with_name(f"{path.name}.lock").open("a") as file:
        if not _lock(file):
            raise CommandError(f"Another serve is running on {path}.")
        call_command("migrate", interactive=False, verbosity=0)
        yield


def _lock(file: IO[str]) -> bool:
    """Take the lock for as long as this process lives; False when another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def embedded_worker() -> Iterator[None]:
    """Run the worker's loop in a thread where no process of its own does."""
    if settings.CSMS_EMBEDDED_WORKER:
        with worker.in_thread():
            yield
    else:
        yield
