"""Tests that need a server say so, and are not skipped where it counts."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings

NOWHERE = {
    "KUBAT_TEST_POSTGRES": "postgres://postgres@127.0.0.1:1/postgres",
    "KUBAT_TEST_REDIS": "redis://127.0.0.1:1/0",
}
HERE = __file__


@pytest.mark.postgres
def test_a_test_gets_a_database_of_its_own(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")


@pytest.mark.redis
def test_a_test_gets_a_redis(redis_url):
    assert redis_url.startswith("redis://")


def run_marked(**environment):
    """Run the two tests above in a process of their own, where there are no servers."""
    environment = {**os.environ, **NOWHERE, **environment}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", HERE, "-k", "test_a_test_gets"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_without_a_server_its_tests_are_skipped_and_one_line_says_so():
    done = run_marked(CI="")
    assert done.returncode == 0
    assert "2 skipped" in done.stdout
    assert done.stdout.count("there is no server at postgres://") == 1


def test_in_ci_a_missing_server_is_a_failure():
    done = run_marked(CI="1")
    assert done.returncode == 1
    assert "2 errors" in done.stdout


@pytest.mark.parametrize(
    ("file", "asks"),
    [
        ("config/tests/test_tracing.py", "all"),
        ("config/tests/test_files_served.py", "all"),
        ("billing/tests/test_ledger.py", "all"),
        ("billing/tests/test_money.py", "none"),
    ],
)
def test_only_what_asks_no_database_is_left_out_when_that_is_wanted(file, asks):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", "--database-only", file],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    counted = done.stdout.splitlines()[-1]
    assert ("deselected" not in counted) == (asks == "all"), counted
    assert counted.startswith("no tests collected") == (asks == "none"), counted
