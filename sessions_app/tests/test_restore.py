"""What becomes of charges after a restore: each way in which a backup may be behind the truth."""

import datetime as dt
import io

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing import ledger
from sessions_app.models import ChargingSession, Orphan, TransactionNumber
from sessions_app.reconcile import examine
from sessions_app.services import expire, restore
from sessions_app.services.stop import force_end
from sessions_app.tests.promises import check_books, check_sessions
from stations.models import Alert, Command, GatewayProcess

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
SKIP = 1000


def age_backup():
    """Let all that the rows know be a day old, and every socket be gone."""
    ago = timezone.now() - DAY
    for name in ("requested_at", "started_at", "last_reading_at", "stop_requested_at", "due_at"):
        rows = ChargingSession.objects.filter(**{f"{name}__isnull": False})
        rows.update(**{name: ago})
    Command.objects.update(created_at=ago)
    Command.objects.filter(sent_at__isnull=False).update(sent_at=ago)
    Command.objects.filter(deadline_at__isnull=False).update(deadline_at=ago)
    GatewayProcess.objects.update(lease_at=ago)


def restored():
    age_backup()
    return restore.after_restore(timezone.now(), skip_ids=SKIP)


def alerts(kind):
    return Alert.objects.filter(kind=kind, resolved_at__isnull=True).count()


def check():
    assert [str(row) for row in examine(timezone.now())] == []
    check_books()
    check_sessions()


def test_a_charge_that_still_runs_goes_on_and_is_billed_by_its_meter(stage, alice):
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 2_000)
    assert restored().running == 1
    session.refresh_from_db()
    assert session.status == "charging", "a day of silence was ours, not the station's"
    assert alerts("restored") == 1
    check()
    stage.reconnect()
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 10_000, 12_500)
    assert "restored" in session.flags
    assert alerts("restored") == 0
    check()


def test_a_charge_that_ended_after_the_backup_ends_on_its_last_reading(stage, alice):
    """Its StopTransaction was confirmed by the database that is lost, and never comes again."""
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 2_000)
    restored()
    lost_for_good = timezone.now() + 2 * dt.timedelta(hours=1)
    expire.run_due(lost_for_good)
    session.refresh_from_db()
    assert (session.status, session.stop_reason) == ("completed", "lost")
    assert session.cost_minor == 2_500
    assert alerts("restored") == 1, "what was charged after the backup is for staff to see"
    check()


def test_it_ends_so_too_at_a_station_that_is_back_and_knows_nothing_of_it(stage, alice):
    """Silent past its hold at full power, it is stopped; the station refuses, and time ends it."""
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 2_000)
    restored()
    stage.reconnect()
    much_later = timezone.now() + DAY
    expire.run_due(much_later)
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")
    stage.answer(stage.take_command(), "Rejected")
    expire.run_due(much_later)
    session.refresh_from_db()
    assert (session.status, session.stop_reason) == ("completed", "stop_timeout")
    assert session.cost_minor == 2_500
    check()


def test_staff_end_it_on_the_meter_that_they_read(stage, alice, olga):
    session = stage.charge(alice, "amount", "500")
    restored()
    force_end(
        session_id=session.pk,
        meter_stop_wh=int(stage.register_wh) + 4_000,
        actor=olga,
        reason="read at the station",
    )
    session.refresh_from_db()
    assert session.cost_minor == 5_000
    assert alerts("restored") == 0


def test_a_stop_that_was_asked_for_is_asked_again_and_waited_for(stage, alice):
    session = stage.charge(alice, "amount", "500")
    stage.stop(session, alice)
    stage.take_command()
    restored()
    session.refresh_from_db()
    assert session.status == "stopping"
    assert alerts("stop_ignored") == 0
    stage.reconnect()
    command = stage.take_command()
    assert command.payload == {"transactionId": session.transaction_id}
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.status == "completed"
    check()


def test_a_start_that_had_not_begun_is_given_up_and_its_money_is_free(stage, alice):
    session = stage.ask(alice, "amount", "500")
    stage.accept_start()
    restored()
    session.refresh_from_db()
    assert session.status == "error"
    assert ledger.account_of(alice).held_minor == 0
    check()


def test_a_transaction_of_the_lost_time_never_becomes_anothers(stage, alice):
    """The station got ids that the backup does not know; the next ones must be others."""
    lost = TransactionNumber.objects.count() + 1
    done = restored()
    stage.reconnect()
    session = stage.charge(alice, "amount", "500", connector_id=2)
    assert session.transaction_id == done.last_id + 1 == lost + SKIP
    stage.deliver(lost, 3_000, connector_id=1)
    stage.end(lost)
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == ("charging", 0)
    assert set(Orphan.objects.values_list("kind", flat=True)) == {"readings", "stop"}
    check()


def test_repeating_it_moves_ids_on_again_and_does_no_harm(stage, alice):
    session = stage.charge(alice, "amount", "500")
    first, second = restored(), restored()
    assert second.last_id == first.last_id + SKIP
    assert alerts("restored") == 1
    session.refresh_from_db()
    assert session.status == "charging"
    check()


def test_the_command_says_what_it_did(stage, alice):
    session = stage.charge(alice, "amount", "500")
    out = io.StringIO()
    call_command("after_restore", "--skip-ids=5", stdout=out)
    assert out.getvalue().splitlines() == [
        f"New transactions count from {session.transaction_id + 6}.",
        "1 running sessions are marked for a look.",
    ]


@pytest.mark.parametrize("skip", [0, -1, 2**31 - 1])
def test_ids_that_no_station_can_hold_are_refused(db, skip):
    with pytest.raises(CommandError):
        call_command("after_restore", f"--skip-ids={skip}")
    assert not TransactionNumber.objects.exists()
