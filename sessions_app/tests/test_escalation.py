"""A station that ignores a stop: asked three times, limited to zero, and an operator is told."""

import datetime as dt

import pytest

from billing.models import Account
from sessions_app.models import StopStep
from sessions_app.services import calls, expire, stop
from sessions_app.tests.ignoring import (
    PLAIN,
    SMART,
    Ignorer,
    alerts_ever,
    open_alerts,
    steps,
    told_configuration,
)
from stations import charging_profiles, commands
from stations.models import Alert, Command, InstalledProfile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_hold")]
STOP, PROFILE = "RemoteStopTransaction", "SetChargingProfile"


@pytest.fixture
def session(stage, alice):
    """40 kWh bought by alice for 500 som at a station with Smart Charging, and reached."""
    told_configuration(stage, SMART)
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 40_000)
    session.refresh_from_db()
    assert session.status == "stopping"
    return session


def money(driver):
    account = Account.objects.get(owner=driver)
    return account.balance_minor, account.held_minor


# --- The order of the steps -----------------------------------------------------------------------


def test_three_stops_then_a_profile_of_zero_then_the_operator(stage, session):
    station = Ignorer(stage, session)
    station.look(3)
    assert steps(session) == [("remote_stop", "no_effect")] * 3 + [("zero_profile", "waiting")]
    assert open_alerts() == 0
    station.look()
    assert open_alerts() == 1
    assert steps(session) == [
        ("remote_stop", "no_effect"),
        ("remote_stop", "no_effect"),
        ("remote_stop", "no_effect"),
        ("zero_profile", "accepted"),
        ("alert", "done"),
    ]
    session.refresh_from_db()
    assert session.status == "stopping"


def test_the_operator_is_told_long_before_the_session_is_settled_without_its_station(
    stage, session, settings
):
    station = Ignorer(stage, session)
    asked_at = session.stop_requested_at
    station.look(4)
    session.refresh_from_db()
    assert session.due_at - asked_at < dt.timedelta(seconds=60)
    assert dt.timedelta(seconds=60) < dt.timedelta(seconds=settings.CSMS_STOP_TIMEOUT_S)
    alert = Alert.objects.get(kind="stop_ignored")
    assert (alert.severity, alert.station) == ("critical", stage.station)
    assert alert.cause == f"stop_ignored:{session.pk}"
    assert alert.text == (
        f"K-1 does not end transaction {session.transaction_id}: "
        "asked 3 times, limit of zero accepted."
    )


def test_it_is_asked_to_stop_on_and_on(stage, session):
    station = Ignorer(stage, session)
    station.look(10)
    assert station.said.count(STOP) == 10
    assert station.said.count(PROFILE) == 1
    assert [kind for kind, _ in steps(session)].count("remote_stop") == 3
    assert alerts_ever() == [1]


def test_the_profile_names_the_transaction_and_allows_nothing(stage, session):
    Ignorer(stage, session).look(3)
    call = Command.objects.get(action=PROFILE)
    assert call.payload == {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "transactionId": session.transaction_id,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}],
            },
        },
    }
    assert call.lane == Command.Lane.STOP


def test_a_station_that_takes_ampere_only_is_allowed_no_ampere(stage, session):
    only = {"ChargingScheduleAllowedChargingRateUnit": {"value": "Current"}}
    told_configuration(stage, SMART | only)
    Ignorer(stage, session).look(3)
    schedule = Command.objects.get(action=PROFILE).payload["csChargingProfiles"]
    assert schedule["chargingSchedule"]["chargingRateUnit"] == "A"


def test_the_profile_replaces_the_highest_that_the_station_holds_for_the_connector(stage, session):
    for profile_id, level, connector_id in ((7, 0, 1), (8, 3, 1), (9, 5, 2)):
        InstalledProfile.objects.create(
            station=stage.station,
            connector_id=connector_id,
            profile_id=profile_id,
            purpose="TxProfile",
            stack_level=level,
            profile={"transactionId": session.transaction_id},
            state=InstalledProfile.State.INSTALLED,
        )
    Ignorer(stage, session).look(4)
    profile = Command.objects.get(action=PROFILE).payload["csChargingProfiles"]
    assert (profile["chargingProfileId"], profile["stackLevel"]) == (8, 3)
    held = InstalledProfile.objects.get(profile_id=8)
    assert held.profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 0


def test_a_profile_of_the_charge_that_still_waits_is_not_sent_after_it(stage, session):
    commands.send(
        station=stage.station,
        action=charging_profiles.INSTALL,
        payload={"connectorId": 1, "csChargingProfiles": {}},
        lane=Command.Lane.OWN,
        reference=session.reference,
    )
    station = Ignorer(stage, session)
    for _ in range(3):  # the other waits behind the stops
        stage.answer(stage.take_command())
        session.refresh_from_db()
        expire.run_due(session.due_at)
    station.hear()
    assert station.said.count(PROFILE) == 1


# --- What stations answer -------------------------------------------------------------------------


def test_without_smart_charging_the_operator_is_told_at_once(stage, session):
    told_configuration(stage, PLAIN)
    station = Ignorer(stage, session)
    station.look(3)
    assert steps(session)[3:] == [("zero_profile", "not_supported"), ("alert", "done")]
    assert PROFILE not in station.said
    assert "limit of zero not supported" in Alert.objects.get(kind="stop_ignored").text


def test_a_station_that_told_nothing_of_smart_charging_is_tried(stage, session):
    told_configuration(stage, {})
    station = Ignorer(stage, session, SetChargingProfile="!NotImplemented")
    station.look(4)
    assert steps(session)[3:] == [("zero_profile", "not_supported"), ("alert", "done")]
    assert StopStep.objects.get(kind="zero_profile").answer == "NotImplemented"


def test_a_limits_stop_that_is_refused_climbs_as_well(stage, session):
    station = Ignorer(
        stage, session, RemoteStopTransaction="Rejected", SetChargingProfile="Rejected"
    )
    station.look(4)
    assert steps(session) == [("remote_stop", "rejected")] * 3 + [
        ("zero_profile", "rejected"),
        ("alert", "done"),
    ]


def test_a_silent_station_climbs_too_and_the_profile_is_not_kept_waiting_by_stops(stage, session):
    station = Ignorer(stage, session, RemoteStopTransaction=None, SetChargingProfile=None)
    station.look(6)
    assert steps(session) == [("remote_stop", "no_answer")] * 3 + [
        ("zero_profile", "no_answer"),
        ("alert", "done"),
    ]


def test_a_stop_that_waits_for_its_answer_is_not_passed_over(stage, session):
    stage.take_command()
    expire.run_due(session.due_at)
    assert steps(session) == [("remote_stop", "waiting")]
    assert open_alerts() == 0


def test_a_drivers_stop_that_is_refused_ends_the_matter(stage, alice):
    session = stage.charge(alice)
    stage.stop(session, alice)
    stage.answer(stage.take_command(), "Rejected")
    session.refresh_from_db()
    assert session.status == "charging"
    assert steps(session) == [("remote_stop", "rejected")]
    stage.stop(session, alice)
    assert steps(session) == [("remote_stop", "rejected"), ("remote_stop", "waiting")]
    assert list(StopStep.objects.going_on().values_list("outcome", flat=True)) == ["waiting"]
    stage.end(session.transaction_id)


def test_a_profile_that_is_accepted_and_draws_on_did_not_help(stage, session):
    station = Ignorer(stage, session)
    station.look(4)
    assert ("zero_profile", "accepted") in steps(session)
    stage.deliver(session.transaction_id, 500, power_w=11_000)
    station.look()
    assert ("zero_profile", "no_effect") in steps(session)


def test_a_profile_that_is_obeyed_stays_accepted(stage, session):
    station = Ignorer(stage, session)
    station.look(4)
    stage.deliver(session.transaction_id, 0, power_w=0)
    stage.deliver(session.transaction_id, 0, power_w=0)
    station.look()
    assert ("zero_profile", "accepted") in steps(session)


def test_without_power_the_register_tells_after_two_readings(stage, session):
    station = Ignorer(stage, session)
    station.look(4)
    stage.pass_time(minutes=1)
    StopStep.objects.filter(kind="zero_profile").update(answered_at=stage.now)
    stage.deliver(session.transaction_id, 300)  # some of it may have flowed before the profile
    station.look()
    assert ("zero_profile", "accepted") in steps(session)
    stage.deliver(session.transaction_id, 300)
    station.look()
    assert ("zero_profile", "no_effect") in steps(session)


# --- The end --------------------------------------------------------------------------------------


def test_a_station_that_stops_in_time_alerts_nobody(stage, session):
    stage.answer(stage.take_command())
    stage.end(session.transaction_id)
    assert steps(session) == [("remote_stop", "accepted")]
    assert alerts_ever() == []
    assert not StopStep.objects.going_on().exists()


def test_the_end_of_the_transaction_resolves_the_alert_once(stage, session):
    station = Ignorer(stage, session)
    station.look(4)
    stage.end(session.transaction_id)
    stage.end(session.transaction_id)
    assert open_alerts() == 0
    assert alerts_ever() == [1]
    assert not StopStep.objects.going_on().exists()


def test_a_settlement_without_the_station_leaves_the_alert_open(stage, session, alice):
    """It still delivers: that its session was settled ends nothing."""
    station = Ignorer(stage, session)
    station.look(4)
    expire.run_due(session.stop_requested_at + dt.timedelta(seconds=301))
    session.refresh_from_db()
    assert (session.status, session.stop_reason) == ("completed", "stop_timeout")
    assert (open_alerts(), alerts_ever()) == (1, [1])
    stage.end(session.transaction_id)
    assert (open_alerts(), alerts_ever()) == (0, [1])


def test_where_patience_is_short_the_operator_is_told_with_the_settlement(stage, session, settings):
    settings.CSMS_STOP_TIMEOUT_S = 5
    expire.run_due(session.due_at)
    session.refresh_from_db()
    assert session.status == "completed"
    assert alerts_ever() == [1]
    assert steps(session)[-1] == ("alert", "done")


def test_staff_who_end_it_by_force_resolve_the_alert(stage, session, olga):
    Ignorer(stage, session).look(4)
    stop.force_end(
        session_id=session.pk,
        meter_stop_wh=int(stage.register_wh),
        actor=olga,
        reason="read at the station",
    )
    assert open_alerts() == 0


def test_energy_is_recorded_while_a_stop_is_ignored_and_the_driver_pays_the_hold(
    stage, session, alice
):
    station = Ignorer(stage, session)
    for _ in range(5):
        station.look()
        stage.deliver(session.transaction_id, 1_000)
    session.refresh_from_db()
    assert (session.energy_wh, session.cost_minor) == (45_000, 50_000)
    assert session.readings.count() == 7  # meterStart, the limit, and five past it
    delivered = StopStep.objects.filter(session=session).order_by("taken_at", "id")
    assert list(delivered.values_list("energy_wh", flat=True)) == [
        40_000,
        40_000,
        41_000,
        42_000,
        43_000,
    ]
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert (session.energy_wh, session.cost_minor) == (45_000, 50_000)
    assert session.bill["total"] == "562.50"
    assert money(alice) == (50_000, 0)
    loss = Account.objects.get(kind=Account.Kind.LOSS)
    assert loss.balance_minor == -6_250


def test_a_cancelled_start_climbs_nothing(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.stop(session, alice)
    expire.run_due(stage.now + dt.timedelta(minutes=5))
    session.refresh_from_db()
    assert session.status == "completed"
    assert steps(session) == []


# --- Other processes, and a lost connection -------------------------------------------------------


def test_a_second_worker_at_the_same_moment_takes_no_second_step(stage, session):
    station = Ignorer(stage, session)
    for _ in range(5):
        station.hear()
        session.refresh_from_db()
        due_at = session.due_at
        expire.run_due(due_at)
        expire.run_due(due_at)
    assert [kind for kind, _ in steps(session)] == ["remote_stop"] * 3 + ["zero_profile", "alert"]
    assert alerts_ever() == [1]


def test_nothing_is_climbed_while_the_station_is_away_and_it_goes_on_after(stage, session):
    station = Ignorer(stage, session)
    station.look(2)
    station.hear()
    stage.disconnect()
    for _ in range(5):
        session.refresh_from_db()
        expire.run_due(session.due_at)
    assert [kind for kind, _ in steps(session)] == ["remote_stop"] * 3
    stage.reconnect()
    session.refresh_from_db()
    expire.run_due(session.due_at)
    assert [kind for kind, _ in steps(session)] == ["remote_stop"] * 3 + ["zero_profile"]
    station.look(2)
    assert open_alerts() == 1


def test_a_profile_that_a_lost_connection_swallowed_is_sent_again(stage, session):
    station = Ignorer(stage, session)
    station.look(3)
    assert stage.take_command().action == PROFILE
    stage.disconnect()
    stage.reconnect()
    assert ("zero_profile", "cut_off") in steps(session)
    station.look(2)
    profiles = [outcome for kind, outcome in steps(session) if kind == "zero_profile"]
    assert profiles == ["cut_off", "accepted"]
    station.look()
    assert open_alerts() == 1


def test_stops_that_went_out_before_the_connection_was_lost_count(stage, session):
    for _ in range(3):
        assert stage.take_command().action == STOP
        stage.disconnect()
        stage.reconnect()
    assert steps(session)[:3] == [("remote_stop", "cut_off")] * 3
    Ignorer(stage, session).look(3)
    assert open_alerts() == 1


def test_an_answer_that_comes_after_the_end_is_written_down(stage, session):
    command = stage.take_command()
    stage.end(session.transaction_id)
    assert steps(session) == [("remote_stop", "not_sent")]
    calls.record_answer(command.pk, {"status": "Accepted"})
    assert steps(session) == [("remote_stop", "accepted")]
