"""The open addresses for load balancers and Prometheus."""

import datetime as dt

import pytest
from django.db import connection
from django.utils import timezone

from config.models import LEASE, WorkerProcess

pytestmark = pytest.mark.django_db


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
    assert response.json()["parts"] == {"database": "ok", "migrations": "ok", "worker": "ok"}


def test_readiness_names_a_worker_that_has_died(client):
    worker(age=LEASE * 2)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["parts"]["worker"] == "none has passed lately"


def test_readiness_names_migrations_that_are_not_applied(client):
    worker()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'config'")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["parts"]["migrations"] == "not applied"


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
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["parts"]["redis"] == "away"


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
