"""The command `reconcile`: exit status, report, its snapshot, and what the database guards."""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from billing.models import Account, Payment
from sessions_app.models import ChargingSession
from sessions_app.reconcile import examine, snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def reconcile(*options):
    """Run the command; return its exit status and what it printed."""
    out = io.StringIO()
    try:
        call_command("reconcile", *options, stdout=out)
    except SystemExit as exit:
        return exit.code, out.getvalue()
    return 0, out.getvalue()


def test_clean_books_exit_with_0(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 900)
    stage.end(session.transaction_id)
    assert reconcile() == (0, "Clean.\n")
    assert json.loads(reconcile("--json")[1]) == {"clean": True, "findings": [], "fixed": []}


def test_findings_exit_with_1_and_nothing_is_changed(alice):
    Account.objects.filter(owner=alice).update(held_minor=1)
    status, text = reconcile()
    assert status == 1
    assert "held_wrong" in text
    assert "1 finding." in text
    assert Account.objects.get(owner=alice).held_minor == 1


def test_findings_are_told_to_machines(alice):
    Account.objects.filter(owner=alice).update(held_minor=1)
    status, text = reconcile("--json")
    account = Account.objects.get(owner=alice)
    assert status == 1
    assert json.loads(text) == {
        "clean": False,
        "findings": [
            {
                "code": "held_wrong",
                "subject": f"account {account.pk} ({account})",
                "text": "What is held is not the sum of the unresolved holds.",
                "expected": "0.00",
                "found": "0.01",
                "fixable": True,
            }
        ],
        "fixed": [],
    }


def test_fix_repairs_what_is_safe_and_exits_with_0_when_nothing_remains(alice):
    Account.objects.filter(owner=alice).update(held_minor=1)
    status, text = reconcile("--fix")
    assert status == 0
    assert text.startswith("fixed: held_wrong")
    assert text.endswith("Clean.\n")
    assert Account.objects.get(owner=alice).held_minor == 0
    assert reconcile("--fix") == (0, "Clean.\n")


def test_fix_exits_with_1_while_something_remains(alice):
    Account.objects.filter(owner=alice).update(held_minor=1)
    Payment.objects.update(status=Payment.Status.FAILED)
    status, text = reconcile("--fix", "--json")
    assert status == 1
    assert [row["code"] for row in json.loads(text)["findings"]] == ["credited_without_topup"]
    assert [row["code"] for row in json.loads(text)["fixed"]] == ["held_wrong"]


@pytest.mark.parametrize("database", ["empty.sqlite3", "no/such/place.sqlite3"])
def test_a_database_that_cannot_be_read_exits_with_2(tmp_path, database):
    (tmp_path / "empty.sqlite3").touch()
    run = subprocess.run(
        [sys.executable, "manage.py", "reconcile", "--json"],
        cwd=settings.BASE_DIR,
        env=os.environ
        | {"DATABASE_URL": f"sqlite:///{tmp_path / database}", "SECRET_KEY": "test " * 10},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    assert "Could not finish" in run.stderr


def test_a_snapshot_stays_as_it_was_and_holds_up_no_writer(alice):
    account = Account.objects.filter(owner=alice)

    def write():
        try:
            account.update(balance_minor=F("balance_minor") + 1)
        finally:
            connection.close()

    with snapshot():
        before = account.get().balance_minor
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(timeout=10)
        assert not writer.is_alive(), "the writer waits for the reader"
        assert account.get().balance_minor == before
    assert account.get().balance_minor == before + 1


# --- What the database refuses by itself: seen where its guard is gone ---------------------------


@contextlib.contextmanager
def unguarded(model, name):
    """Take one constraint away; put it back when all that happened meanwhile is undone."""
    guards = model._meta.constraints
    guard = next(row for row in guards if row.name == name)
    model._meta.constraints = [row for row in guards if row is not guard]
    with connection.schema_editor() as editor:
        editor.remove_constraint(model, guard)
    try:
        yield
    finally:
        model._meta.constraints = guards
        with connection.schema_editor() as editor:
            editor.add_constraint(model, guard)


@contextlib.contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def codes():
    return {finding.code for finding in examine(timezone.now())}


def test_a_customer_below_what_is_held_is_found(alice):
    with unguarded(Account, "account_customer_covers_its_holds"), undone():
        Account.objects.filter(owner=alice).update(balance_minor=-1)
        assert codes() == {"customer_overdrawn", "balance_wrong", "books_unbalanced"}


def test_a_cost_past_the_hold_is_found(stage, alice):
    session = stage.charge(alice, "amount", "100")
    with unguarded(ChargingSession, "session_cost_within_hold"), undone():
        ChargingSession.objects.filter(pk=session.pk).update(cost_minor=10_001)
        assert codes() == {"taken_past_hold"}


def test_two_open_sessions_on_one_connector_are_found(stage, alice):
    stage.charge(alice, "amount", "100")
    other = stage.ask(alice, "amount", "100", connector_id=2)
    with unguarded(ChargingSession, "session_one_open_a_connector"), undone():
        ChargingSession.objects.filter(pk=other.pk).update(connector_id=1)
        assert codes() == {"connector_shared"}


def test_a_transaction_id_of_two_sessions_is_found(stage, alice):
    first = stage.charge(alice, "amount", "100")
    stage.end(first.transaction_id)
    second = stage.charge(alice, "amount", "100")
    unique = ChargingSession._meta.get_field("transaction_id")
    repeatable = unique.clone()
    repeatable._unique = False
    repeatable.set_attributes_from_name(unique.name)
    repeatable.model = ChargingSession
    with connection.schema_editor() as editor:
        editor.alter_field(ChargingSession, unique, repeatable)
    try:
        with undone():
            second_row = ChargingSession.objects.filter(pk=second.pk)
            second_row.update(transaction_id=first.transaction_id)
            assert codes() == {"transaction_id_repeated"}
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(ChargingSession, repeatable, unique)
