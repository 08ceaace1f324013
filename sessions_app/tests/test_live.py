"""The latest reading of a running session: from the cache where it is right, else from the rows."""

import datetime as dt
import signal
import subprocess
import time
from decimal import Decimal

import pytest
import redis
from django.core.cache import caches

from config.tests.server import free_port
from sessions_app import live
from sessions_app.models import ChargingSession

S = dt.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A board and a publisher that remember nothing of other tests."""
    caches[live.ALIAS].clear()
    monkeypatch.setattr(live, "_board", live.Board())
    monkeypatch.setattr(live, "_publisher", live.Publisher(live._board))


@pytest.fixture
def session(stage, alice):
    """Alice's charge, with one reading: 2 kWh at 11 kW, 40 %."""
    session = stage.ask(alice, value=100)
    stage.accept_start()
    begun = stage.begin(session)
    stage.deliver(begun.transaction_id, 2000, power_w=Decimal(11000), soc=Decimal(40))
    session.refresh_from_db()
    return session


def told(session, *, power_w=22000, soc=50, later=0 * S):
    """What a process would publish of a session, later than its last reading."""
    return live.Progress(
        session.pk,
        session.energy_wh,
        session.cost_minor,
        Decimal(power_w),
        Decimal(soc),
        session.last_reading_at + later,
    )


def seen(session):
    progress = live.latest([session]).get(session.pk)
    return progress and (progress.power_w, progress.soc)


def test_what_is_published_is_what_is_seen(session, django_assert_num_queries):
    live.publish([told(session, power_w=7000, soc=41), told(session, later=S)])
    live.flush()
    with django_assert_num_queries(0):
        assert live.latest([session]) == {session.pk: told(session, later=S)}


def test_the_thread_writes_by_itself(session):
    live.publish([told(session)])
    deadline = time.monotonic() + 10
    while seen(session) != (22000, 50):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_without_an_entry_the_rows_tell(session):
    assert seen(session) == (11000, 40)
    progress = live.latest([session])[session.pk]
    assert (progress.energy_wh, progress.cost_minor) == (2000, 2500)


def test_a_list_asks_once_for_all_that_the_cache_does_not_tell(
    session, stage, alice, django_assert_num_queries
):
    other = stage.ask(alice, value=100, connector_id=2)
    stage.accept_start()
    stage.begin(other, connector_id=2)
    sessions = list(ChargingSession.objects.all())
    with django_assert_num_queries(1):
        progress = live.latest(sessions)
    assert {pk: entry.power_w for pk, entry in progress.items()} == {
        session.pk: 11000,
        other.pk: None,
    }


def test_an_entry_that_the_row_has_left_behind_is_passed_over(session):
    """An older process wrote late, or its memory is its own: the row tells that it is old."""
    live.publish([told(session, later=-live.BEHIND - S)])
    live.flush()
    assert seen(session) == (11000, 40)
    live.publish([told(session, later=-live.BEHIND)])
    live.flush()
    assert seen(session) == (22000, 50)


def test_a_session_that_has_ended_has_no_latest_reading(session, stage):
    live.publish([told(session)])
    live.flush()
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.status == "completed"
    assert seen(session) is None


@pytest.fixture
def own_redis(settings, tmp_path):
    """A Redis of this test as the cache; a function that starts it again after a stop."""
    port = free_port()
    processes = []

    def start():
        command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        deadline = time.monotonic() + 20
        while not is_up(port):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return processes[-1]

    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    backend = "django.core.cache.backends.redis.RedisCache"
    options = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2}
    live_cache = {"BACKEND": backend, "LOCATION": settings.REDIS_URL, "OPTIONS": options}
    settings.CACHES = {**settings.CACHES, live.ALIAS: live_cache}
    yield start
    for process in processes:
        process.kill()
        process.wait()


def is_up(port):
    try:
        return redis.Redis(port=port).ping()
    except redis.ConnectionError:
        return False


@pytest.mark.redis
def test_while_redis_is_stopped_the_rows_tell(session, own_redis):
    process = own_redis()
    live.publish([told(session)])
    live.flush()
    assert seen(session) == (22000, 50)
    process.terminate()
    process.wait()
    assert seen(session) == (11000, 40)
    live.publish([told(session)])
    live.flush()
    assert seen(session) == (11000, 40)


@pytest.mark.redis
def test_a_redis_that_hangs_is_asked_once_and_left_alone(session, own_redis, monkeypatch):
    process = own_redis()
    process.send_signal(signal.SIGSTOP)
    live.publish([told(session)])
    live.flush()
    asked = []
    monkeypatch.setattr(caches[live.ALIAS], "get_many", asked.append)
    assert [seen(session) for _ in range(3)] == [(11000, 40)] * 3
    assert asked == []


@pytest.mark.redis
def test_nothing_is_asked_where_nothing_runs(session, own_redis, stage):
    """Redis calls an empty question an error; it must not pass for an outage."""
    own_redis()
    live.publish([told(session)])
    live.flush()
    assert live.latest([]) == {}
    assert seen(session) == (22000, 50)


@pytest.mark.redis
def test_a_redis_that_comes_back_is_asked_again(session, own_redis, monkeypatch):
    monkeypatch.setattr(live, "AWAY_S", 0.0)
    assert seen(session) == (11000, 40)
    own_redis()
    live.publish([told(session)])
    live.flush()
    assert seen(session) == (22000, 50)
