"""What tests of stations share beside the cast: a socket that is there, and calls at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from stations.models import GatewayProcess


def go_online(station):
    """Give the station a socket of a living process, as a handshake does."""
    station.owner = GatewayProcess.objects.create(channel="serve.test", host="test")
    station.fence += 1
    station.connected_at = timezone.now()
    station.save(update_fields=["owner", "fence", "connected_at"])


def run_at_once(*calls):
    """Run each call in a thread of its own, all released together; raise what one raised."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait(timeout=10)
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(run, call) for call in calls]
        return [done.result(timeout=60) for done in running]


def break_rows(model, **where):
    """Let the database refuse what is written to the rows of one number, as a fault of ours would.

    It lasts until the test is rolled back.
    """
    ((name, number),) = where.items()
    table, column = model._meta.db_table, model._meta.get_field(name).column
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            check = f"CHECK ({column} <> {number}) NOT VALID"
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT broken {check}")
            return
        for event in ("INSERT", "UPDATE"):
            cursor.execute(
                f"CREATE TRIGGER broken_{table}_{event} BEFORE {event} ON {table} "
                f"WHEN NEW.{column} = {number} BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )


@contextmanager
def held(statement):
    """Hold in another connection what a statement locks on PostgreSQL; on SQLite all writes."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN")
        if connection.vendor != "sqlite":
            cursor.execute(statement)
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
    other.close()


def signed_in(user=None):
    """An API client with the user's own token; without a user, a stranger's."""
    client = APIClient()
    if user is not None:
        token = AuthToken.objects.create(user)[1]
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client
