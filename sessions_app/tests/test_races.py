"""What happens at once: threads with connections of their own against one database."""

import contextlib
import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connection
from django.utils import timezone

from billing import ledger
from billing.models import User
from conftest import top_up
from sessions_app.errors import ReservationEnded, ReservationLimit, SessionEnded
from sessions_app.models import ChargingSession, IdTag, Reservation
from sessions_app.services import calls, expire, reserve
from sessions_app.services.reserve import Holder
from sessions_app.tests.promises import check_books, check_sessions
from sessions_app.tests.stage import Stage
from stations.errors import ConnectorBusy, ConnectorReserved
from stations.models import Command, Connector, Station

pytestmark = pytest.mark.django_db(transaction=True)


def run_at_once(*acts):
    """Run each in a thread of its own, all released together; return what they returned."""
    barrier = threading.Barrier(len(acts))

    def run(act):
        barrier.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(run, act) for act in acts]]


@pytest.fixture
def stages(station):
    """Thirty stations with one connector each."""
    rows = [Station(station_id=f"R-{n}", identity=f"r-{n}") for n in range(30)]
    Station.objects.bulk_create(rows)
    Connector.objects.bulk_create(
        Connector(station=row, connector_id=1, status="Available") for row in rows
    )
    return [Stage(row) for row in rows]


def test_thirty_starts_at_once_on_a_balance_for_five_hold_five(stages, bob):
    top_up(bob, 50_000)
    sessions = run_at_once(*(lambda s=stage: s.ask(bob, value="100") for stage in stages))
    codes = [session.error_code for session in sessions]
    assert codes.count("") == 5
    assert codes.count("insufficient_funds") == 25
    account = ledger.account_of(bob)
    assert (account.balance_minor, account.held_minor) == (50_000, 50_000)
    check_books()
    check_sessions()


def test_one_connector_is_sold_once(stage, alice, bob):
    top_up(bob, 50_000)

    def ask(driver):
        try:
            return stage.ask(driver, value="100").pk
        except ConnectorBusy as error:
            return error.code

    outcomes = run_at_once(*(lambda d=driver: ask(d) for driver in (alice, bob) * 4))
    assert outcomes.count("connector_busy") == 7
    assert ChargingSession.objects.count() == 1


def test_a_double_stop_at_once_charges_once(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    run_at_once(*[lambda: stage.end(session.transaction_id)] * 4)
    session.refresh_from_db()
    assert session.cost_minor == 10_000
    check_books()


def test_one_start_sent_twice_at_once_is_one_transaction(stage, alice):
    IdTag.objects.create(id_tag="CARD", identity="card", user=alice)
    stage.started_at, stage.meter_start = stage.now, stage.register_wh
    verdicts = run_at_once(*[lambda: stage.repeat_begin("CARD")] * 4)
    assert len({verdict.transaction_id for verdict in verdicts}) == 1
    check_sessions()


def test_everything_at_once_on_one_session_neither_deadlocks_nor_doubles(stage, alice, olga):
    """Readings, a stop, the worker, the lane and a new start meet on one connector."""
    IdTag.objects.create(id_tag="CARD", identity="card", user=alice)
    for _ in range(5):
        session = stage.charge(alice, "amount", "100")
        number = session.transaction_id

        def carry():
            command = stage.take_command()
            if command:
                stage.answer(command)

        def stop(session=session):
            with contextlib.suppress(SessionEnded):
                stage.stop(session, olga)

        run_at_once(
            *[lambda n=number: stage.sample(n, register_wh=stage.register_wh + 4_000)] * 3,
            stop,
            lambda: expire.run_due(timezone.now()),
            carry,
            lambda n=number: stage.end(n),
            lambda: stage.begin("CARD"),
        )
        stage.pass_time(seconds=60)
        check_books()
        check_sessions()
        for row in ChargingSession.objects.running():
            stage.end(row.transaction_id)
        while command := stage.take_command():
            stage.answer(command)
    close_old_connections()


def reserve_at(stage, driver):
    try:
        return reserve.reserve(
            holder=Holder(driver),
            station_id=stage.station.station_id,
            connector_id=1,
            expires_at=timezone.now() + dt.timedelta(minutes=10),
            actor=driver,
        )
    except (ConnectorReserved, ReservationLimit) as refusal:
        return refusal.code


def test_many_who_reserve_one_connector_at_once_get_it_once(stages):
    drivers = [User.objects.create_user(f"driver{number}") for number in range(8)]
    for driver in drivers:
        top_up(driver, 10_000)
    got = run_at_once(*(lambda d=driver: reserve_at(stages[0], d) for driver in drivers))
    assert got.count("connector_reserved") == 7
    assert Reservation.objects.count() == 1


def test_one_who_reserves_everywhere_at_once_gets_one_place(stages, alice):
    got = run_at_once(*(lambda s=stage: reserve_at(s, alice) for stage in stages[:8]))
    assert got.count("reservation_limit") == 7
    assert Reservation.objects.count() == 1


def cancel_or_find_it_ended(reservation, driver):
    with contextlib.suppress(ReservationEnded):
        reserve.cancel(reservation_id=reservation.pk, actor=driver)


def test_a_reservation_that_is_cancelled_while_its_call_ends_never_deadlocks(stages, alice):
    """Both want the station and the command: they take them in one order."""
    for stage in stages[:10]:
        made = reserve_at(stage, alice)
        command = Command.objects.get(reference=made.reference)
        run_at_once(
            lambda made=made: cancel_or_find_it_ended(made, alice),
            lambda command=command: calls.record_expiry(command.pk),
        )
        made.refresh_from_db()
        assert not made.is_active
