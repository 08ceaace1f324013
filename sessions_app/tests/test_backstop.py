"""The limit at the station: sent with a start, renewed by readings, refused without harm."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from sessions_app.models import Backstop, BackstopRefusal, IdTag, SessionEvent, SessionStatus
from sessions_app.services import calls
from stations.models import Command, InstalledProfile, Station
from stations.smart_charging import read_profile

pytestmark = [pytest.mark.usefixtures("promises_hold")]

SMART = {
    "SupportedFeatureProfiles": "Core,SmartCharging",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "6",
    "ChargeProfileMaxStackLevel": "4",
    "MeterValueSampleInterval": "60",
}


def configure(stage, power_kw=22, **values):
    told = {key: {"value": value} for key, value in (SMART | values).items() if value is not None}
    Station.objects.filter(pk=stage.station.pk).update(
        max_power_kw=power_kw, configuration=told, clock_offset_s=0
    )
    stage.station.refresh_from_db()
    return stage


@pytest.fixture
def smart(stage):
    """K-1 of 22 kW, which supports Smart Charging and tells its meter each minute."""
    return configure(stage)


def begun(smart, driver, limit_type="energy", value="10"):
    session = smart.ask(driver, limit_type, value)
    start = smart.take_command()
    smart.answer(start)
    smart.begin(session)
    session.refresh_from_db()
    return session, start


def flow(smart, session, power_w, *, seconds=60, **sample):
    """Let power flow, and tell of it."""
    smart.deliver(
        session.transaction_id,
        Decimal(power_w) * seconds / 3600,
        seconds=seconds,
        power_w=Decimal(power_w),
        **sample,
    )


def renewals(session):
    rows = Command.objects.filter(reference=session.reference, action="SetChargingProfile")
    return list(rows.order_by("created_at"))


def take_renewal(smart):
    command = smart.take_command()
    assert command is not None
    assert command.action == "SetChargingProfile", command.action
    return command


def periods(profile):
    rows = profile["chargingSchedule"]["chargingSchedulePeriod"]
    return [(row["startPeriod"], row["limit"]) for row in rows]


def zero_at(profile):
    read = read_profile(profile)
    return read.schedule.start_at + dt.timedelta(seconds=read.schedule.periods[-1].start_s)


# --- With the start ------------------------------------------------------------------------------


def test_a_start_carries_the_limit_as_a_profile_that_ends_in_zero(smart, alice):
    session, start = begun(smart, alice)
    profile = start.payload["chargingProfile"]
    assert profile["chargingProfilePurpose"] == "TxProfile"
    assert profile["chargingProfileKind"] == "Relative"
    assert profile["stackLevel"] == 4
    assert "transactionId" not in profile
    assert profile["chargingSchedule"]["chargingRateUnit"] == "W"
    full_s = 10_000 * 1.02 * 3600 / 22_000
    assert periods(profile) == [(0, 22_000), (int(full_s), 0)]
    row = Backstop.objects.get(session=session)
    assert (row.state, row.answer) == (Backstop.State.STANDING, "Accepted")
    assert row.standing.zero_at == session.started_at + dt.timedelta(seconds=int(full_s))


def test_a_time_limit_ends_at_its_minute(smart, alice):
    _, start = begun(smart, alice, "time", "5")
    assert periods(start.payload["chargingProfile"])[-1] == (300, 0)


def test_the_hold_of_a_charge_until_full_is_its_limit(smart, alice):
    session, _ = begun(smart, alice, "full", None)
    row = Backstop.objects.get(session=session)
    bought_s = session.energy_limit_wh * 1.02 * 3600 / 22_000
    assert row.standing.zero_s == pytest.approx(bought_s, abs=1)


@pytest.mark.parametrize(
    "values",
    [
        {"SupportedFeatureProfiles": "Core"},
        {"SupportedFeatureProfiles": None},
        {"ChargingScheduleMaxPeriods": "1"},
    ],
)
def test_a_station_that_does_not_say_that_it_can_gets_no_profile(stage, alice, values):
    configure(stage, **values)
    session, start = begun(stage, alice)
    flow(stage, session, 11_000)
    flow(stage, session, 11_000)
    assert "chargingProfile" not in start.payload
    assert renewals(session) == []


def test_it_can_be_switched_off(smart, alice, settings):
    settings.CSMS_BACKSTOP = False
    session, start = begun(smart, alice)
    flow(smart, session, 11_000)
    assert "chargingProfile" not in start.payload
    assert renewals(session) == []


def test_a_charge_by_card_gets_no_profile_unasked(smart, alice):
    IdTag.objects.create(id_tag="CARD", user=alice)
    verdict = smart.begin("CARD")
    for _ in range(3):
        smart.deliver(verdict.transaction_id, 366, power_w=Decimal(22_000))
    assert not Command.objects.filter(action="SetChargingProfile").exists()
    assert not Backstop.objects.exists()


def test_a_station_that_takes_ampere_only_gets_ampere(stage, alice):
    configure(stage, ChargingScheduleAllowedChargingRateUnit="Current")
    _, start = begun(stage, alice)
    schedule = start.payload["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingRateUnit"] == "A"
    assert schedule["chargingSchedulePeriod"][0] == {
        "startPeriod": 0,
        "limit": 31.9,
        "numberPhases": 3,
    }


def test_ampere_of_one_phase_do_not_slow_down_a_station_of_one(stage, alice):
    configure(stage, power_kw="7.4", ChargingScheduleAllowedChargingRateUnit="Current")
    _, start = begun(stage, alice, "energy", "5")
    schedule = start.payload["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"][0]["limit"] == 32.2
    assert schedule["chargingSchedulePeriod"][0]["numberPhases"] == 1


def test_a_profile_of_staff_for_each_charge_is_not_overruled_by_a_start(smart, alice):
    installed(smart, "TxDefaultProfile", 11_000)
    _, start = begun(smart, alice)
    assert "chargingProfile" not in start.payload


# --- A start that is refused ---------------------------------------------------------------------


def test_a_station_that_refuses_a_start_with_a_profile_is_asked_without(smart, alice):
    session = smart.ask(alice, "energy", "10")
    smart.answer(smart.take_command(), "Rejected")
    again = smart.take_command()
    assert again.payload == {"connectorId": 1, "idTag": session.id_tag}
    smart.answer(again)
    smart.begin(session)
    session.refresh_from_db()
    assert session.status == SessionStatus.CHARGING
    refusal = BackstopRefusal.objects.get(station=smart.station)
    assert (refusal.action, refusal.answer) == ("RemoteStartTransaction", "Rejected")
    flow(smart, session, 11_000)
    assert renewals(session) == []


def test_so_is_one_that_answers_with_an_error(smart, alice):
    session = smart.ask(alice, "energy", "10")
    command = smart.take_command()
    calls.record_refusal(command.pk, "FormationViolation", "chargingProfile?")
    assert smart.take_command().payload == {"connectorId": 1, "idTag": session.id_tag}


def test_one_that_refuses_the_plain_start_as_well_has_refused(smart, alice):
    session = smart.ask(alice, "energy", "10")
    for _ in range(2):
        smart.answer(smart.take_command(), "Rejected")
    session.refresh_from_db()
    assert (session.status, session.error_code) == (SessionStatus.ERROR, "station_rejected")
    assert smart.take_command() is None
    assert not BackstopRefusal.objects.exists()


def test_a_start_without_a_profile_is_not_asked_twice(stage, alice):
    session = stage.ask(alice, "energy", "10")
    stage.answer(stage.take_command(), "Rejected")
    session.refresh_from_db()
    assert session.error_code == "station_rejected"
    assert stage.take_command() is None


def test_a_silent_station_is_not_asked_again(smart, alice):
    session = smart.ask(alice, "energy", "10")
    calls.record_silence(smart.take_command().pk)
    session.refresh_from_db()
    assert session.error_code == "station_timeout"
    assert smart.take_command() is None


def test_a_start_that_was_cancelled_meanwhile_is_not_repeated(smart, alice):
    session = smart.ask(alice, "energy", "10")
    command = smart.take_command()
    smart.stop(session, alice)
    smart.answer(command, "Rejected")
    session.refresh_from_db()
    assert session.status == SessionStatus.COMPLETED
    assert smart.take_command() is None


# --- Renewals ------------------------------------------------------------------------------------


def test_a_steady_power_brings_the_moment_of_the_limit(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    command = take_renewal(smart)
    profile = command.payload["csChargingProfiles"]
    assert command.lane == Command.Lane.OWN
    assert command.timeout_s == 3
    assert (profile["transactionId"], profile["chargingProfileKind"]) == (
        session.transaction_id,
        "Absolute",
    )
    crossing = smart.now + dt.timedelta(seconds=(10_000 - 500) * 3600 / 15_000)
    assert abs((zero_at(profile) - crossing).total_seconds()) < 0.01 * 2280
    first_w = periods(profile)[0][1]
    assert 15_000 * 1.015 < first_w < 15_000 * 1.04
    smart.answer(command)
    row = Backstop.objects.get(session=session)
    assert row.state == Backstop.State.STANDING
    assert InstalledProfile.objects.get().profile["transactionId"] == session.transaction_id


def test_what_flows_under_a_renewed_profile_is_bounded(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    smart.answer(take_renewal(smart))
    session.refresh_from_db()
    plan = Backstop.objects.get(session=session).standing
    most_wh = session.energy_wh + plan.energy_ws(smart.now, 22_000) / 3600
    assert 10_000 <= most_wh <= 10_300


def test_a_plan_that_still_holds_is_not_renewed_and_costs_no_row(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    smart.answer(take_renewal(smart))
    flow(smart, session, 15_000)
    steps = smart.follower.steps
    for _ in range(10):
        flow(smart, session, 15_000)
    assert smart.follower.steps == steps + 10
    assert len(renewals(session)) == 1


def test_one_is_outstanding_at_a_time(smart, alice):
    session, _ = begun(smart, alice)
    for _ in range(4):
        flow(smart, session, 15_000, seconds=5)
    assert len(renewals(session)) <= 1


def test_a_car_that_presses_against_its_limit_gets_the_full_power(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    smart.answer(take_renewal(smart))
    flow(smart, session, 15_380)
    assert periods(take_renewal(smart).payload["csChargingProfiles"])[0][1] == 22_000


def test_a_car_that_a_limit_slows_down_gets_no_such_limit_again(smart, alice):
    """A station that divides watts by three phases, and a car on two of them."""
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    smart.answer(take_renewal(smart))
    flow(smart, session, 10_000)
    flow(smart, session, 10_000)
    profile = take_renewal(smart).payload["csChargingProfiles"]
    assert periods(profile)[0][1] == 22_000
    assert Backstop.objects.get(session=session).is_loose


def test_a_car_on_one_phase_is_left_room(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 3_600)
    flow(smart, session, 3_600)
    for command in renewals(session):
        assert periods(command.payload["csChargingProfiles"])[0][1] >= 3 * 3_600


def test_nothing_is_sent_near_the_stop(smart, alice):
    session, _ = begun(smart, alice, "energy", "10")
    flow(smart, session, 22_000, seconds=1626)  # 10 s are left
    assert renewals(session) == []


def test_a_replayed_reading_renews_nothing(smart, alice):
    session, _ = begun(smart, alice)
    smart.pass_time(hours=2)
    for minute in (1, 2, 3):
        at = session.started_at + dt.timedelta(minutes=minute)
        smart.register_wh += 250
        smart.sample(session.transaction_id, at=at, power_w=Decimal(15_000))
    assert renewals(session) == []


def test_its_times_are_those_of_the_stations_clock(smart, alice):
    Station.objects.filter(pk=smart.station.pk).update(clock_offset_s=-3600)  # an hour ahead
    smart.station.refresh_from_db()
    session, _ = begun(smart, alice)
    theirs = dt.timedelta(hours=1)
    for _ in range(2):
        smart.pass_time(seconds=60)
        smart.register_wh += 250
        smart.sample(session.transaction_id, at=smart.now + theirs, power_w=Decimal(15_000))
    if renewals(session):
        start_at = read_profile(take_renewal(smart).payload["csChargingProfiles"]).schedule.start_at
        assert abs(start_at - theirs - smart.now) < dt.timedelta(seconds=2)


def test_a_default_profile_of_staff_is_kept_to(smart, alice):
    session, _ = begun(smart, alice)
    installed(smart, "TxDefaultProfile", 11_000)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    profile = take_renewal(smart).payload["csChargingProfiles"]
    assert max(limit for _, limit in periods(profile)) == 11_000


def test_a_profile_of_staff_for_this_charge_is_left_alone(smart, alice):
    session, _ = begun(smart, alice)
    installed(smart, "TxProfile", 11_000)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    assert renewals(session) == []


def test_a_charge_that_its_plan_has_ended_at_the_limit_is_stopped(smart, alice):
    session, _ = begun(smart, alice, "energy", "10")
    flow(smart, session, 22_000, seconds=1600)
    row = Backstop.objects.get(session=session)
    ended_at = smart.now + dt.timedelta(seconds=30)
    plan = row.standing
    row.plan = plan.to_json() | {
        "starts_at": (ended_at - dt.timedelta(seconds=plan.zero_s)).isoformat()
    }
    row.plan["power_w"] = 22_000
    row.save()
    smart.follower.running.clear()
    flow(smart, session, 21_000, seconds=35)
    smart.sample(session.transaction_id, at=smart.now + dt.timedelta(seconds=5))
    session.refresh_from_db()
    assert session.status == SessionStatus.STOPPING


# --- Refusals ------------------------------------------------------------------------------------


def asked(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    return session, take_renewal(smart)


@pytest.mark.parametrize(
    ("refuse", "answer", "lasts"),
    [
        (lambda c: calls.record_answer(c.pk, {"status": "Rejected"}), "Rejected", 1),
        (lambda c: calls.record_answer(c.pk, {"status": "NotSupported"}), "NotSupported", 24),
        (lambda c: calls.record_refusal(c.pk, "NotImplemented", ""), "NotImplemented", 24),
        (lambda c: calls.record_refusal(c.pk, "InternalError", ""), "InternalError", 1),
    ],
)
def test_a_refusal_is_remembered_for_the_station(smart, alice, refuse, answer, lasts):
    session, command = asked(smart, alice)
    refuse(command)
    refusal = BackstopRefusal.objects.get()
    assert refusal.answer == answer
    hours = (refusal.until - timezone.now()).total_seconds() / 3600
    assert hours == pytest.approx(lasts, abs=0.1)
    for _ in range(3):
        flow(smart, session, 8_000)
    assert len(renewals(session)) == 1
    session.refresh_from_db()
    assert session.status == SessionStatus.CHARGING
    said = session.events.filter(kind=SessionEvent.Kind.BACKSTOP).last()
    assert said.detail["answer"] == answer


def test_a_refusal_is_forgotten_with_time(smart, alice, bob):
    _, command = asked(smart, alice)
    smart.answer(command, "Rejected")
    BackstopRefusal.objects.update(until=timezone.now())
    session = smart.ask(alice, "energy", "5", connector_id=2)
    start = Command.objects.get(reference=session.reference)
    assert "chargingProfile" in start.payload


def test_a_silence_is_asked_again_after_a_minute(smart, alice):
    session, command = asked(smart, alice)
    calls.record_silence(command.pk)
    flow(smart, session, 8_000, seconds=30)
    assert len(renewals(session)) == 1
    assert not BackstopRefusal.objects.exists()
    row = Backstop.objects.get(session=session)
    assert (row.state, row.silences) == (Backstop.State.UNKNOWN, 1)


def test_three_silences_are_a_refusal(smart, alice):
    session, command = asked(smart, alice)
    Backstop.objects.filter(session=session).update(silences=2)
    calls.record_silence(command.pk)
    assert BackstopRefusal.objects.get().answer == "timeout"


def test_a_cut_connection_is_no_refusal(smart, alice):
    session, _ = asked(smart, alice)
    smart.disconnect()
    smart.reconnect()
    row = Backstop.objects.get(session=session)
    assert (row.state, row.answer) == (Backstop.State.STANDING, "disconnected")
    assert not BackstopRefusal.objects.exists()


def test_a_renewal_of_a_charge_that_ends_is_not_sent(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    smart.stop(session, alice)
    stop = smart.take_command()
    assert stop.action == "RemoteStopTransaction"
    smart.answer(stop)
    assert smart.take_command() is None


def test_a_renewal_does_not_take_the_stop_with_it(smart, alice):
    session, _ = begun(smart, alice)
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    (renewal,) = renewals(session)
    smart.stop(session, alice)
    Command.objects.filter(action="RemoteStopTransaction").update(lane=Command.Lane.OWN)
    assert smart.take_command() is None  # the renewal came first, and was withdrawn
    renewal.refresh_from_db()
    assert renewal.status == Command.Status.EXPIRED
    Command.objects.filter(action="RemoteStopTransaction").update(lane=Command.Lane.STOP)
    assert smart.take_command().action == "RemoteStopTransaction"


def installed(smart, purpose, limit_w):
    """A profile that staff have set."""
    return InstalledProfile.objects.create(
        station=smart.station,
        connector_id=1,
        profile_id=1,
        purpose=purpose,
        stack_level=0,
        state=InstalledProfile.State.INSTALLED,
        profile={
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_w}],
            },
        },
    )


def test_an_amount_whose_time_has_a_price_has_its_limit_at_the_station_too(smart, alice, tariff):
    """12.50 a kWh and 60 an hour: at 15 kW 4.125 a minute, so that 100 som last 24 minutes."""
    prices = [
        {"type": "ENERGY", "price": "12.50", "step_size": 1},
        {"type": "TIME", "price": "60", "step_size": 1},
    ]
    tariff.elements = [{"price_components": prices}]
    tariff.save()
    session, _ = begun(smart, alice, "amount", "100")
    flow(smart, session, 15_000)
    flow(smart, session, 15_000)
    profile = take_renewal(smart).payload["csChargingProfiles"]
    lasts = zero_at(profile) - session.started_at
    assert dt.timedelta(minutes=14) < lasts < dt.timedelta(minutes=25)
    assert periods(profile)[-1][1] == 0
