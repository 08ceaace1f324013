"""The partitions of readings and frames: made ahead, dropped when past their time."""

import datetime as dt
import os
import subprocess
import sys
import threading
import uuid

import psycopg
import pytest
from django.conf import settings as kubat
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from config import housekeeping, partitions, worker
from config.partitions import FRAMES, READINGS
from sessions_app.models import ChargingSession, Reading
from stations.identifiers import time_ordered_id
from stations.models import Frame

THEN = dt.datetime(2031, 5, 20, 13, 30, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
on_postgres = pytest.mark.on_postgres


@pytest.fixture
def _as_before(transactional_db):
    """Leave the partitions that the migrations made, and no other."""
    before = {table: partitions.leaves(table) for table in partitions.TABLES}
    yield
    for table, there in before.items():
        now_there = partitions.leaves(table)
        with connection.cursor() as cursor:
            for leaf in now_there:
                if leaf not in there:
                    cursor.execute(f"DROP TABLE {leaf.name}")


pytestmark = [on_postgres, pytest.mark.usefixtures("_as_before")]


def names(table):
    return {leaf.name for leaf in partitions.leaves(table)}


def leaf_of(row):
    with connection.cursor() as cursor:
        table = row._meta.db_table
        cursor.execute(f"SELECT tableoid::regclass::text FROM {table} WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


def reading(station, at, session=None):
    return Reading.objects.create(
        session=session, station=station, connector_id=1, at=at, received_at=at, register_wh=5
    )


def frame(station, at):
    return Frame.objects.create(station=station, direction="in", text="[]", at=at)


def session_of(station):
    return ChargingSession.objects.create(
        station=station, origin="remote", limit_type="full", currency="KGS", id_tag="A"
    )


def test_this_month_and_the_next_two_are_made_and_days_likewise():
    assert partitions.make_ahead(READINGS, THEN) == 3
    assert partitions.make_ahead(FRAMES, THEN) == 3
    assert {f"sessions_app_reading_2031{month}" for month in ("05", "06", "07")} <= names(READINGS)
    assert {f"stations_frame_203105{day}" for day in (20, 21, 22)} <= names(FRAMES)


def test_what_is_there_is_not_made_again():
    partitions.make_ahead(READINGS, THEN)
    assert partitions.make_ahead(READINGS, THEN) == 0
    assert partitions.make_ahead(READINGS, THEN + 12 * DAY) == 1


def test_a_year_ends_with_december():
    partitions.make_ahead(READINGS, THEN.replace(month=11, day=30))
    assert {"sessions_app_reading_203112", "sessions_app_reading_203201"} <= names(READINGS)


def test_a_row_lies_in_the_partition_of_its_moment(station):
    partitions.make_ahead(READINGS, THEN)
    partitions.make_ahead(FRAMES, THEN)
    assert leaf_of(reading(station, THEN)) == "sessions_app_reading_203105"
    assert leaf_of(frame(station, THEN)) == "stations_frame_20310520"


def test_a_clock_in_1970_is_kept_in_the_default_partition(station):
    row = reading(station, dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    assert leaf_of(row) == "sessions_app_reading_default"


def test_rows_that_came_before_their_partition_move_into_it(station):
    session = session_of(station)
    early = reading(station, THEN, session)
    other = reading(station, THEN - 400 * DAY, session)
    assert partitions.make_ahead(READINGS, THEN) == 3
    assert leaf_of(early) == "sessions_app_reading_203105"
    assert leaf_of(other) == "sessions_app_reading_default"
    with pytest.raises(IntegrityError), transaction.atomic():
        reading(station, THEN, session)


def test_too_many_rows_to_move_stay_where_they_are(station, monkeypatch):
    monkeypatch.setattr(partitions, "MOVED_AT_MOST", 1)
    rows = [reading(station, THEN + minute * dt.timedelta(minutes=1)) for minute in range(2)]
    assert partitions.make_ahead(READINGS, THEN) == 2
    assert "sessions_app_reading_203105" not in names(READINGS)
    assert {leaf_of(row) for row in rows} == {"sessions_app_reading_default"}
    assert leaf_of(reading(station, THEN - DAY)) == "sessions_app_reading_default"


def test_a_partition_that_someone_else_made_is_left_alone():
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE ours PARTITION OF sessions_app_reading "
            "FOR VALUES FROM ('2031-05-10') TO ('2031-06-10')"
        )
    assert partitions.make_ahead(READINGS, THEN) == 1
    assert {"ours", "sessions_app_reading_203107"} <= names(READINGS)


def test_two_workers_at_once_make_each_partition_once():
    made, start = [], threading.Barrier(2)

    def work():
        try:
            start.wait()
            made.extend(partitions.make_ahead(table, THEN) for table in partitions.TABLES)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert len(made) == 4
    made.extend(partitions.make_ahead(table, THEN) for table in partitions.TABLES)
    assert sum(made) == 6


@pytest.fixture
def other():
    """A connection of someone else, in a transaction that ends with the test."""
    facts = connection.get_connection_params()
    known = ("dbname", "user", "host", "port", "password")
    with psycopg.connect(**{key: facts[key] for key in known if key in facts}) as found:
        yield found
        found.rollback()


def test_a_worker_that_is_at_it_already_is_not_disturbed(other):
    other.execute("SELECT pg_advisory_xact_lock(%s)", [partitions.WORKERS_LOCK])
    assert partitions.run_due(THEN) == 0
    other.rollback()
    assert partitions.make_ahead(READINGS, THEN) == 3


def test_a_lock_that_is_held_only_delays(other, station, caplog):
    frame(station, THEN - 40 * DAY)
    other.execute("SELECT * FROM stations_frame")
    other.execute("UPDATE stations_station SET name = 'locked'")
    assert partitions.make_ahead(FRAMES, THEN) == 0
    other.rollback()
    assert partitions.make_ahead(FRAMES, THEN) == 3


def test_frames_past_their_time_are_dropped_by_the_day(station, settings):
    settings.CSMS_FRAME_RETENTION_DAYS = 30
    partitions.make_ahead(FRAMES, THEN)
    rows = [frame(station, THEN + number * DAY) for number in range(3)]
    end_of_first = (THEN + DAY).replace(hour=0, minute=0)
    partitions.drop_past(FRAMES, end_of_first + 30 * DAY - dt.timedelta(seconds=1))
    assert "stations_frame_20310520" in names(FRAMES)
    partitions.drop_past(FRAMES, end_of_first + 30 * DAY)
    assert set(Frame.objects.values_list("pk", flat=True)) == {row.pk for row in rows[1:]}


def test_a_day_that_is_partly_past_is_not_deleted_row_by_row(station, settings):
    settings.CSMS_FRAME_RETENTION_DAYS = 30
    partitions.make_ahead(FRAMES, THEN)
    kept = frame(station, THEN)
    gone = frame(station, THEN - 300 * DAY)
    assert leaf_of(gone) == "stations_frame_default"
    purge = next(purge for purge in housekeeping.PURGES if purge.name == "old frames")
    assert purge.run(THEN + 30 * DAY + dt.timedelta(hours=1)) == 1
    assert Frame.objects.get().pk == kept.pk


def test_readings_are_never_dropped(station):
    partitions.make_ahead(READINGS, THEN)
    row = reading(station, THEN)
    assert partitions.drop_past(READINGS, THEN + 40_000 * DAY) == 0
    assert Reading.objects.get() == row


def test_a_drop_waits_for_no_reader(other, station):
    partitions.make_ahead(FRAMES, THEN)
    other.execute("SELECT * FROM stations_frame")
    assert partitions.drop_past(FRAMES, THEN + 400 * DAY) == 0
    other.rollback()
    assert partitions.drop_past(FRAMES, THEN + 400 * DAY) >= 3


def test_the_worker_has_the_job():
    job = next(job for job in worker.JOBS if job.name == "partitions")
    assert job.is_long
    assert job.run(THEN) >= 6
    now = timezone.now()
    job.run(now)
    this_month = f"sessions_app_reading_{now:%Y%m}"
    assert this_month in names(READINGS)


def test_a_reading_is_stored_once_by_its_natural_key(station):
    partitions.make_ahead(READINGS, THEN)
    session = session_of(station)
    insert = (
        "INSERT INTO sessions_app_reading (session_id, station_id, connector_id, at, received_at, "
        "context, flags) VALUES (%s, %s, 1, %s, %s, '', '[]') "
        "ON CONFLICT (session_id, at) DO NOTHING"
    )
    with connection.cursor() as cursor:
        cursor.execute(insert, [session.pk, station.pk, THEN, THEN])
        assert cursor.rowcount == 1
        cursor.execute(insert, [session.pk, station.pk, THEN, THEN])
        assert cursor.rowcount == 0


def test_frames_can_be_copied_in(station):
    columns = "id, station_id, direction, action, message_id, text, at"
    ids = [time_ordered_id() for _ in range(3)]
    statement = f"COPY stations_frame ({columns}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for pk in ids:
            copy.write_row((pk, station.pk, "in", "", "", "[]", timezone.now()))
    assert set(Frame.objects.values_list("pk", flat=True)) == set(ids)


def test_a_reading_of_no_station_is_refused(station):
    with pytest.raises(IntegrityError), transaction.atomic():
        Reading.objects.create(station_id=0, connector_id=1, at=THEN, received_at=THEN)


# --- The migration of a database that holds rows ---------------------------------------------

BEFORE = ("stations", "0008"), ("sessions_app", "0003")
STATION = (
    "INSERT INTO stations_station (id, station_id, identity, name, address, time_zone, enabled, "
    "is_lenient, is_provisioned, security_profile, key_digest, registration, vendor, model, "
    "serial_number, firmware_version, configuration, fence, subprotocol, created_at) VALUES "
    "(7, 'K-7', 'k-7', '', '', 'UTC', true, false, true, 0, '', 'accepted', '', '', '', '', '{}', "
    "0, '', now())"
)
SESSION = (
    "INSERT INTO sessions_app_chargingsession (id, station_id, origin, status, error_code, "
    "limit_type, hold_minor, currency, id_tag, start_key, energy_wh, cost_minor, flags, "
    "requested_at, stop_requested_by, stop_reason, version) VALUES (%s, 7, 'tag', 'charging', '', "
    "'full', 0, 'KGS', 'A', '', 0, 0, '[]', now(), '', '', 0)"
)
READING = (
    "INSERT INTO sessions_app_reading (session_id, station_id, connector_id, at, received_at, "
    "register_wh, context, flags) VALUES (%s, 7, 1, %s, %s, 5, '', '[]') "
)
FRAME = (
    "INSERT INTO stations_frame (id, station_id, direction, action, message_id, text, at) "
    "VALUES (%s, 7, 'in', '', '', '[]', %s)"
)
TALE = "SELECT count(*), sum(extract(epoch FROM at)), max(id::text) FROM {}"


def manage(url, *commands):
    """Run commands of Django, in their order, in one process of their own."""
    calls = [f"call_command(*{command.split()!r})" for command in commands]
    setup = "import django; django.setup(); from django.core.management import call_command; "
    done = subprocess.run(
        [sys.executable, "-c", setup + "; ".join(calls)],
        cwd=kubat.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def filled(postgres_url):
    """A database as it was before the tables were partitioned, with clocks right and wrong."""
    manage(postgres_url, *(f"migrate {app} {name} -v0" for app, name in BEFORE))
    now, session = timezone.now(), uuid.uuid4()
    moments = [now - number * 20 * DAY for number in range(10)]
    wrong = [dt.datetime(1970, 1, 1, tzinfo=dt.UTC), now + 45 * DAY, now + 4000 * DAY]
    with psycopg.connect(postgres_url, autocommit=True) as database:
        database.execute(STATION)
        database.execute(SESSION, [session])
        for at in [*moments, *wrong]:
            database.execute(READING, [session, at, now])
            database.execute(FRAME, [uuid.uuid4(), at])
        yield postgres_url, database, session


def read(database, table):
    return database.execute(TALE.format(table)).fetchone()


@pytest.mark.postgres
def test_a_database_with_rows_is_partitioned_and_joined_again(filled):
    url, database, session = filled
    tables = ("sessions_app_reading", "stations_frame")
    before = {table: read(database, table) for table in tables}
    manage(url, "migrate -v0", "makemigrations --check")
    assert {table: read(database, table) for table in tables} == before
    assert read(database, "sessions_app_reading_before")[0] == 11
    assert read(database, "sessions_app_reading_default")[0] == 1
    assert read(database, "stations_frame_default")[0] == 2
    now = timezone.now()
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute(READING, [session, dt.datetime(1970, 1, 1, tzinfo=dt.UTC), now])
    row = database.execute(READING + "RETURNING id", [session, now + DAY / 24, now]).fetchone()
    assert row[0] > before["sessions_app_reading"][0]
    after = {table: read(database, table) for table in tables}
    manage(url, *(f"migrate {app} {name} -v0" for app, name in reversed(BEFORE)))
    assert {table: read(database, table) for table in tables} == after
    row = database.execute(READING + "RETURNING id", [session, now + DAY / 12, now]).fetchone()
    assert row[0] > before["sessions_app_reading"][0] + 1
