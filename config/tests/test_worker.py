"""The worker's loop: each job for itself, any number of workers, a quick end."""

import contextlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from django.conf import settings as kubat
from django.db import OperationalError
from django.utils import timezone

from config import worker
from config.models import WorkerProcess
from config.worker import Job
from sessions_app.services import expire
from stations import alerts

pytestmark = pytest.mark.django_db(transaction=True)
SOON_S = 60
AT_ONCE_S = 5
"""A loaded machine needs some of it; a wait for the database takes twice as long."""
MANAGE = [sys.executable, str(kubat.BASE_DIR / "manage.py")]


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(worker, "BEAT_S", 0.01)


def run_until(reached, *jobs):
    """Run the loop in a thread until `reached` is set, then end it."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop, jobs))
    thread.start()
    try:
        assert reached.wait(SOON_S)
    finally:
        stop.set()
        thread.join(SOON_S)
    assert not thread.is_alive()


def times(count, reached, error=None):
    """A job that sets `reached` when it runs for the `count`th time, and raises `error` before."""
    calls = []

    def run(now):
        calls.append(now)
        if len(calls) >= count:
            reached.set()
        elif error:
            raise error

    return run


def test_a_job_that_fails_stops_no_other_and_comes_again(caplog):
    reached = threading.Event()
    other = threading.Event()
    bad = Job("bad", times(3, reached, error=ValueError("a fault")))
    good = Job("good", times(1, other))
    with caplog.at_level(logging.ERROR, logger="config.worker"):
        run_until(reached, bad, good)
    assert other.is_set()
    assert "bad failed" in caplog.text
    assert "a fault" in caplog.text


def test_a_database_that_is_away_is_waited_for(caplog):
    reached = threading.Event()
    away = Job("away", times(3, reached, error=OperationalError("no route")))
    run_until(reached, away)
    assert "waits for the database: no route" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_seldom_job_does_not_run_at_each_beat():
    reached, seldom = threading.Event(), []
    run_until(reached, Job("seldom", seldom.append, every_s=3600), Job("often", times(5, reached)))
    assert len(seldom) == 1


def test_a_long_job_holds_up_no_other_and_is_not_begun_twice():
    reached, may_end, begun = threading.Event(), threading.Event(), []

    def take_long(now):
        begun.append(now)
        assert may_end.wait(SOON_S)

    long = Job("long", take_long, is_long=True)
    try:
        run_until(reached, long, Job("short", times(5, reached)))
    finally:
        may_end.set()
    assert len(begun) == 1


def test_a_worker_is_seen_while_it_runs_and_gone_when_it_ends():
    reached, seen = threading.Event(), []

    def look(now):
        seen.append(WorkerProcess.objects.alive().count())
        reached.set()

    run_until(reached, Job("look", look))
    assert seen[0] == 1
    assert not WorkerProcess.objects.exists()


def test_a_worker_writes_its_lease_seldom():
    reached, leases = threading.Event(), set()

    def look(now):
        leases.add(WorkerProcess.objects.get().lease_at)

    run_until(reached, Job("look", look), Job("often", times(5, reached)))
    assert len(leases) == 1


def test_the_loop_does_what_the_use_cases_leave_to_time():
    """The real jobs, once: an alert is told, and none of them fails."""
    alerts.open_alert("test", "1", "Something happened.")
    told = threading.Event()

    class Told(logging.Handler):
        def emit(self, record):
            assert "Something happened." in record.getMessage()
            told.set()

    handler = Told()
    logging.getLogger("kubat.alerts").addHandler(handler)
    try:
        run_until(told, *worker.JOBS)
    finally:
        logging.getLogger("kubat.alerts").removeHandler(handler)


@pytest.mark.parametrize("job", worker.JOBS, ids=lambda job: job.name)
def test_each_job_may_run_on_an_empty_database_and_then_has_nothing_to_do(job):
    job.run(timezone.now())  # partitions may be due
    assert job.run(timezone.now()) == 0


def test_time_is_the_first_job():
    """Money waits for nothing: what is due in sessions goes before all else."""
    assert worker.JOBS[0].run is expire.run_due


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_at_once(tmp_path, number):
    database = tmp_path / "kubat.sqlite3"
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{database}"}
    subprocess.run([*MANAGE, "migrate", "-v0"], env=environment, check=True)
    with running_worker(environment) as process:
        wait_until(lambda: workers_in(database) == 1)
        assert seconds_to_end(process, number) < AT_ONCE_S
    assert process.returncode == 0


@pytest.mark.e2e
def test_a_signal_ends_the_command_while_it_waits_for_a_database():
    environment = {**os.environ, "DATABASE_URL": "postgres://kubat@127.0.0.1:1/kubat"}
    environment["SECRET_KEY"] = "a key of the tests"
    with running_worker(environment) as process:
        assert seconds_to_end(process, signal.SIGTERM) < AT_ONCE_S
    assert process.returncode == 0


@contextlib.contextmanager
def running_worker(environment):
    process = subprocess.Popen(
        [*MANAGE, "worker"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr.readline() == "The worker is running.\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def seconds_to_end(process, number):
    asked_at = time.monotonic()
    process.send_signal(number)
    process.wait(SOON_S)
    return time.monotonic() - asked_at


def workers_in(database):
    with contextlib.closing(sqlite3.connect(database, timeout=SOON_S)) as connection:
        return connection.execute("SELECT count(*) FROM config_workerprocess").fetchone()[0]


def wait_until(is_so):
    deadline = time.monotonic() + SOON_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
