"""Samples that keep the rules: stored together, bound to what they were judged by, never other
than the whole use case would have done it."""

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import Tariff
from sessions_app.facts import Metered, Sample
from sessions_app.models import ChargingSession, Reading, SessionStatus
from sessions_app.running import BACKUP_AFTER, IN_KWH
from sessions_app.services import expire, meter, tracking
from sessions_app.tests.stage import Stage
from stations import meters
from stations.clock import STEP_S
from stations.metering import Habits
from stations.models import Command, Connector, Station

pytestmark = [pytest.mark.usefixtures("promises_hold")]


def followed(stage, driver, *limit):
    """A session that has delivered 100 Wh and is followed from there."""
    session = stage.charge(driver, *limit)
    stage.deliver(session.transaction_id, 100)
    return session


def step_of(stage, session, energy_wh=100, **sample):
    """What the next sample of a followed session changes."""
    stage.pass_time(seconds=10)
    stage.register_wh += energy_wh
    told = Sample(stage.now, stage.register_wh, context="Sample.Periodic", **sample)
    fact = Metered(1, session.transaction_id, (told,), stage.now)
    return stage.follower.running[session.transaction_id].advance(fact, least_gain_s=STEP_S)


def test_a_sample_that_keeps_the_rules_reads_no_row(stage, alice, django_assert_max_num_queries):
    session = followed(stage, alice)
    step = step_of(stage, session)
    with django_assert_max_num_queries(4):  # on SQLite: BEGIN, UPDATE, INSERT, COMMIT
        assert tracking.store([step]) == [True]


def test_what_is_stored_is_what_was_told(stage, alice):
    session = followed(stage, alice)
    stage.deliver(session.transaction_id, "2345.678", power_w=Decimal("7000.5"), soc=Decimal(55))
    assert stage.follower.steps == 1
    session.refresh_from_db()
    assert (session.energy_wh, session.cost_minor) == (2446, 3058)
    assert session.meter_last_wh == Decimal("3445.678")
    assert session.last_reading_at == stage.now
    row = session.readings.order_by("at").last()
    assert (row.at, row.received_at, row.station, row.connector_id) == (
        stage.now,
        stage.now,
        stage.station,
        1,
    )
    told = (row.register_wh, row.power_w, row.soc, row.context, row.flags)
    assert told == (Decimal("3445.678"), Decimal("7000.5"), 55, "Sample.Periodic", [])


def test_many_sessions_are_stored_together(station, alice):
    stages = []
    for number in range(3):
        place = Station.objects.create(
            station_id=f"N-{number}", identity=f"n-{number}", security_profile=0
        )
        Connector.objects.create(station=place, connector_id=1, status="Available")
        stages.append(Stage(place))
    sessions = [followed(stage, alice, "amount", "100") for stage in stages]
    steps = [step_of(*pair) for pair in zip(stages, sessions, strict=True)]
    assert tracking.store(steps) == [True] * 3
    assert [Reading.objects.filter(session=one).count() for one in sessions] == [3] * 3


# --- What goes the whole way ---------------------------------------------------------------------


def test_a_session_that_moved_is_never_written_over(stage, alice):
    session = followed(stage, alice)
    step = step_of(stage, session)
    stage.stop(session, alice)
    assert tracking.store([step]) == [False]
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == (SessionStatus.STOPPING, 100)
    assert session.readings.count() == 2


def test_its_sample_is_not_lost(stage, alice):
    session = followed(stage, alice)
    stage.stop(session, alice)
    stage.deliver(session.transaction_id, 50)
    session.refresh_from_db()
    assert (stage.follower.steps, session.energy_wh) == (0, 150)


def test_of_two_steps_of_one_session_the_first_counts(stage, alice):
    session = followed(stage, alice)
    steps = [step_of(stage, session), step_of(stage, session)]
    assert tracking.store(steps) == [True, False]
    session.refresh_from_db()
    assert session.energy_wh == 200


def test_a_step_that_is_stored_again_changes_nothing(stage, alice):
    """A commit whose confirmation was lost is tried again by the writer (P3)."""
    session = followed(stage, alice)
    step = step_of(stage, session)
    assert tracking.store([step]) == [True]
    assert tracking.store([step]) == [False]
    assert session.readings.count() == 3


def test_the_sample_that_reaches_the_hold_stops_the_session(stage, alice):
    session = followed(stage, alice, "amount", "10")
    stage.deliver(session.transaction_id, 500)  # below the 80 % that its driver is told of
    assert stage.follower.steps == 1
    stage.deliver(session.transaction_id, 200)
    session.refresh_from_db()
    assert (stage.follower.steps, session.status) == (1, SessionStatus.STOPPING)
    assert Command.objects.filter(action="RemoteStopTransaction").count() == 1


@pytest.mark.parametrize(
    ("limit", "sample"),
    [
        (("energy", "0.2"), {}),
        (("soc", "80"), {"soc": Decimal(80)}),
        (("time", "1"), {}),
    ],
)
def test_the_sample_that_reaches_a_limit_stops_the_session(stage, alice, limit, sample):
    session = followed(stage, alice, *limit)
    stage.deliver(session.transaction_id, 100, **sample)
    session.refresh_from_db()
    assert (stage.follower.steps, session.status) == (0, SessionStatus.STOPPING)


@pytest.mark.parametrize(
    "sample",
    [
        {"register_wh": 1050},  # below the last one
        {"flags": ("unreadable",)},
        {"at": -1},  # before the last one
        {"at": 1},  # from the future: the clock was set
    ],
)
def test_a_sample_that_is_odd_goes_the_whole_way(stage, alice, sample):
    session = followed(stage, alice)
    if "at" in sample:
        sample["at"] = stage.now + dt.timedelta(hours=sample["at"])
    stage.deliver(session.transaction_id, 100, seconds=10, **sample)
    assert stage.follower.steps == 0


def test_a_message_of_several_moments_goes_the_whole_way(stage, alice):
    session = followed(stage, alice)
    stage.pass_time(seconds=20)
    samples = tuple(
        Sample(stage.now - dt.timedelta(seconds=ago), Decimal(register))
        for ago, register in ((10, 1150), (0, 1200))
    )
    stage.follower.take(stage.station, Metered(1, session.transaction_id, samples, stage.now))
    assert (stage.follower.steps, session.readings.count()) == (0, 4)


def test_kilowatt_hours_are_followed_where_they_can_be_nothing_else(stage, alice):
    session = followed(stage, alice)
    stage.deliver(session.transaction_id, 100, is_kwh=True)
    assert stage.follower.steps == 1
    assert session.readings.latest("at").flags == [IN_KWH.strip('[]"')]


def time_has_a_price(stage):
    tariff = Tariff.objects.get()
    Tariff.objects.filter(pk=tariff.pk).update(
        elements=[{"price_components": [{"type": "TIME", "price": "60.00", "step_size": 60}]}]
    )


def the_register_restarts(stage):
    meters.state_habits(
        station=stage.station, habits=Habits(register="boot"), by=stage.olga, reason="seen"
    )
    stage.station = Station.objects.select_related("owner", "meter_profile").get()


@pytest.mark.parametrize("cause", [time_has_a_price, the_register_restarts])
def test_what_cannot_be_followed_is_not(stage, alice, olga, cause):
    stage.olga = olga
    cause(stage)
    session = followed(stage, alice)
    assert stage.follower.running == {}
    stage.deliver(session.transaction_id, 100)
    session.refresh_from_db()
    assert (stage.follower.steps, session.energy_wh) == (0, 200)


def test_a_session_that_has_delivered_nothing_is_not_followed(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 0)
    assert stage.follower.running == {}


def test_a_station_of_which_staff_say_something_new_is_not_followed(stage, alice):
    session = followed(stage, alice)
    Station.objects.update(max_power_kw=11)
    stage.deliver(session.transaction_id, 100)
    assert stage.follower.steps == 0


# --- When the worker looks -----------------------------------------------------------------------


def test_silence_is_never_noticed_late(stage, alice):
    """The due time moves when half of it is over: it may be early, and then the worker goes on."""
    session = followed(stage, alice)
    for _ in range(40):
        stage.deliver(session.transaction_id, 10, seconds=10)
        session.refresh_from_db()
        silent_at = stage.now + dt.timedelta(seconds=180)
        assert silent_at - dt.timedelta(seconds=90) <= session.due_at <= silent_at
    assert stage.follower.steps == 40


def test_a_look_that_comes_early_changes_nothing_that_pays(stage, alice):
    session = followed(stage, alice)
    for _ in range(5):
        stage.deliver(session.transaction_id, 10, seconds=10)
    session.refresh_from_db()
    expire.run_due(session.due_at)
    looked = ChargingSession.objects.get(pk=session.pk)
    assert looked.status == SessionStatus.CHARGING
    assert looked.due_at == stage.now + dt.timedelta(seconds=180)
    stage.deliver(session.transaction_id, 10, seconds=10)
    assert stage.follower.steps == 6


def test_the_end_of_a_time_that_was_bought_is_looked_at_when_it_comes(stage, alice):
    session = followed(stage, alice, "time", "3")
    stage.deliver(session.transaction_id, 10, seconds=10)
    session.refresh_from_db()
    assert stage.follower.steps == 1
    assert session.stop_at == session.started_at + dt.timedelta(minutes=3, seconds=-1)
    assert session.due_at == session.stop_at + BACKUP_AFTER


# --- The same as the whole use case --------------------------------------------------------------

MOMENTS = st.lists(
    st.tuples(
        st.integers(-20, 60),  # seconds
        st.decimals(-50, 400, places=1),  # Wh
        st.booleans(),  # labelled kWh
        st.none() | st.decimals(0, 22_000, places=1),  # W
        st.none() | st.integers(0, 100),  # per cent
    ),
    max_size=25,
)
COMPARED = (
    "status",
    "energy_wh",
    "cost_minor",
    "meter_last_wh",
    "last_reading_at",
    "flags",
)
KEPT = ("at", "received_at", "register_wh", "power_w", "soc", "context", "flags")


def play(stage, driver, limit, moments, take):
    session = followed(stage, driver, *limit)
    for seconds, wh, is_kwh, power, soc in moments:
        stage.pass_time(seconds=max(1, seconds))
        stage.register_wh += wh
        at = stage.now if seconds > 0 else stage.now + dt.timedelta(seconds=seconds)
        told = Sample(at, stage.register_wh, power, soc, "Sample.Periodic", is_kwh=is_kwh)
        take(
            Station.objects.select_related("meter_profile").get(pk=stage.station.pk),
            Metered(1, session.transaction_id, (told,), stage.now),
        )
    session.refresh_from_db()
    rows = list(session.readings.order_by("at").values_list(*KEPT))
    left = session.stop_at and session.stop_at - session.started_at
    return [left, *(getattr(session, name) for name in COMPARED)], rows


@pytest.mark.usefixtures("tariff")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    moments=MOMENTS,
    limit=st.sampled_from([("amount", "40"), ("energy", "3"), ("soc", "80"), ("full", None)]),
)
def test_following_changes_nothing_but_the_cost(station, alice, moments, limit):
    outcomes = []
    now = Stage(station).now + dt.timedelta(seconds=30)  # after both requests, however slow
    for is_followed in (True, False):
        with transaction.atomic():
            stage = Stage(station)
            stage.now = now
            take = stage.follower.take if is_followed else record
            outcomes.append(play(stage, alice, limit, moments, take))
            transaction.set_rollback(True)
    assert outcomes[0] == outcomes[1]


def record(station, fact):
    meter.record(station=station, fact=fact)


# --- PostgreSQL's own ----------------------------------------------------------------------------


@pytest.mark.on_postgres
@pytest.mark.django_db(transaction=True)
def test_a_session_that_someone_holds_keeps_no_other_waiting(stage, alice):
    """It is passed over, and its message goes the whole way."""
    session = followed(stage, alice)
    step = step_of(stage, session)
    is_held, is_done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            ChargingSession.objects.locked(session.pk)
            is_held.set()
            is_done.wait(20)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    is_held.wait(20)
    try:
        assert tracking.store([step]) == [False]
    finally:
        is_done.set()
        other.join()
    assert tracking.store([step]) == [True]


@pytest.mark.on_postgres
def test_one_statement_stores_all_and_is_prepared_once(stage, alice):
    session = followed(stage, alice)
    for _ in range(3):
        step = step_of(stage, session)
        assert tracking.store([step]) == [True]
        stage.follower.running[session.transaction_id].take(step)
    with connection.cursor() as cursor:
        prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%unmoved%'"
        cursor.execute(prepared)
        assert cursor.fetchone() == (1,)
