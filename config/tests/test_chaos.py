"""A short run of chaos on real processes: nothing is lost, nothing is doubled."""

import os
import re
import signal
import subprocess
import sys

import pytest
from django.conf import settings

from config.chaos.engines import postgres_programs, redis_program

TIMEOUT_S = 900
NOWHERE = "postgres://nobody@127.0.0.1:1/nothing"
"""What a user's own settings name is never touched."""


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "manage.py", "chaos", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": NOWHERE, "SECRET_KEY": "x", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*arguments):
    process = start(*arguments)
    try:
        told, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    return process.returncode, told


@pytest.mark.e2e
@pytest.mark.postgres
@pytest.mark.redis
def test_a_short_run_keeps_every_promise():
    assert postgres_programs(), "PostgreSQL is there without its programs"
    assert redis_program(), "Redis is there without its program"
    code, told = run("--seed=20", "--minutes=0.4", "--stations=3")
    assert code == 0, told
    assert "serve-1, serve-2, worker, postgres, redis" in told
    assert told.rstrip().endswith("Clean.")
    assert int(re.search(r"(\d+) of \1 told", told)[1]) > 2


@pytest.mark.e2e
def test_a_run_that_is_interrupted_leaves_nothing_running(tmp_path):
    options = ("--seed=1", "--minutes=5", "--stations=1", "--no-postgres")
    with start(*options, TMPDIR=str(tmp_path)) as process:
        for line in process.stdout:
            if "faults in" in line:
                children = children_of(process.pid)
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    assert children
    assert not children & pids()
    assert list(tmp_path.iterdir()) == []


def children_of(parent):
    return {pid for pid, its_parent in processes() if its_parent == parent}


def pids():
    return {pid for pid, _ in processes()}


def processes():
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True)
    return [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
