"""The shared cast: alice (funded driver), bob (empty wallet), olga (operator), one station.

Tests marked `postgres`, `redis` or `nginx` need that program; without it they are skipped, or,
where `CI` is set, fail. Tests marked `on_postgres` run where the tests' own database is PostgreSQL.
"""

import contextlib
import datetime as dt
import functools
import os
import shutil
import uuid
from decimal import Decimal

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from billing.models import Payment, Tariff, User
from billing.payments import topups
from config.tests import blank, emptying
from stations.models import Connector, Station, TariffAssignment

PRICE = Decimal("12.50")
PASSWORD = "correct horse battery staple"

POSTGRES = os.environ.get("KUBAT_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("KUBAT_TEST_REDIS", "redis://127.0.0.1:6379/15")
IS_CI = bool(os.environ.get("CI"))

emptying.install()


@functools.cache
def has_postgres():
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(POSTGRES):
        return True
    return False


@functools.cache
def has_redis():
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(REDIS) as client:
        return client.ping()
    return False


@functools.cache
def find_nginx():
    """The proxy program; Debian keeps it where only root's PATH leads."""
    return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


SERVERS = {"postgres": (POSTGRES, has_postgres), "redis": (REDIS, has_redis)}


def pytest_addoption(parser):
    parser.addoption(
        "--database-only",
        action="store_true",
        help="leave out the tests that ask no database: what they say does not depend on it",
    )


def pytest_collection_modifyitems(config, items):
    """Leave out, rather than skip, what has no meaning on this database, or says nothing new."""
    out = []
    if settings.IS_SQLITE:
        out += [item for item in items if item.get_closest_marker("on_postgres")]
    if config.getoption("--database-only"):
        out += [item for item in items if not has_database(item)]
    left_out = set(out)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=out)


def has_database(item):
    """Whether pytest-django gives this test the database; without, it refuses each query."""
    marks = map(item.get_closest_marker, ("django_db", "on_postgres"))
    return any(marks) or "django_db_setup" in item.fixturenames


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings):
    """Wait for no disk after a commit: no test here cuts the power."""
    if settings.IS_SQLITE:
        options = connection.settings_dict["OPTIONS"]
        options["init_command"] = options["init_command"].replace("=FULL", "=OFF")


def pytest_runtest_setup(item):
    for name, (address, is_there) in SERVERS.items():
        if item.get_closest_marker(name) and not is_there():
            stop = pytest.fail if IS_CI else pytest.skip
            stop(f"there is no server at {address}")
    if item.get_closest_marker("nginx") and not find_nginx():
        (pytest.fail if IS_CI else pytest.skip)("there is no nginx")


def pytest_sessionfinish(session):
    """Let nothing be skipped where `CI` is set: a skipped test proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IS_CI and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def postgres_url():
    """The DATABASE_URL of a new, empty database; its test is marked `postgres`."""
    url = blank.create_postgres(POSTGRES, is_migrated=False)
    yield url
    blank.drop_postgres(POSTGRES, url)


@pytest.fixture
def migrated_postgres_url():
    """The DATABASE_URL of a new database that is migrated; its test is marked `postgres`."""
    url = blank.create_postgres(POSTGRES, is_migrated=True)
    yield url
    blank.drop_postgres(POSTGRES, url)


@pytest.fixture
def redis_url():
    """The REDIS_URL of a test that is marked `redis`."""
    return REDIS


def top_up(user: User, amount_minor: int, key: str = "") -> None:
    """Pay money in for a user, once a key, as a top-up that its provider confirms."""
    payment, _ = Payment.objects.get_or_create(
        pk=uuid.uuid5(user.pk, key or f"test-topup:{amount_minor}"),
        defaults={
            "user": user,
            "provider": "manual",
            "amount_minor": amount_minor,
            "currency": settings.CSMS_CURRENCY,
        },
    )
    topups.confirm(payment.pk)


@pytest.fixture(autouse=True)
def fast_passwords(settings):
    """Hash quickly: no test is about the strength of the hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(db):
    user = User.objects.create_user(
        "alice@example.org", email="alice@example.org", password=PASSWORD, name="Alice"
    )
    top_up(user, 100_000)
    return user


@pytest.fixture
def bob(db):
    return User.objects.create_user(
        "+996700000002", phone="+996700000002", password=PASSWORD, name="Bob"
    )


@pytest.fixture
def olga(db):
    return User.objects.create_user(
        "olga", email="olga@example.org", password=PASSWORD, is_staff=True, is_superuser=True
    )


@pytest.fixture
def tariff(db):
    row = Tariff.objects.create(currency="KGS", price_per_kwh=PRICE)
    TariffAssignment.objects.create(
        scope="default",
        tariff=row,
        valid_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
    return row


@pytest.fixture
def station(db, tariff):
    """Station K-1 with two connectors, never connected."""
    row = Station.objects.create(station_id="K-1", identity="k-1", security_profile=0)
    for number in (1, 2):
        Connector.objects.create(
            station=row, connector_id=number, status=Connector.Status.AVAILABLE
        )
    return row
