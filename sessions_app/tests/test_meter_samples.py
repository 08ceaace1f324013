"""What else meters send: orphaned, repeated, late, disordered and false samples."""

import datetime as dt
from decimal import Decimal

import pytest

from sessions_app.models import Orphan
from sessions_app.services import expire
from sessions_app.tests.metered_car import LIFETIME, MeteredCar, Wire
from sessions_app.tests.meters_as_they_are import METERS, state_habits, wh
from stations.metering import Habits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_hold")]


@pytest.mark.parametrize("transaction_id", [0, -1, "absent", "as text"])
def test_samples_find_their_session_by_its_connector(powered, alice, transaction_id):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    session = car.start(alice)
    said = str(session.transaction_id) if transaction_id == "as text" else transaction_id
    powered.pass_time(seconds=60)
    car.tell([wh(Decimal(LIFETIME + 300))], transaction_id=said)
    session.refresh_from_db()
    assert session.energy_wh == 300


def test_what_precedes_the_start_or_names_another_is_not_of_this_session(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    session = car.start(alice)
    powered.pass_time(seconds=60)
    car.tell([wh(Decimal(LIFETIME + 900))], at=powered.now - dt.timedelta(minutes=5))
    car.tell([wh(Decimal(LIFETIME + 900))], transaction_id=session.transaction_id + 1)
    session.refresh_from_db()
    assert session.energy_wh == 0
    assert Orphan.objects.count() == 1


def test_a_moment_that_is_told_twice_keeps_the_higher_register(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    session = car.start(alice)
    powered.pass_time(seconds=60)
    for gain in (100, 300, 200):
        car.tell([wh(Decimal(LIFETIME + gain))])
    session.refresh_from_db()
    assert session.energy_wh == 300
    assert session.readings.order_by("-at").first().register_wh == LIFETIME + 300


def test_disorder_changes_nothing(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    session = car.start(alice)
    powered.pass_time(seconds=300)
    for minute in (4, 1, 3, 2):
        at = powered.now - dt.timedelta(minutes=5 - minute)
        car.tell([wh(Decimal(LIFETIME + 117 * minute))], at=at)
    car.gain = Decimal(585)
    session = car.stop()
    assert (session.status, session.energy_wh, session.flags) == ("completed", 585, [])
    registers = list(session.readings.order_by("at").values_list("register_wh", flat=True))
    assert registers == sorted(registers)


def test_a_sample_after_the_stop_changes_no_bill(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    car.start(alice)
    car.charge(10)
    session = car.stop()
    before = (session.status, session.cost_minor, session.energy_wh)
    car.charge(2)
    session.refresh_from_db()
    assert (session.status, session.cost_minor, session.energy_wh) == before


def test_a_first_sample_in_1970_is_kept_apart(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    car.start(alice)
    car.tell([wh(Decimal(0))], at=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    car.charge(10)
    assert car.stop().energy_wh == car.gain


def test_thirty_thousand_samples_in_a_stop_settle_it(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    session = car.start(alice)
    begun = powered.now
    powered.pass_time(hours=1)
    car.gain = Decimal(3_000)
    data = [
        {
            "timestamp": (begun + dt.timedelta(seconds=n / 10)).isoformat(),
            "sampledValue": [{"value": LIFETIME + n // 10}],
        }
        for n in range(30_000)
    ]
    session = car.stop(data=data)
    assert (session.status, session.energy_wh) == ("completed", 3_000)
    assert session.readings.count() <= 2_002


def test_power_in_kw_without_a_unit_projects_nothing(stage, alice, settings):
    settings.CSMS_ASSUMED_POWER_KW = 22
    power = {"value": "7.0", "measurand": "Power.Active.Import"}
    car = MeteredCar(stage, Wire(lambda register, gain: [wh(register), power]))
    car.start(alice)
    car.charge(3)
    expire.run_due(stage.now + dt.timedelta(minutes=15))
    assert car.is_asked_to_stop


def test_all_in_kwh_under_the_name_of_wh_is_seen_by_its_power(powered, alice):
    power = {"value": "7000", "unit": "W", "measurand": "Power.Active.Import"}
    wire = Wire(
        lambda register, gain: [wh(register / 1000), power],
        bill=lambda register, gain: int(register / 1000),
    )
    car = MeteredCar(powered, wire)
    car.start(alice, "amount", "200")
    car.charge(30)
    session = car.stop()
    assert (session.status, session.energy_wh, session.hold_minor) == ("review", 4, 5_000)
    assert "meter_unclear" in session.flags


@pytest.mark.parametrize("power_w", ["0", "900", "7000"])
def test_power_says_nothing_against_a_meter_that_counts(powered, alice, power_w):
    power = {"value": power_w, "unit": "W", "measurand": "Power.Active.Import"}
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register), power]), power_wh=15)
    car.start(alice)
    car.charge(30)
    assert car.stop().status == "completed"


@pytest.mark.parametrize(
    "habits",
    [
        Habits(bill_unit="kWh"),
        Habits(register="transaction"),
        Habits(register="boot"),
        Habits(sample_unit="labelled", register="lifetime", bill_unit="Wh", source="import"),
    ],
)
def test_a_profile_that_changes_during_a_charge_does_no_harm(powered, alice, olga, habits):
    car = MeteredCar(powered, METERS["as the specification says"])
    car.start(alice, "amount", "200")
    car.charge(10)
    state_habits(powered, olga, habits)
    car.charge(10)
    session = car.stop()
    assert (session.status, session.energy_wh) == ("completed", car.gain)


def test_late_samples_never_change_the_meter_start_of_what_is_settled(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)], lifetime=1_234))
    car.start(alice)
    session = car.stop()
    powered.pass_time(seconds=60)
    car.tell([wh(Decimal(1_234_567))])
    session.refresh_from_db()
    assert (session.meter_start_wh, session.cost_minor) == (1_234, 0)


# --- Phases ------------------------------------------------------------------------------------


def phased(missing, *, has_total=False):
    """A meter of three phases that leaves the third out where `missing` says so."""

    def sampled(register, gain):
        names = ("L1", "L2") if missing(gain) else ("L1", "L2", "L3")
        values = [wh(register / 3, phase=name) for name in names]
        return [*values, wh(register)] if has_total else values

    return Wire(sampled)


@pytest.mark.parametrize("has_stop", [True, False])
def test_a_phase_that_is_missing_is_no_falling_register(powered, alice, has_stop):
    car = MeteredCar(powered, phased(lambda gain: 1_000 < gain < 2_000))
    car.start(alice)
    car.charge(12)
    row = car.session.readings.order_by("-at").first()
    assert (row.register_wh, "register_unclear" in row.flags) == (None, True)
    car.charge(32)
    assert car.asked_at == 5_031
    session = car.stop(meter_stop=None if has_stop else "?")
    assert session.status == "completed"
    assert abs(session.energy_wh - car.gain) <= 1
    assert "register_restarted" not in session.flags


def test_a_phase_that_comes_late_is_counted_from_then_on(powered, alice):
    car = MeteredCar(powered, phased(lambda gain: gain < 500))
    car.start(alice)
    car.charge(44)
    assert car.asked_at == 5_031
    session = car.stop()
    assert (session.status, session.energy_wh) == ("completed", car.gain)
    assert "phases:3" in session.flags


def test_a_total_beside_phases_rules_though_one_is_missing(powered, alice):
    car = MeteredCar(powered, phased(lambda gain: gain % 2 == 0, has_total=True))
    car.start(alice)
    car.charge(44)
    assert car.asked_at == 5_031
    assert car.stop().flags == []


def test_a_station_of_one_phase_that_names_it_is_read(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register, phase="L1")]))
    car.start(alice)
    car.charge(44)
    assert car.asked_at == 5_031
    assert car.stop().energy_wh == car.gain
