"""Processes that meet on the same rows, and are killed between any two statements."""

import os
import random
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.utils import timezone

from config.tests.server import url_of_test_database
from conftest import top_up
from sessions_app.models import IdTag
from sessions_app.reconcile import examine
from sessions_app.tests.promises import check_books, check_sessions
from sessions_app.tests.stage import connect
from stations.models import Connector, Station

OPERATIONS = int(os.environ.get("KUBAT_STORM", "600"))
PROCESSES = 4
LIFE_S = 6.0


@pytest.mark.on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_storm_with_kills_leaves_the_books_true(alice, bob, olga, tariff, tmp_path):
    prepare(alice, bob)
    dice, done, started = random.Random(7), 0, 0
    running = {}
    while done < OPERATIONS:
        while len(running) < PROCESSES:
            started += 1
            log = tmp_path / f"{started}.log"
            running[blow(started, log)] = (log, time.monotonic() + dice.uniform(1, LIFE_S))
        time.sleep(0.05)
        for process, (log, until) in list(running.items()):
            assert process.poll() is None, log.read_text()[-3000:]
            if time.monotonic() > until or done + count(running) >= OPERATIONS:
                process.kill()
                process.wait()
                done += log.read_text().count(".")
                del running[process]
    for process in running:
        process.kill()
        process.wait()
    check_books()
    check_sessions()
    found = [row for row in examine(timezone.now()) if not row.code.endswith("_overdue")]
    assert found == []


def prepare(*drivers):
    """Money, cards, and three stations with two connectors each."""
    for number, driver in enumerate(drivers * 2):
        top_up(driver, 300_000, key=f"storm:{number}")
        IdTag.objects.create(id_tag=f"CARD{number}", identity=f"card{number}", user=driver)
    for number in range(3):
        row = Station.objects.create(station_id=f"W-{number}", identity=f"w-{number}")
        for connector_id in (1, 2):
            Connector.objects.create(station=row, connector_id=connector_id, status="Available")
        connect(row)


def blow(seed, log):
    environment = os.environ | {"DATABASE_URL": url_of_test_database()}
    with log.open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "sessions_app.tests.storm", str(seed)],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def count(running):
    return sum(log.read_text().count(".") for log, _ in running.values())
