"""The open addresses for load balancers and Prometheus."""

import asyncio
import datetime as dt
import shutil
import threading
import time

import pytest
from django.db import connection
from django.utils import timezone

from config import health
from config import worker as loop
from config.models import LEASE, WorkerProcess
from stations.gateway.writer import Writer

pytestmark = pytest.mark.django_db
PARTS = ("database", "migrations", "worker", "writer", "disk")
DIES = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def missing(client, part, *others):
    """The state of the part that is missing, alone or with those that cannot be told then."""
    response = client.get("/readyz")
    assert response.status_code == 503
    told = response.json()
    assert told["missing"].keys() == {part, *others}
    assert told["missing"][part] == health.ADVICE[part, told["parts"][part]]
    return told["parts"][part]


def worker(age=dt.timedelta()):
    return WorkerProcess.objects.create(host="test", lease_at=timezone.now() - age)


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_a_process_that_serves_is_healthy_without_a_worker(client, path):
    response = client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_health_asks_no_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/healthz")


@pytest.mark.parametrize("path", ["/readyz", "/readyz/"])
def test_a_process_with_all_its_parts_is_ready(client, path):
    worker()
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "parts": dict.fromkeys(PARTS, "ok"),
        "missing": {},
    }


def test_readiness_names_a_worker_that_has_died(client):
    worker(age=LEASE * 2)
    assert missing(client, "worker") == "none has passed lately"


def test_readiness_names_migrations_that_are_not_applied(client):
    worker()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'config'")
    assert missing(client, "migrations", "worker") == "not applied"


def test_readiness_is_cheap(client, django_assert_max_num_queries):
    worker()
    client.get("/readyz")
    with django_assert_max_num_queries(3):
        client.get("/readyz")


def test_readiness_names_a_redis_that_is_away(client, settings):
    worker()
    settings.REDIS_URL = "redis://127.0.0.1:1"
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": settings.REDIS_URL,
        }
    }
    assert missing(client, "redis") == "away"


@pytest.fixture
def give():
    """Give a writer one item, from a loop that does not wait for it; return the writer."""
    writers = []

    def put(store):
        async def hand_over():
            writers.append(Writer("test-writer"))
            writers[0].put(store, 1)

        asyncio.run(hand_over())
        return writers[0]

    yield put
    writers[0].end()


def until(is_so):
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_readiness_names_a_writer_that_hangs(client, give, monkeypatch):
    monkeypatch.setattr("stations.gateway.writer.STUCK_S", 0.05)
    worker()
    gate = threading.Event()
    broken = give(lambda items: gate.wait(20) and items)
    try:
        until(lambda: broken.ailment() == "it stores nothing")
        assert missing(client, "writer") == "stuck"
    finally:
        gate.set()
    until(lambda: not broken.ailment())
    assert client.get("/readyz").status_code == 200


@DIES
def test_readiness_names_a_writer_whose_thread_has_died(client, give):
    worker()

    def die(items):
        raise SystemExit

    broken = give(die)
    until(lambda: broken.ailment() == "its thread has ended")
    assert missing(client, "writer") == "stuck"


@DIES
def test_readiness_names_a_worker_that_died_inside_this_process(client, monkeypatch):
    """Its lease is still young: the rows do not know yet."""
    worker()

    def die(self, stop):
        raise SystemExit

    monkeypatch.setattr(loop._Worker, "do_due", die)
    with loop.in_thread() as thread:
        thread.join(20)
        assert missing(client, "worker") == "has ended here"
    assert client.get("/readyz").status_code == 200


def test_readiness_names_a_disk_that_is_nearly_full(client, settings):
    worker()
    settings.CSMS_DISK_MIN_MB = shutil.disk_usage("/").total // 2**20 * 1000
    assert missing(client, "disk") == "nearly full"


@pytest.mark.parametrize("place", ["file", "file/media"])
def test_readiness_names_a_place_for_files_that_is_none(client, settings, tmp_path, place):
    worker()
    (tmp_path / "file").write_text("in the way")
    settings.CSMS_MEDIA_DIR = str(tmp_path / place)
    assert missing(client, "disk") == "cannot be written"


def test_a_place_for_files_is_only_made_when_it_is_needed(client, settings, tmp_path):
    worker()
    settings.CSMS_MEDIA_DIR = str(tmp_path / "new" / "media")
    assert client.get("/readyz").status_code == 200


def test_there_is_advice_for_each_part_and_it_is_a_sentence():
    assert {part for part, _ in health.ADVICE} == {*PARTS, "redis"}
    for advice in health.ADVICE.values():
        assert advice[0].isupper()
        assert advice.endswith(".")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nothing_is_kept_by_a_cache(client, path):
    assert "no-store" in client.get(path)["Cache-Control"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz/", "/metrics"])
def test_a_probe_may_call_by_address(client, path):
    worker()
    assert client.get(path, headers={"host": "10.1.2.3:8180"}).status_code == 200
    assert client.get("/auth/me", headers={"host": "10.1.2.3:8180"}).status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_a_probe_only_reads(client, path):
    assert client.post(path).status_code == 405
