"""Numbers of whole tables that no scrape counts: right at every moment, or as they say."""

import datetime as dt
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import ledger
from billing.models import Transfer
from billing.money import Minor
from config import tallies
from config.models import Tally
from config.tests.test_metrics import scrape  # noqa: F401  # a fixture
from sessions_app.models import ChargingSession
from stations import commands
from stations.models import Command

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def hold(user, number, minor=500):
    account = ledger.account_of(user)
    return ledger.hold(
        key=f"h{number}", account=account, amount=Minor(minor), reference=f"x:{uuid.uuid4()}"
    )


def age(rows, by=HOUR):
    Transfer.objects.filter(pk__in=[row.pk for row in rows]).update(created_at=timezone.now() - by)


def money(values):
    return {name: value for name, value in values.items() if "session" not in name[0]}


def test_kept_and_later_transfers_add_up_to_what_all_of_them_say(scrape, alice):  # noqa: F811
    age(Transfer.objects.all())
    first = hold(alice, 1)
    ledger.capture(first, Minor(300))
    age([first])
    live = money(scrape())
    tallies.run_due(timezone.now())
    assert Tally.objects.get(pk="transfers").numbers
    assert money(scrape()) == live
    ledger.void(hold(alice, 2))
    hold(alice, 3, 700)
    values = scrape()
    assert (values["kubat_holds",], values["kubat_held", "KGS"]) == (1, 7)
    assert values["kubat_balance", "KGS", "customer"] == 997
    tallies.run_due(timezone.now() + HOUR)
    assert money(scrape()) == money(values)


def test_a_transfer_that_may_yet_be_committed_is_not_kept(alice):
    tallies.run_due(timezone.now())
    assert Tally.objects.get(pk="transfers").numbers == []
    tallies.run_due(timezone.now() + HOUR)
    assert Tally.objects.get(pk="transfers").numbers != []


def test_transfers_are_kept_once_however_often_the_worker_counts(scrape, alice):  # noqa: F811
    later = timezone.now() + HOUR
    for _ in range(3):
        tallies.run_due(later)
    assert scrape()["kubat_transfers_total", "posted", "topup"] == 1


def test_kept_transfers_are_not_read_again(client, alice):
    age(Transfer.objects.all())
    tallies.run_due(timezone.now())
    with CaptureQueriesContext(connection) as queries:
        client.get("/metrics")
    read = [q["sql"] for q in queries if 'FROM "billing_transfer"' in q["sql"]]
    assert read
    assert all('"created_at" >=' in sql for sql in read)


@pytest.fixture
def _large(monkeypatch):
    """What has two rows is too much to count at a scrape."""
    monkeypatch.setattr(tallies, "SMALL", 2)


def make_commands(station, *statuses):
    made = []
    for status in statuses:
        row = commands.send(station=station, action="Reset", payload={}, lane=Command.Lane.ASKED)
        Command.objects.filter(pk=row.pk).update(status=status)
        made.append(row)
    return made


def test_a_small_table_is_counted_at_the_scrape(scrape, station):  # noqa: F811
    tallies.run_due(timezone.now())
    make_commands(station, "answered", "failed")
    values = scrape()
    assert (values["kubat_commands", "answered"], values["kubat_commands", "failed"]) == (1, 1)


@pytest.mark.usefixtures("_large")
def test_of_a_large_table_only_what_is_under_way_is_counted(client, scrape, station):  # noqa: F811
    first, *_ = make_commands(station, "queued", "answered", "failed")
    tallies.run_due(timezone.now())
    make_commands(station, "sent", "answered")
    Command.objects.filter(pk=first.pk).update(status="expired")
    with CaptureQueriesContext(connection) as queries:
        values = scrape()
    got = {status: values["kubat_commands", status] for status in Command.Status.values}
    assert got["queued"] == 0
    assert got["sent"] == 1
    assert (got["answered"], got["failed"], got["expired"]) == (1, 1, 0)
    read = [q["sql"] for q in queries if 'FROM "stations_command"' in q["sql"]]
    states, ended = read
    assert '"status" IN' in states
    assert '"resolved_at" >=' in ended
    tallies.run_due(timezone.now() + HOUR)
    values = scrape()
    assert (values["kubat_commands", "answered"], values["kubat_commands", "expired"]) == (2, 1)


def test_a_count_is_not_repeated_before_its_time(station):
    now = timezone.now()
    make_commands(station, "answered")
    tallies.COMMANDS.keep(now)
    make_commands(station, "answered")
    tallies.COMMANDS.keep(now + dt.timedelta(seconds=tallies.LEAST_PAUSE_S - 1))
    assert Tally.objects.get(pk="commands").numbers == [["answered", 1]]
    tallies.COMMANDS.keep(now + HOUR)
    assert Tally.objects.get(pk="commands").numbers == [["answered", 2]]


def test_what_takes_long_is_counted_seldom(station, monkeypatch):
    moments = iter([0.0, 60.0])
    monkeypatch.setattr(tallies.time, "monotonic", moments.__next__)
    now = timezone.now()
    tallies.SESSIONS.keep(now)
    assert Tally.objects.get(pk="sessions").due_at == now + dt.timedelta(seconds=60_000)


def test_states_that_are_counted_anew_are_those_that_may_change():
    assert set(tallies.SESSIONS.live) >= {"requested", "starting", "charging", "stopping", "review"}
    assert ChargingSession.objects.count() == 0


def test_the_help_says_which_numbers_are_late(client):
    text = client.get("/metrics").content.decode()
    for name in ("sessions", "commands", "outbox"):
        line = next(line for line in text.splitlines() if line.startswith(f"# HELP kubat_{name} "))
        assert "as the worker counted it last" in line
