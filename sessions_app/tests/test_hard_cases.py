"""What stations and the clock do to a charge where nothing was meant to go wrong."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing import ledger
from billing.models import Account, Tariff
from conftest import PRICE
from sessions_app.models import ChargingSession, IdTag, Orphan, Reading
from sessions_app.services import authorize, begin, end, expire
from sessions_app.tests.promises import check_books, check_sessions
from stations import commands
from stations.gateway.v16 import facts
from stations.models import Command, GatewayProcess, Station

pytestmark = pytest.mark.django_db

LAST_DAY = "9999-12-31T23:59:59Z"
FIRST_DAY = "0001-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def promises_hold(db):
    yield
    check_books()
    check_sessions()


def money(user):
    account = ledger.account_of(user)
    account.refresh_from_db()
    return account.balance_minor, account.held_minor


def stops_asked(session):
    return Command.objects.filter(reference=session.reference, action="RemoteStopTransaction")


def say_started(stage, tag, *, timestamp, meter_start: object = 1000):
    payload = {
        "connectorId": 1,
        "idTag": tag,
        "meterStart": meter_start,
        "timestamp": timestamp,
    }
    stage.started_at, stage.meter_start = stage.now, stage.register_wh
    return begin.begin(station=fresh(stage), fact=facts.started(payload, stage.now))


def say_stopped(stage, transaction_id, *, timestamp=None, meter_stop: object = 9000, **more):
    payload = {
        "transactionId": transaction_id,
        "meterStop": meter_stop,
        "timestamp": timestamp or facts.wire_time(stage.now),
    }
    fact = facts.stopped(payload | more, stage.now)
    return end.end(station=fresh(stage), fact=fact)


def say_metered(stage, transaction_id, *sampled, timestamp=None):
    payload = {
        "connectorId": 1,
        "transactionId": transaction_id,
        "meterValue": [
            {"timestamp": timestamp or facts.wire_time(stage.now), "sampledValue": list(sampled)}
        ],
    }
    fact = facts.metered(payload, stage.now, None)
    stage.follower.take(fresh(stage), fact)


def fresh(stage):
    """The station as the gateway gets it for each call."""
    return Station.objects.get(pk=stage.station.pk)


# --- Clocks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("timestamp", [LAST_DAY, FIRST_DAY])
@pytest.mark.parametrize("started_behind_s", [0, 3_600])
def test_a_stop_at_an_impossible_time_still_ends_the_session(
    stage, alice, timestamp, started_behind_s
):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.begin(session, at=stage.now - dt.timedelta(seconds=started_behind_s))
    session.refresh_from_db()
    say_stopped(stage, session.transaction_id, timestamp=timestamp)
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 10_000)
    assert "clock_changed" in session.flags
    assert money(alice) == (90_000, 0)


@pytest.mark.parametrize("timestamp", [LAST_DAY, FIRST_DAY])
def test_a_sample_at_an_impossible_time_is_no_failure(stage, alice, timestamp):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.begin(session, at=stage.now - dt.timedelta(hours=1))
    session.refresh_from_db()
    stage.pass_time(seconds=60)
    say_metered(stage, session.transaction_id, {"value": "2000"}, timestamp=timestamp)
    stage.deliver(session.transaction_id, 8_000)
    session.refresh_from_db()
    assert session.cost_minor == 10_000
    expire.run_due(stage.now + dt.timedelta(hours=20))
    stage.end(session.transaction_id)


@pytest.mark.parametrize("timestamp", [LAST_DAY, FIRST_DAY, "2099-01-01T00:00:00Z"])
def test_one_impossible_time_does_not_spoil_the_next_start(stage, alice, timestamp):
    IdTag.objects.create(id_tag="CARD", identity="card", user=alice)
    say_metered(stage, None, {"value": "1000"}, timestamp=timestamp)
    verdict = say_started(stage, "CARD", timestamp=facts.wire_time(stage.now))
    assert verdict.tag.status == "Accepted"
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert abs(session.started_at - stage.now) < dt.timedelta(minutes=2)
    stage.end(verdict.transaction_id)


@pytest.mark.parametrize("timestamp", [LAST_DAY, FIRST_DAY])
def test_a_start_at_an_impossible_time_begins_now(stage, alice, timestamp):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    verdict = say_started(stage, session.id_tag, timestamp=timestamp)
    again = say_started(stage, session.id_tag, timestamp=timestamp)
    assert verdict == again
    session.refresh_from_db()
    assert session.status == "charging"
    say_stopped(stage, verdict.transaction_id)
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 10_000)


def test_a_clock_that_is_set_back_does_not_hide_what_flows(stage, alice):
    """Samples before the start are old ones, or the clock changed: then nothing was heard."""
    session = stage.charge(alice, "amount", "100")
    for _ in range(10):
        stage.pass_time(seconds=60)
        stage.register_wh += 1_000
        stage.sample(session.transaction_id, at=stage.now - dt.timedelta(hours=2))
    expire.run_due(stage.now)
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")


def test_a_session_whose_meter_says_no_energy_is_stopped_before_its_hold(stage, alice):
    session = stage.charge(alice, "amount", "100")
    for _ in range(20):
        stage.pass_time(seconds=60)
        say_metered(stage, session.transaction_id, {"value": "40", "measurand": "SoC"})
    expire.run_due(stage.now)
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")


def test_a_start_of_yesterday_is_no_start_of_an_open_session(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    ChargingSession.objects.filter(pk=session.pk).update(
        requested_at=stage.now - dt.timedelta(hours=25)
    )
    verdict = stage.begin(session)
    assert verdict.tag.status == "Invalid"
    session.refresh_from_db()
    assert session.status == "error"
    assert money(alice) == (100_000, 0)


# --- Numbers ---------------------------------------------------------------------------------

HUGE = [
    {"value": "99999999999", "unit": "kWh"},
    {"value": "999999999999.9999", "unit": "Wh"},
    {"value": "99999999999", "unit": "kW", "measurand": "Power.Active.Import"},
    {"value": "999.999", "measurand": "SoC"},
    {"value": "65535", "measurand": "SoC"},
    {"value": "-65535", "measurand": "SoC"},
    {"value": "1E-99999", "unit": "Wh"},
]


@pytest.mark.parametrize("sampled", HUGE)
def test_a_number_that_no_meter_shows_spoils_nothing(stage, alice, sampled):
    session = stage.charge(alice)
    stage.pass_time(seconds=60)
    say_metered(stage, session.transaction_id, sampled)
    say_stopped(
        stage,
        session.transaction_id,
        transactionData=[{"timestamp": facts.wire_time(stage.now), "sampledValue": [sampled]}],
    )
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 10_000)


def test_phases_whose_sum_no_meter_shows_spoil_nothing(stage, alice):
    session = stage.charge(alice)
    phases = [{"value": "90000000", "unit": "kWh", "phase": f"L{n}"} for n in (1, 2, 3)]
    say_metered(stage, session.transaction_id, *phases)
    say_stopped(stage, session.transaction_id)
    session.refresh_from_db()
    assert session.cost_minor == 10_000


@pytest.mark.parametrize("meter_start", ["0." + "1" * 400, "1E-5000", "0E-9999", -5, "-5.5"])
def test_an_odd_meter_start_begins_all_the_same(stage, alice, meter_start):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    verdict = say_started(
        stage, session.id_tag, timestamp=facts.wire_time(stage.now), meter_start=meter_start
    )
    assert verdict.tag.status == "Accepted"
    say_stopped(stage, verdict.transaction_id, meter_stop=8000)
    session.refresh_from_db()
    assert (session.status, session.energy_wh // 10) == ("completed", 800)


@pytest.mark.parametrize("meter_stop", [2**31 - 1, -(2**31), "99999999999", None, "1E400"])
def test_an_odd_meter_stop_ends_all_the_same(stage, alice, meter_stop):
    session = stage.charge(alice)
    say_stopped(stage, session.transaction_id, meter_stop=meter_stop)
    session.refresh_from_db()
    assert session.status == "completed"
    assert money(alice)[1] == 0


@pytest.mark.parametrize("value", ["²", "99999999999999999999", "-1", "many"])
def test_a_configured_time_that_is_none_stops_nobody(stage, alice, value):
    Station.objects.update(
        configuration={
            key: {"value": value} for key in ("ConnectionTimeOut", "MeterValueSampleInterval")
        }
    )
    stage.station = Station.objects.select_related("owner").get(pk=stage.station.pk)
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    expire.run_due(stage.now + dt.timedelta(hours=30))
    session.refresh_from_db()
    assert session.status == "stopping"
    stage.end(session.transaction_id)
    assert money(alice) == (90_000, 0)


# --- The worker ------------------------------------------------------------------------------


def test_a_lease_that_ran_out_for_a_moment_ends_no_session(stage, alice):
    """The database was away: the process could not renew, but its sockets stayed open."""
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    lease_at = stage.station.owner.lease_at
    GatewayProcess.objects.update(lease_at=stage.now - dt.timedelta(hours=1))
    expire.run_due(stage.now)
    session.refresh_from_db()
    assert session.lost_at is not None
    GatewayProcess.objects.update(lease_at=lease_at)
    expire.run_due(stage.now)
    session.refresh_from_db()
    assert session.lost_at is None
    expire.run_due(stage.now + dt.timedelta(hours=1, seconds=1))
    session.refresh_from_db()
    assert session.stop_reason != "lost"


def test_one_session_that_cannot_be_looked_at_does_not_keep_the_others_waiting(stage, alice):
    broken = stage.charge(alice, value="100", connector_id=1)
    other = stage.ask(alice, value="100", connector_id=2)
    tariff = Tariff.objects.create(currency="KGS", elements=[{"no": "element"}])
    ChargingSession.objects.filter(pk=broken.pk).update(
        tariff=tariff, due_at=stage.now - dt.timedelta(days=1)
    )
    expire.run_due(stage.now + dt.timedelta(minutes=1))
    other.refresh_from_db()
    assert (other.status, other.error_code) == ("error", "station_timeout")
    broken.refresh_from_db()
    assert broken.due_at > stage.now
    ChargingSession.objects.filter(pk=broken.pk).update(tariff=Tariff.objects.earliest("pk"))


def test_a_cancelled_start_that_begins_late_gets_its_time_to_stop(stage, alice, settings):
    settings.CSMS_STOP_TIMEOUT_S = 30
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.stop(session, alice)
    stage.pass_time(seconds=60)
    stage.begin(session)
    expire.run_due(stage.now + dt.timedelta(seconds=11))
    session.refresh_from_db()
    assert session.status == "stopping"
    stage.end(stage_transaction(session))


def stage_transaction(session):
    session.refresh_from_db()
    return session.transaction_id


def test_a_command_that_was_withdrawn_is_not_sent(stage, alice):
    """Who takes the next command may have read it before it was withdrawn."""
    session = stage.charge(alice)
    stage.stop(session, alice)
    command = commands.next_queued(stage.station.pk, stage.station.fence)
    stage.end(session.transaction_id)
    assert not commands.mark_sent(command, stage.station.fence)
    command.refresh_from_db()
    assert (command.status, command.error["code"]) == ("expired", "withdrawn")


@pytest.mark.parametrize(
    "say", [lambda *to: say_metered(*to, {"value": "2000"}), say_stopped], ids=["reading", "stop"]
)
def test_the_station_is_locked_before_its_session(stage, alice, say):
    """A start locks them so: in another order they would wait for each other."""
    session = stage.charge(alice)
    Station.objects.update(clock_offset_s=None)
    with CaptureQueriesContext(connection) as queries:
        say(stage, session.transaction_id)
    texts = [query["sql"] for query in queries]
    learnt = next(n for n, sql in enumerate(texts) if sql.startswith('UPDATE "stations_station"'))
    assert not any("sessions_app_chargingsession" in sql for sql in texts[:learnt])
    Station.objects.update(clock_offset_s=0)


# --- Prices ----------------------------------------------------------------------------------


def reprice(tariff, **values):
    for name, value in values.items():
        setattr(tariff, name, value)
    tariff.save()


def priced(*components):
    return [
        {"price_components": [{"type": kind, "price": price, "step_size": 1}]}
        for kind, price in components
    ]


def test_a_free_charge_needs_no_money(stage, bob, tariff):
    reprice(tariff, price_per_kwh=Decimal(0))
    session = stage.charge(bob, "full", None)
    stage.deliver(session.transaction_id, 50_000)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert (session.status, session.cost_minor, session.hold_minor) == ("completed", 0, 0)


def test_a_free_charge_by_tag_needs_no_money(stage, bob, tariff):
    reprice(tariff, price_per_kwh=Decimal(0))
    IdTag.objects.create(id_tag="BOB", identity="bob", user=bob)
    judged = authorize.judge_tag(station=stage.station, id_tag="BOB", at=stage.now)
    assert judged.status == "Accepted"
    verdict = stage.begin("BOB")
    assert verdict.tag.status == "Accepted"
    stage.deliver(verdict.transaction_id, 50_000)
    assert not Command.objects.exists()
    stage.end(verdict.transaction_id)


def test_free_energy_with_paid_parking_is_not_free(stage, alice, bob, tariff):
    reprice(tariff, price_per_kwh=None, elements=priced(("PARKING_TIME", "60.00")))
    assert stage.ask(bob, "full").error_code == "insufficient_funds"
    assert stage.ask(alice, "energy", "10", max_amount="30").hold_minor == 3_000
    assert stage.ask(alice, "full", connector_id=2).hold_minor == 97_000


def test_an_offline_start_without_money_that_still_runs_is_stopped(stage, bob):
    IdTag.objects.create(id_tag="BOB", identity="bob", user=bob)
    verdict = stage.begin("BOB", at=stage.now - dt.timedelta(hours=1))
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert session.status == "charging"
    stage.deliver(verdict.transaction_id, 500)
    assert stops_asked(session).count() == 1
    stage.end(verdict.transaction_id)
    assert ledger.house(Account.Kind.LOSS).balance_minor == -625


def test_a_flat_fee_counts_towards_the_bought_amount(stage, alice, tariff):
    reprice(tariff, price_per_kwh=PRICE, elements=priced(("FLAT", "20.00")))
    session = stage.charge(alice, "amount", "20.10")  # the fee, and 8 Wh
    stage.deliver(session.transaction_id, 8)
    session.refresh_from_db()
    assert session.status == "stopping"
    stage.end(session.transaction_id)
    assert money(alice) == (97_990, 0)


# --- Repeats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("transaction_id", [None, 0, 4_711])
def test_repeated_readings_of_no_session_are_stored_once(stage, transaction_id):
    stage.sample(transaction_id)
    stage.sample(transaction_id)
    assert Reading.objects.count() == 1


def test_a_repeated_stop_of_an_unknown_transaction_without_a_time_is_one_orphan(stage):
    for _ in range(2):
        fact = facts.stopped({"transactionId": 4_711, "meterStop": 5}, stage.now)
        end.end(station=fresh(stage), fact=fact)
        stage.pass_time(seconds=60)
    assert Orphan.objects.count() == 1
