"""Clocks of stations: one that is set back is learnt, and one that is off is told once."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app.services import clocks
from stations import reports
from stations.models import Alert, Station
from stations.tests.cast import break_rows

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)
AHEAD = dt.timedelta(minutes=10)


def offset(stage):
    return Station.objects.get(pk=stage.station.pk).clock_offset_s


def tick(stage, session, count, ahead):
    for _ in range(count):
        stage.pass_time(seconds=30)
        stage.register_wh += 10
        stage.sample(session.transaction_id, at=stage.now + ahead)
        stage.station.refresh_from_db()


@pytest.fixture
def ahead(stage, alice):
    """A session at a station whose clock is ten minutes ahead."""
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.begin(session, at=stage.now + AHEAD)
    session.refresh_from_db()
    stage.station.refresh_from_db()
    tick(stage, session, 5, AHEAD)
    assert offset(stage) == -600
    return session


def test_a_clock_that_is_set_right_in_mid_charge_is_learnt(stage, ahead):
    tick(stage, ahead, 35, dt.timedelta(0))  # the readings of its first ten minutes seem old
    clocks.run_due(stage.now)
    assert offset(stage) == -600  # not for long enough
    tick(stage, ahead, 15, dt.timedelta(0))
    clocks.run_due(stage.now)
    assert offset(stage) == 0


def test_a_clock_that_stays_wrong_stays_corrected(stage, ahead):
    tick(stage, ahead, 40, AHEAD)
    clocks.run_due(stage.now)
    assert offset(stage) == -600


def test_readings_that_are_replayed_at_once_say_nothing(stage, alice):
    session = stage.charge(alice)
    stage.pass_time(hours=1)
    for minute in range(60, 0, -1):
        stage.register_wh += 10
        stage.sample(session.transaction_id, at=stage.now - dt.timedelta(minutes=minute))
    clocks.run_due(stage.now)
    assert offset(stage) == 0


def test_what_was_heard_before_a_boot_does_not_count(stage, ahead):
    tick(stage, ahead, 30, dt.timedelta(0))
    Station.objects.update(booted_at=stage.now)
    clocks.run_due(stage.now)
    assert offset(stage) == -600


def test_an_idle_station_is_learnt_by_its_statuses(stage):
    Station.objects.update(clock_offset_s=-600)
    for _ in range(5):
        stage.pass_time(minutes=4)
        status = reports.Status(1, "Available", stage.now, at=stage.now - SECOND)
        station = Station.objects.get(pk=stage.station.pk)
        reports.record_status(station=station, status=status)
    clocks.run_due(stage.now)
    assert offset(stage) == 1


def test_a_status_without_a_time_says_nothing_of_the_clock(stage):
    Station.objects.update(clock_offset_s=-600)
    for _ in range(5):
        stage.pass_time(minutes=4)
        station = Station.objects.get(pk=stage.station.pk)
        reports.record_status(station=station, status=reports.Status(1, "Available", stage.now))
    clocks.run_due(stage.now)
    assert offset(stage) == -600


@pytest.mark.parametrize("offset_s", [121, -121, 56 * 365 * 86_400.0])
def test_a_clock_that_is_off_is_one_alert_until_it_is_right(station, offset_s):
    now = timezone.now()
    Station.objects.update(clock_offset_s=offset_s)
    for _ in range(3):
        clocks.run_due(now)
    alert = Alert.objects.get()
    assert (alert.kind, alert.count, alert.resolved_at) == ("clock_off", 1, None)
    Station.objects.update(clock_offset_s=None)  # it booted
    clocks.run_due(now)
    assert Alert.objects.get().resolved_at is None
    Station.objects.update(clock_offset_s=1.5)
    clocks.run_due(now)
    assert Alert.objects.get().resolved_at is not None


@pytest.mark.parametrize("offset_s", [None, 0, 120, -120])
def test_a_clock_that_is_right_or_not_known_is_no_alert(station, offset_s):
    Station.objects.update(clock_offset_s=offset_s)
    assert clocks.run_due(timezone.now()) == 0
    assert not Alert.objects.exists()


def test_the_first_old_message_after_a_boot_is_no_alert(station):
    now = timezone.now()
    Station.objects.update(clock_offset_s=7200, booted_at=now - dt.timedelta(minutes=1))
    assert clocks.run_due(now) == 0


def test_a_clock_that_cannot_be_told_keeps_no_other_waiting(station):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    Station.objects.update(clock_offset_s=1000)
    break_rows(Alert, station=station.pk)
    clocks.run_due(timezone.now())
    assert Alert.objects.get().station == other


def test_a_clock_that_cannot_be_learnt_keeps_no_other_waiting(stage, ahead):
    tick(stage, ahead, 50, dt.timedelta(0))
    other = Station.objects.create(station_id="K-2", identity="k-2", clock_offset_s=5000)
    break_rows(Station, id=stage.station.pk)
    clocks.run_due(stage.now)
    assert offset(stage) == -600
    assert Alert.objects.filter(station=other).exists()


def test_the_last_messages_are_found_without_reading_all_of_a_station(stage, ahead):
    tick(stage, ahead, 25, dt.timedelta(0))
    with CaptureQueriesContext(connection) as captured:
        clocks.run_due(stage.now)
    asked = [query["sql"] for query in captured if "GROUP BY" in query["sql"]]
    (told,) = [sql for sql in asked if "sessions_app_reading" in sql]
    assert '"session_id" IN' in told
    assert '"station_id" =' not in told
