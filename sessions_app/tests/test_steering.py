"""Sessions are stopped at their limit and not after it, whoever comes first (docs/adr/0080)."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from sessions_app.models import SessionEvent
from sessions_app.outlook import Outlook
from sessions_app.running import BACKUP_AFTER
from sessions_app.services import expire, resume, steering
from stations.models import Command, Connector, ConnectorStatus, Station, StopHabit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("tariff")]


FAST_W = Decimal(60_000)
"""1 kWh a minute."""


def refreshed(session):
    session.refresh_from_db()
    return session


def in_seconds(stage, session):
    """How far ahead its stop is."""
    return (refreshed(session).stop_at - stage.now).total_seconds()


def asks(session):
    return Command.objects.filter(reference=session.reference, action="TriggerMessage")


def stops(session):
    return Command.objects.filter(reference=session.reference, action="RemoteStopTransaction")


@pytest.fixture
def may_ask(settings):
    settings.CSMS_PROVISION = True


# --- When ----------------------------------------------------------------------------------------


def test_until_its_first_reading_a_session_is_projected_at_full_power(powered, alice):
    session = powered.charge(alice, "energy", "11")
    assert in_seconds(powered, session) == pytest.approx(1800 - 1, abs=1), "11 kWh at 22 kW"


def test_an_amount_is_stopped_when_its_energy_will_have_flowed(stage, alice):
    """50 som buy 4 kWh: after 1 kWh in a minute there are three more."""
    session = stage.charge(alice, "amount", "50")
    stage.deliver(session.transaction_id, 1_000, power_w=FAST_W)
    assert in_seconds(stage, session) == pytest.approx(180 - 1, abs=0.5)


def test_the_told_power_rules(stage, alice):
    session = stage.charge(alice, "energy", "4")
    stage.deliver(session.transaction_id, 1_000, power_w=Decimal(30_000))
    assert in_seconds(stage, session) == pytest.approx(360 - 1, abs=0.5)


def test_the_hold_is_a_limit_of_a_session_without_another(stage, alice):
    session = stage.charge(alice, "full", None, max_amount="50")
    stage.deliver(session.transaction_id, 1_000, power_w=FAST_W)
    assert in_seconds(stage, session) == pytest.approx(180 - 1, abs=0.5)


def test_a_time_that_was_bought_is_stopped_in_time(stage, alice):
    session = stage.charge(alice, "time", "10")
    stage.deliver(session.transaction_id, 100)
    end = session.started_at + dt.timedelta(minutes=10)
    assert refreshed(session).stop_at == end - dt.timedelta(seconds=1)


def test_a_state_of_charge_is_projected_by_what_each_per_cent_took(stage, alice):
    """1 % a minute at 600 Wh: from 40 to 50 % it takes ten."""
    session = stage.charge(alice, "soc", "50")
    for per_cent in (37, 38, 39, 40):
        stage.deliver(session.transaction_id, 600, soc=Decimal(per_cent))
    assert in_seconds(stage, session) == pytest.approx(600 - 1, abs=1)


def test_a_car_that_never_tells_its_state_of_charge_runs_to_the_hold(stage, alice):
    session = stage.charge(alice, "soc", "50", max_amount="50")
    stage.deliver(session.transaction_id, 1_000, power_w=FAST_W)
    assert in_seconds(stage, session) == pytest.approx(180 - 1, abs=0.5)


def test_time_that_costs_money_is_counted(stage, alice, tariff):
    """12.50 a kWh and 60 an hour: 1 kWh a minute costs 13.50 a minute, and 40 som buy 177.8 s."""
    tariff.elements = [
        {
            "price_components": [
                {"type": "ENERGY", "price": "12.50", "step_size": 1},
                {"type": "TIME", "price": "60", "step_size": 1},
            ]
        }
    ]
    tariff.save()
    session = stage.charge(alice, "amount", "40")
    stage.deliver(session.transaction_id, 1_000, power_w=FAST_W)
    assert in_seconds(stage, session) == pytest.approx(177.8 - 60 - 1, abs=1.5)


def test_parking_that_costs_money_is_counted_while_nothing_flows(stage, alice, tariff):
    tariff.elements = [
        {
            "price_components": [
                {"type": "ENERGY", "price": "12.50", "step_size": 1},
                {"type": "PARKING_TIME", "price": "600", "step_size": 1},
            ]
        }
    ]
    tariff.save()
    session = stage.charge(alice, "amount", "40")
    stage.deliver(session.transaction_id, 1_000, power_w=Decimal(0))
    ConnectorStatus.objects.create(
        station=stage.station,
        connector_id=1,
        status=Connector.Status.SUSPENDED_EV,
        at=stage.now,
        received_at=stage.now,
    )
    stage.deliver(session.transaction_id, 0, power_w=Decimal(0))
    assert in_seconds(stage, session) == pytest.approx(165 - 60 - 1, abs=1.5), "27.50 by 10"


def test_a_session_that_reaches_nothing_has_no_projected_stop(stage, alice):
    session = stage.charge(alice, "amount", "50")
    stage.deliver(session.transaction_id, 1_000, power_w=Decimal(0))
    stage.deliver(session.transaction_id, 0, power_w=Decimal(0))
    assert refreshed(session).stop_at is None


def test_a_reading_of_a_queue_is_not_gone_on_from(stage, alice):
    session = stage.charge(alice, "amount", "50")
    stage.pass_time(minutes=30)
    stage.register_wh += 1_000
    stage.sample(session.transaction_id, at=stage.now - dt.timedelta(minutes=29))
    assert refreshed(session).status == "charging"
    assert session.stop_at is None


def test_a_start_that_was_made_offline_is_not_projected(stage, alice):
    session = stage.ask(alice, "energy", "1")
    stage.accept_start()
    stage.started_at = stage.now
    stage.meter_start = stage.register_wh
    stage.pass_time(minutes=10)
    verdict = stage.repeat_begin(session.id_tag)
    assert verdict.plan is None
    assert refreshed(session).stop_at is None


# --- Who stops it --------------------------------------------------------------------------------


def test_the_reading_that_comes_too_near_stops_it(stage, alice):
    """1 kWh a minute: 10 Wh before the limit there is no time left for a stop."""
    session = stage.charge(alice, "energy", "4")
    stage.deliver(session.transaction_id, 3_990)
    assert (refreshed(session).status, session.stop_requested_by) == ("stopping", "limit")
    assert stops(session).count() == 1


def test_the_timer_stops_it_once(stage, alice):
    session = stage.charge(alice, "energy", "4")
    stage.deliver(session.transaction_id, 1_000)
    due_at = refreshed(session).stop_at
    assert steering.stop_due(session.pk, due_at) is None
    assert refreshed(session).status == "stopping"
    assert steering.stop_due(session.pk, due_at) is None
    expire.run_due(due_at + BACKUP_AFTER)
    assert stops(session).count() == 1


def test_a_timer_that_rings_too_early_is_told_the_new_moment(stage, alice):
    """A reading or a raised limit has moved it since."""
    session = stage.charge(alice, "energy", "4")
    stage.deliver(session.transaction_id, 1_000)
    was_at = refreshed(session).stop_at
    stage.deliver(session.transaction_id, 100)
    plan = steering.stop_due(session.pk, was_at)
    assert plan.outlook.stop_at == refreshed(session).stop_at > was_at
    assert session.status == "charging"


def test_the_worker_stops_what_no_process_did(stage, alice):
    session = stage.charge(alice, "energy", "4")
    stage.deliver(session.transaction_id, 2_001)
    due_at = refreshed(session).stop_at
    expire.run_due(due_at + dt.timedelta(seconds=1))
    assert refreshed(session).status == "charging", "the socket's process comes first"
    expire.run_due(due_at + BACKUP_AFTER)
    assert (refreshed(session).status, session.stop_requested_by) == ("stopping", "limit")


def test_a_station_that_comes_back_has_its_timers_again(stage, alice):
    session = stage.charge(alice, "energy", "4")
    stage.deliver(session.transaction_id, 1_000)
    stage.disconnect()
    plans = resume.resume(station=stage.station)
    stop_at = refreshed(session).stop_at
    assert plans == [(session.pk, Outlook(stop_at, stop_at, None))]


def test_nothing_of_our_own_goes_out_shortly_before_a_stop(stage, alice, may_ask):
    session = stage.charge(alice, "energy", "4")
    steering.ask_due(session.pk)
    type(session).objects.update(stop_at=timezone.now() + dt.timedelta(seconds=9))
    assert stage.take_command() is None
    type(session).objects.update(stop_at=timezone.now() + dt.timedelta(seconds=30))
    assert stage.take_command().action == "TriggerMessage"


# --- Asking --------------------------------------------------------------------------------------


def test_a_sample_is_asked_of_the_connector(stage, alice, may_ask):
    session = stage.charge(alice)
    steering.ask_due(session.pk)
    command = stage.take_command()
    assert (command.action, command.lane) == ("TriggerMessage", Command.Lane.OWN)
    assert command.payload == {"requestedMessage": "MeterValues", "connectorId": 1}
    assert command.timeout_s == 3


def test_there_is_one_question_at_a_time(stage, alice, may_ask):
    session = stage.charge(alice)
    steering.ask_due(session.pk)
    steering.ask_due(session.pk)
    assert asks(session).count() == 1


@pytest.mark.parametrize(
    ("answer", "is_left_alone"),
    [("Accepted", False), ("Rejected", True), ("NotImplemented", True)],
)
def test_a_station_that_refuses_is_left_alone(stage, alice, may_ask, answer, is_left_alone):
    session = stage.charge(alice)
    steering.ask_due(session.pk)
    stage.answer(stage.take_command(), answer)
    steering.ask_due(session.pk)
    assert asks(session).count() == (1 if is_left_alone else 2)


def test_a_refusal_is_forgotten_after_its_time(stage, alice, may_ask):
    session = stage.charge(alice)
    past = timezone.now() - dt.timedelta(seconds=1)
    StopHabit.objects.create(station=stage.station, refused_until=past)
    steering.ask_due(session.pk)
    assert asks(session).count() == 1


def test_what_a_station_answers_staff_is_no_habit(stage, alice, may_ask):
    command = Command.objects.create(
        station=stage.station, action="TriggerMessage", lane=Command.Lane.ASKED
    )
    stage.answer(stage.take_command(), "Rejected")
    assert command.pk
    assert not StopHabit.objects.exists()


def test_a_station_that_is_not_set_up_is_not_asked(stage, alice, may_ask, settings):
    session = stage.charge(alice)
    settings.CSMS_PROVISION = False
    steering.ask_due(session.pk)
    settings.CSMS_PROVISION = True
    Station.objects.update(is_provisioned=False)
    steering.ask_due(session.pk)
    without = {"SupportedFeatureProfiles": {"value": "Core,SmartCharging"}}
    Station.objects.update(is_provisioned=True, configuration=without)
    steering.ask_due(session.pk)
    assert not asks(session).exists()


def test_a_session_that_stops_is_not_asked(stage, alice, may_ask):
    session = stage.charge(alice)
    stage.stop(session, alice)
    steering.ask_due(session.pk)
    assert not asks(session).exists()


# --- How long a stop takes -----------------------------------------------------------------------


def stopped_after(stage, session, *, seconds, wh, status="Accepted", reason="Remote"):
    """A stop that was decided now, and what flowed until it came about."""
    stage.now = timezone.now()
    stage.deliver(session.transaction_id, 1_001, seconds=0.001, power_w=Decimal(36_000))
    type(session).objects.filter(pk=session.pk).update(stop_at=timezone.now())
    steering.stop_due(session.pk, timezone.now())
    stage.answer(stage.take_command(), status)
    stage.pass_time(seconds=seconds)
    stage.register_wh += wh
    stage.end(session.transaction_id, reason=reason)
    return StopHabit.objects.filter(station=stage.station).first()


def test_the_first_stop_is_learned(stage, alice):
    habit = stopped_after(stage, stage.charge(alice), seconds=4, wh=40)
    assert habit.latencies_s == [pytest.approx(4, abs=0.5)], "40 Wh at 10 Wh a second"


def test_the_next_session_is_stopped_earlier_by_it(stage, alice):
    StopHabit.objects.create(station=stage.station, latencies_s=[4.5])
    session = stage.charge(alice, "amount", "50")
    stage.deliver(session.transaction_id, 1_000, power_w=FAST_W)
    assert in_seconds(stage, session) == pytest.approx(180 - 4.5, abs=0.5)


def test_a_station_of_the_same_model_teaches_those_that_never_stopped(stage, alice):
    stage.station.vendor, stage.station.model = "Acme", "One"
    stage.station.save(update_fields=["vendor", "model"])
    other = Station.objects.create(station_id="K-9", identity="k-9", vendor="Acme", model="One")
    third = Station.objects.create(station_id="K-8", identity="k-8", vendor="Acme", model="Two")
    StopHabit.objects.create(station=other, latencies_s=[3.0])
    StopHabit.objects.create(station=third, latencies_s=[20.0])
    session = stage.charge(alice, "amount", "50")
    stage.deliver(session.transaction_id, 1_000, power_w=FAST_W)
    assert in_seconds(stage, session) == pytest.approx(180 - 3, abs=0.5)


def test_a_stop_that_was_refused_teaches_nothing(stage, alice):
    assert stopped_after(stage, stage.charge(alice), seconds=4, wh=40, status="Rejected") is None


def test_a_stop_by_the_car_teaches_nothing(stage, alice):
    session = stage.charge(alice)
    assert stopped_after(stage, session, seconds=4, wh=40, reason="EVDisconnected") is None


def test_a_projected_stop_leaves_its_mark(stage, alice):
    session = stage.charge(alice, "energy", "4")
    stage.deliver(session.transaction_id, 3_990)
    event = session.events.get(to_status="stopping", kind=SessionEvent.Kind.MOVED)
    assert event.detail["by"] == "limit"
