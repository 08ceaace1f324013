"""Charges that a station made while it was alone, replayed in whatever order (12.50 a kWh)."""

import datetime as dt
from decimal import Decimal

import pytest

from billing import ledger
from billing.models import Account
from conftest import top_up
from sessions_app import tags
from sessions_app.models import ChargingSession, IdTag, Orphan
from sessions_app.services import expire, review
from sessions_app.tags import TagValues
from sessions_app.tests.promises import check_books, check_sessions
from stations import reports
from stations.models import Alert, Command, Station

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
BOOT = reports.Boot(vendor="Bare", model="Station")


@pytest.fixture(autouse=True)
def promises_hold(db):
    yield
    check_books()
    check_sessions()


@pytest.fixture
def card(alice):
    return IdTag.objects.create(id_tag="CARD", identity="card", user=alice)


@pytest.fixture
def live(stage):
    """The clock of the station is known: it was just heard."""
    stage.sample(None)
    stage.station.refresh_from_db()
    return stage


def begin(stage, tag, *, ago, meter=1000):
    stage.register_wh = Decimal(meter)
    return stage.begin(tag, at=stage.now - ago)


def end(stage, number, *, ago, meter):
    stage.end(number, register_wh=meter, at=stage.now - ago, reason="Local")


def boot(stage):
    reports.record_boot(station_pk=stage.station.pk, boot=BOOT, received_at=stage.now)
    stage.station.refresh_from_db()


def loss():
    return -ledger.house(Account.Kind.LOSS).balance_minor


def by_start():
    return list(ChargingSession.objects.order_by("started_at"))


def available(user):
    return ledger.account_of(user).available_minor


def test_several_offline_charges_are_replayed_in_a_row(live, card, alice):
    """Three charges of an hour each, of which the middle one was told twice."""
    for ago, meter in ((6, 1000), (4, 3000), (2, 5000)):
        number = begin(live, "CARD", ago=ago * HOUR, meter=meter).transaction_id
        for _ in range(2 if ago == 4 else 1):
            end(live, number, ago=(ago - 1) * HOUR, meter=meter + 2000)
    sessions = by_start()
    assert [(row.status, row.cost_minor) for row in sessions] == [("completed", 2_500)] * 3
    assert [row.stopped_at - row.started_at for row in sessions] == [HOUR] * 3
    assert available(alice) == 100_000 - 7_500
    assert not Command.objects.filter(action="RemoteStopTransaction").exists()


def test_a_boot_between_offline_charges_changes_no_price(stage, card, alice):
    boot(stage)
    first = begin(stage, "CARD", ago=5 * HOUR).transaction_id
    boot(stage)
    end(stage, first, ago=4 * HOUR, meter=3000)
    second = begin(stage, "CARD", ago=3 * HOUR, meter=3000).transaction_id
    boot(stage)
    end(stage, second, ago=2 * HOUR, meter=5000)
    assert [(row.energy_wh, row.cost_minor) for row in by_start()] == [(2000, 2_500)] * 2
    assert available(alice) == 95_000


def test_a_stop_that_comes_before_its_start_is_kept_and_assigned(live, card, alice, olga):
    """The station numbers a transaction itself until we have: -1 here."""
    live.end(-1, register_wh=5000, at=live.now - HOUR, reason="Local")
    verdict = begin(live, "CARD", ago=2 * HOUR)
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert session.status == "charging"
    orphan = Orphan.objects.get()
    review.assign(orphan_id=orphan.pk, session_id=session.pk, actor=olga, reason="same card")
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 5_000)


def test_readings_before_their_start_do_not_spoil_it(live, card):
    for minute in (90, 80):
        live.sample(-1, register_wh=2000, at=live.now - dt.timedelta(minutes=minute))
    verdict = begin(live, "CARD", ago=2 * HOUR)
    end(live, verdict.transaction_id, ago=HOUR, meter=5000)
    assert ChargingSession.objects.get().cost_minor == 5_000


def test_readings_after_the_stop_change_nothing(live, card, alice):
    number = begin(live, "CARD", ago=2 * HOUR).transaction_id
    end(live, number, ago=HOUR, meter=5000)
    live.sample(number, register_wh=50_000, at=live.now - dt.timedelta(minutes=90))
    live.sample(number, register_wh=50_000)
    session = ChargingSession.objects.get()
    assert (session.status, session.cost_minor) == ("completed", 5_000)
    assert not Command.objects.exists()
    assert available(alice) == 95_000


def test_the_next_start_ends_one_whose_stop_is_still_to_come(live, card, alice):
    """The queue is told out of order: start, start, stop of the first, stop of the second."""
    top_up(alice, 50_000)
    first = begin(live, "CARD", ago=5 * HOUR).transaction_id
    second = begin(live, "CARD", ago=3 * HOUR, meter=3000).transaction_id
    end(live, first, ago=4 * HOUR, meter=3000)
    end(live, second, ago=2 * HOUR, meter=4000)
    assert [row.cost_minor for row in by_start()] == [2_500, 1_250]
    assert available(alice) == 150_000 - 3_750


def test_a_late_stop_collects_only_what_the_next_charge_does_not_hold(live, card, alice):
    """The second start holds all that alice has, so the first charge, told later, is a loss."""
    first = begin(live, "CARD", ago=5 * HOUR).transaction_id
    second = begin(live, "CARD", ago=3 * HOUR, meter=3000).transaction_id
    end(live, first, ago=4 * HOUR, meter=3000)
    end(live, second, ago=2 * HOUR, meter=4000)
    assert [row.cost_minor for row in by_start()] == [0, 1_250]
    assert (available(alice), loss()) == (98_750, 2_500)


@pytest.mark.parametrize(
    ("change", "status"),
    [({"status": IdTag.Status.BLOCKED}, "Blocked"), ({"parent_id_tag": "FAMILY"}, "Accepted")],
)
def test_what_happened_to_a_tag_meanwhile(live, card, olga, change, status):
    """A block has no date: it holds from whenever it is known. What follows is for staff."""
    tags.change_tag("CARD", TagValues(**change), actor=olga)
    verdict = begin(live, "CARD", ago=2 * HOUR)
    assert verdict.tag.status == status
    end(live, verdict.transaction_id, ago=HOUR, meter=5000)
    session = ChargingSession.objects.get()
    assert session.status == ("review" if status == "Blocked" else "completed")


@pytest.mark.parametrize(("expired_ago_h", "status"), [(1, "Accepted"), (3, "Expired")])
def test_a_tag_is_expired_or_not_at_the_stations_time(live, card, expired_ago_h, status):
    IdTag.objects.update(expires_at=live.now - expired_ago_h * HOUR)
    assert begin(live, "CARD", ago=2 * HOUR).tag.status == status


def test_a_tag_is_judged_at_the_corrected_time_of_a_wrong_clock(stage, card):
    """The station is ten hours behind: what it calls two hours ago was just now."""
    Station.objects.update(clock_offset_s=10 * 3600)
    stage.station.refresh_from_db()
    IdTag.objects.update(expires_at=stage.now - HOUR)
    assert stage.begin("CARD", at=stage.now - 10 * HOUR).tag.status == "Expired"


def test_money_that_ran_out_meanwhile_is_loss_and_an_alert_and_never_debt(live, bob):
    IdTag.objects.create(id_tag="BOB", identity="bob", user=bob)
    top_up(bob, 3_000)
    for ago, meter in ((6, 1000), (4, 3000), (2, 5000)):
        number = begin(live, "BOB", ago=ago * HOUR, meter=meter).transaction_id
        end(live, number, ago=(ago - 1) * HOUR, meter=meter + 2000)
    assert [row.cost_minor for row in by_start()] == [2_500, 500, 0]
    assert (available(bob), loss()) == (0, 4_500)
    alerts = Alert.objects.filter(kind="unfunded_charge", resolved_at=None)
    assert alerts.count() == 2


def test_a_charge_that_began_in_1970_is_billed_though_nobody_knows_when(stage, card, alice):
    """A clock without a battery, until Boot has told it the time; the meter is right."""
    boot(stage)
    stage.register_wh = Decimal(1000)
    number = stage.begin("CARD", at=dt.datetime(1970, 1, 1, 0, 5, tzinfo=dt.UTC)).transaction_id
    end(stage, number, ago=dt.timedelta(0), meter=5000)
    session = ChargingSession.objects.get()
    assert (session.status, session.cost_minor) == ("completed", 5_000)
    assert abs(session.started_at - stage.now) < dt.timedelta(minutes=1)
    assert {"clock_unknown", "clock_changed"} <= set(session.flags)


def test_state_before_money_ends_no_session(live, card, alice):
    """Field note 16: Finishing, Available and Preparing come before the readings and the stop."""
    number = begin(live, "CARD", ago=dt.timedelta(minutes=1)).transaction_id
    live.disconnect()
    live.pass_time(minutes=20)
    live.reconnect()
    for status in ("Finishing", "Available", "Preparing"):
        said = reports.Status(1, status, live.now, at=live.now)
        reports.record_status(station=Station.objects.get(), status=said)
    live.sample(number, register_wh=4000, at=live.now - dt.timedelta(minutes=15))
    end(live, number, ago=dt.timedelta(minutes=10), meter=5000)
    session = ChargingSession.objects.get()
    assert (session.status, session.cost_minor) == ("completed", 5_000)


def test_power_loss_while_offline_bills_no_negative(stage, card, alice):
    """Field note 17: Boot, Charging, an old start, and meterStop 0 below meterStart 98."""
    boot(stage)
    said = reports.Status(1, "Charging", stage.now, at=stage.now)
    reports.record_status(station=Station.objects.get(), status=said)
    number = begin(stage, "CARD", ago=HOUR, meter=98).transaction_id
    stage.end(number, register_wh=0, reason="DeAuthorized")
    session = ChargingSession.objects.get()
    assert (session.status, session.cost_minor) == ("completed", 0)
    assert "meter_stop_below_start" in session.flags
    assert available(alice) == 100_000


def test_a_stop_hours_after_the_session_was_given_up_corrects_it(live, card, alice):
    """Field note 14: lost, ended on its last reading, and then the station is back."""
    number = begin(live, "CARD", ago=dt.timedelta(seconds=5)).transaction_id
    live.deliver(number, 2000)
    live.disconnect()
    session = ChargingSession.objects.get()
    expire.run_due(live.now)
    expire.run_due(live.now + 2 * HOUR)
    session.refresh_from_db()
    assert (session.status, session.cost_minor, session.stop_reason) == ("completed", 2_500, "lost")
    live.pass_time(hours=3)
    live.reconnect()
    for _ in range(2):  # field note 20
        end(live, number, ago=HOUR, meter=7000)
    session.refresh_from_db()
    assert (session.cost_minor, available(alice)) == (7_500, 92_500)
