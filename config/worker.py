"""The worker: one loop that does what is due, in a process of its own or inside `serve`.

Any number of workers may run at once: each job claims its rows, so nothing is done twice, and
a worker that dies leaves nothing behind but a lease that runs out.
"""

import datetime as dt
import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from billing import outbox
from billing.notices import telegram
from billing.payments.polling import poll_due
from sessions_app.reconcile import run_nightly
from sessions_app.services import clocks, expire, firmware, guest, local_list, reserve
from stations import uploads
from stations.certificates import issue

from . import housekeeping, notices, partitions, tallies
from .models import WorkerProcess

logger = logging.getLogger(__name__)

BEAT_S = 1.0
LEASE_EVERY_S = 10.0
GRACE_S = 0.7
"""How long the present job may go on after the end was asked for; what it leaves undone is
rolled back, and done by the next worker."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do at every beat, or more seldom; it gets the time, and may be repeated.

    A long one runs in a thread of its own: what is due in sessions does not wait for it.
    """

    name: str
    run: Callable[[dt.datetime], object]
    every_s: float = 0
    is_long: bool = False


JOBS = (
    Job("time", expire.run_due),
    Job("guests", guest.run_due),
    Job("firmware", firmware.run_due, every_s=2),
    Job("log requests", uploads.run_due, every_s=10),
    Job("reservations", reserve.run_due),
    Job("outbox", lambda now: outbox.deliver_due(notices.DELIVERIES), is_long=True),
    Job("telegram links", telegram.read_awaited, every_s=3, is_long=True),
    Job("telegram", telegram.read_messages, every_s=60, is_long=True),
    Job("certificates", issue.renew_due, every_s=600, is_long=True),
    Job("payments", poll_due, is_long=True),
    *(Job(purge.name, purge.run, every_s=purge.every_s) for purge in housekeeping.PURGES),
    Job("partitions", partitions.run_due, every_s=60, is_long=True),
    Job("tallies", tallies.run_due, every_s=15, is_long=True),
    Job("local lists", local_list.run_due, every_s=5, is_long=True),
    Job("clocks", clocks.run_due, every_s=60, is_long=True),
    Job("nightly reconcile", run_nightly, every_s=60, is_long=True),
)


@contextmanager
def in_thread(alive_file: Path | None = None) -> Iterator[threading.Thread]:
    """Run the loop in a thread while the block runs."""
    stop = threading.Event()
    options = {"alive_file": alive_file}
    thread = threading.Thread(target=run, args=(stop,), kwargs=options, name="worker", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(GRACE_S)


def run(
    stop: threading.Event, jobs: Sequence[Job] = JOBS, *, alive_file: Path | None = None
) -> None:
    """Work until `stop` is set; it ends after the job that it is at."""
    worker = _Worker(jobs, alive_file)
    while not stop.is_set():
        worker.do_due(stop)
        stop.wait(BEAT_S)
    worker.sign_off()
    worker.await_long()


class _Worker:
    """One run of the loop: its row, and when each of its jobs comes next."""

    def __init__(self, jobs: Sequence[Job], alive_file: Path | None) -> None:
        self.id = uuid.uuid4()
        self.alive_file = alive_file
        self.jobs = (Job("lease", self._renew_lease, every_s=LEASE_EVERY_S), *jobs)
        self.next_at: dict[str, float] = {}
        self.long: dict[str, threading.Thread] = {}

    def do_due(self, stop: threading.Event) -> None:
        """Do each job whose time has come; without a database, leave the rest for later."""
        for job in self.jobs:
            if stop.is_set():
                return
            if time.monotonic() < self.next_at.get(job.name, 0):
                continue
            if job.is_long:
                self._do_beside(job)
            elif not _do(job):
                return
            self.next_at[job.name] = time.monotonic() + job.every_s

    def _do_beside(self, job: Job) -> None:
        """Start a long job unless it still runs. A process that ends leaves it undone."""
        running = self.long.get(job.name)
        if running is None or not running.is_alive():
            thread = threading.Thread(target=_do, args=(job,), name=job.name, daemon=True)
            self.long[job.name] = thread
            thread.start()

    def await_long(self) -> None:
        """Give long jobs the chance to end by themselves."""
        for thread in self.long.values():
            thread.join(GRACE_S)

    def sign_off(self) -> None:
        """Say at once that this worker is gone; without a database its lease says so later."""
        if self.alive_file is not None:
            self.alive_file.unlink(missing_ok=True)
        _do(Job("signing off", lambda now: WorkerProcess.objects.filter(pk=self.id).delete()))

    def _renew_lease(self, now: dt.datetime) -> None:
        WorkerProcess.objects.update_or_create(
            pk=self.id, defaults={"host": socket.gethostname()[:120], "lease_at": now}
        )
        if self.alive_file is not None:
            self.alive_file.touch()


def _do(job: Job) -> bool:
    """Do one job; return whether the database was there."""
    try:
        job.run(timezone.now())
    except (OperationalError, InterfaceError) as error:
        logger.warning("worker: %s waits for the database: %s", job.name, error)
        return False
    except Exception:  # an edge loop: one job's fault must not stop the others
        logger.exception("worker: %s failed", job.name)
    finally:
        close_old_connections()
    return True
