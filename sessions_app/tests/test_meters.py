"""Meters as they are: what is told, what is billed and flagged, and when 5 kWh are enough."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app.models import Orphan
from sessions_app.services import expire
from sessions_app.tests.metered_car import LIFETIME, MeteredCar, Wire, fresh
from sessions_app.tests.promises import check_books, check_sessions
from stations import meters
from stations.metering import Habits
from stations.models import Alert, MeterProfile, Station

pytestmark = pytest.mark.django_db

ENERGY, EXPORT = "Energy.Active.Import.Register", "Energy.Active.Export.Register"


def wh(value, **more):
    return {"value": f"{value:f}", "unit": "Wh", "measurand": ENERGY, **more}


def kwh(value, **more):
    return {"value": f"{value / 1000:f}", "unit": "kWh", "measurand": ENERGY, **more}


def phases(register, names):
    return [wh(register / len(names), phase=name) for name in names]


METERS = {
    "as the specification says": Wire(lambda register, gain: [wh(register)]),
    "kWh": Wire(lambda register, gain: [kwh(register)]),
    "no unit, no measurand": Wire(lambda register, gain: [{"value": str(register)}]),
    "numbers for strings": Wire(lambda register, gain: [{"value": float(register)}]),
    "fractions of Wh": Wire(lambda register, gain: [wh(register + Decimal("0.18"))]),
    "decimal comma": Wire(
        lambda register, gain: [
            {"value": f"{register / 1000:f}".replace(".", ",") + "0", "unit": "kWh"}
        ]
    ),
    "exponent": Wire(lambda register, gain: [{"value": f"{register:E}"}]),
    "kWh labelled Wh": Wire(
        lambda register, gain: [wh(register / 1000)],
        habits=Habits(sample_unit="kWh"),
        flags=frozenset({"samples_in_kwh"}),
    ),
    "kWh without unit": Wire(
        lambda register, gain: [{"value": f"{register / 1000:f}"}],
        habits=Habits(sample_unit="kWh"),
        flags=frozenset({"samples_in_kwh"}),
    ),
    "Wh labelled kWh": Wire(
        lambda register, gain: [kwh(register * 1000)],
        habits=Habits(sample_unit="Wh"),
        flags=frozenset({"samples_in_wh"}),
    ),
    "counted from the start of the transaction": Wire(
        lambda register, gain: [wh(gain)],
        habits=Habits(register="transaction"),
        flags=frozenset({"register_per_transaction"}),
    ),
    "all of it counted from the start of the transaction": Wire(
        lambda register, gain: [wh(gain)], bill=lambda register, gain: int(gain)
    ),
    "meterStart and meterStop in kWh": Wire(
        lambda register, gain: [wh(register)],
        bill=lambda register, gain: int(register / 1000),
        habits=Habits(bill_unit="kWh"),
        flags=frozenset({"start_and_stop_in_kwh"}),
        is_reviewed=True,
    ),
    "three phases": Wire(
        lambda register, gain: phases(register, ("L1", "L2", "L3")),
        flags=frozenset({"phases_summed"}),
    ),
    "three phases to neutral": Wire(
        lambda register, gain: phases(register, ("L1-N", "L2-N", "L3-N")),
        flags=frozenset({"phases_summed"}),
    ),
    "a total beside its phases": Wire(
        lambda register, gain: [*phases(register, ("L1", "L2", "L3")), wh(register)]
    ),
    "only the export register": Wire(
        lambda register, gain: [wh(register, measurand=EXPORT)],
        flags=frozenset({"export_register"}),
    ),
    "a value that is none beside a good one": Wire(
        lambda register, gain: [wh(register), {"value": "0x1F"}],
        flags=frozenset({"unreadable"}),
    ),
    "units that are none, of what is not used": Wire(
        lambda register, gain: [
            wh(register),
            {"value": "30", "unit": "Celcius", "measurand": "Temperature"},
            {"value": "50", "unit": "Hertz", "measurand": "Frequency"},
            {"value": "-7", "unit": "kW", "measurand": "Power.Active.Import"},
        ]
    ),
    "signed data beyond the schema": Wire(
        lambda register, gain: [wh(register), {"value": "A" * 5_000, "format": "SignedData"}]
    ),
}
TELLING = {"meter_stop_below_last_sample", "meter_stop_below_start", "register_unclear"}
"""Flags of a bill that stands as told, though other values of the meter speak against it."""
TRUTH_SHARE = Decimal("0.01")


@pytest.fixture(autouse=True)
def promises_hold(db):
    yield
    check_books()
    check_sessions()


@pytest.fixture
def powered(stage):
    Station.objects.filter(pk=stage.station.pk).update(max_power_kw=22)
    stage.station.max_power_kw = Decimal(22)
    return stage


def state_habits(stage, olga, habits):
    meters.state_habits(station=fresh(stage), habits=habits, by=olga, reason="seen on site")


def is_right(session, truth):
    return abs(session.energy_wh - truth) <= max(1, truth * TRUTH_SHARE)


@pytest.mark.parametrize("name", METERS)
@pytest.mark.parametrize("has_power", [True, False])
def test_a_meter_as_it_is_stops_at_its_limit_and_is_billed(stage, alice, name, has_power):
    if has_power:
        Station.objects.update(max_power_kw=22)
    wire = METERS[name]
    car = MeteredCar(stage, wire)
    car.start(alice, max_amount="500")
    car.charge(44)
    assert car.asked_at is not None
    early = 1_000 if wire.is_reviewed else 117  # a meterStart in whole kWh was cut off
    assert 5_000 - early <= car.asked_at <= 5_000 + 2 * 117
    session = car.stop()
    assert wire.flags <= set(session.flags)
    if wire.is_reviewed:
        assert (session.status, "meter_reread" in session.flags) == ("review", True)
        assert abs(session.energy_wh - car.gain) <= 1_000
    else:
        assert session.status == "completed"
        assert is_right(session, car.gain)


@pytest.mark.parametrize("name", [name for name, wire in METERS.items() if wire.habits])
def test_a_meter_that_staff_know_is_settled_without_review(powered, alice, olga, name):
    wire = METERS[name]
    state_habits(powered, olga, wire.habits)
    car = MeteredCar(powered, wire)
    car.start(alice, max_amount="500")
    car.charge(44)
    assert car.asked_at is not None
    assert 5_000 - 1_000 <= car.asked_at <= 5_000 + 2 * 117
    session = car.stop()
    assert session.status == "completed"
    assert (
        abs(session.energy_wh - car.gain) <= 1_000
        if wire.is_reviewed
        else is_right(session, car.gain)
    )


def test_a_register_that_begins_again_is_counted_on_and_reviewed(powered, alice):
    booted = []

    def sampled(register, gain):
        if gain > 2_000 and not booted:
            booted.append(gain - 117)
        return [wh(gain - booted[0] if booted else register)]

    car = MeteredCar(powered, Wire(sampled))
    car.start(alice, max_amount="500")
    car.charge(44)
    assert car.asked_at is not None
    assert 5_000 <= car.asked_at <= 5_000 + 2 * 117
    session = car.stop(meter_stop=int(car.gain - booted[0]))
    assert session.status == "review"
    assert {"register_restarted", "meter_ran_backwards"} <= set(session.flags)
    assert is_right(session, car.gain)


def test_a_register_that_is_known_to_begin_again_is_settled(powered, alice, olga):
    state_habits(powered, olga, Habits(register="boot"))
    car = MeteredCar(
        powered, Wire(lambda register, gain: [wh(register if gain < 2_000 else gain - 1_989)])
    )
    car.start(alice, max_amount="500")
    car.charge(30)
    session = car.stop(meter_stop=int(car.gain) - 1_989)
    assert session.status == "completed"
    assert is_right(session, car.gain)


def test_a_stop_that_counts_from_its_start_is_not_guessed_away(powered, alice, olga):
    wire = Wire(lambda register, gain: [wh(gain)])
    car = MeteredCar(powered, wire)
    car.start(alice, max_amount="500")
    car.charge(30)
    session = car.stop(meter_stop=int(car.gain))
    assert (session.status, session.cost_minor) == ("review", session.hold_minor)
    assert is_right(session, car.gain)
    state_habits(powered, olga, Habits(register="transaction"))
    again = MeteredCar(powered, wire)
    again.start(alice, max_amount="500")
    again.charge(30)
    session = again.stop(meter_stop=int(again.gain))
    assert session.status == "completed"
    assert is_right(session, again.gain)


def test_the_other_register_is_taken_where_staff_say_so(powered, alice, olga):
    state_habits(powered, olga, Habits(source="export"))
    wire = Wire(lambda register, gain: [wh(LIFETIME), wh(register, measurand=EXPORT)])
    car = MeteredCar(powered, wire)
    car.start(alice)
    car.charge(44)
    assert car.asked_at == 5_031
    assert car.stop().energy_wh == car.gain


def test_an_unclear_register_is_as_good_as_silence(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(Decimal(700_000))]))
    car.start(alice)
    car.charge(5)
    car.session.refresh_from_db()
    assert car.session.energy_wh == 0
    assert "register_unclear" in car.session.flags
    expire.run_due(powered.now + dt.timedelta(minutes=9))
    assert car.is_asked_to_stop


def test_a_stop_whose_samples_were_all_unclear_is_reviewed_at_its_largest(powered, alice):
    """meterStart in kWh, or samples in Wh? 5 Wh or 5 kWh; neither is guessed away."""
    wire = Wire(
        lambda register, gain: [kwh(register)], bill=lambda register, gain: int(register / 1000)
    )
    car = MeteredCar(powered, wire)
    session = car.start(alice, "amount", "200")
    car.charge(30)
    session = car.stop()
    assert (session.status, "meter_unclear" in session.flags) == ("review", True)
    assert (session.energy_wh, session.hold_minor) == (4, 5_000)


def test_a_zero_before_the_meter_is_ready_is_no_quirk(powered, alice):
    car = MeteredCar(
        powered, Wire(lambda register, gain: [wh(register if gain > 200 else 0 * gain)])
    )
    car.start(alice)
    car.charge(44)
    session = car.stop()
    assert (session.status, session.energy_wh) == ("completed", car.gain)
    assert "register_per_transaction" not in session.flags


def test_one_wild_register_at_the_start_decides_nothing(powered, alice):
    car = MeteredCar(powered, Wire(lambda register, gain: [wh(register)]))
    car.start(alice)
    car.tell([wh(Decimal(50))], at=powered.now + dt.timedelta(seconds=1))
    car.charge(44)
    assert car.asked_at == 5_031
    assert car.stop().energy_wh == car.gain


# --- Units that only time tells --------------------------------------------------------------


def test_at_a_new_station_the_unit_is_learnt_from_meter_stop(stage, alice):
    wire = Wire(lambda register, gain: [wh(register / 1000)], lifetime=0)
    for _ in range(2):
        car = MeteredCar(stage, wire)
        car.start(alice, "amount", "100")
        car.charge(10)
        assert car.stop().status == "completed"
        assert car.session.energy_wh == car.gain
    profile = MeterProfile.objects.get(station=stage.station)
    assert profile.findings["samples_in_kwh"]["sessions"] == 2
    assert profile.likely.sample_unit == "kWh"
    third = MeteredCar(stage, wire)
    third.start(alice)
    third.charge(44)
    assert third.asked_at == 5_031


def test_wh_that_are_labelled_kwh_are_read_again_once_time_has_told(stage, alice):
    car = MeteredCar(stage, Wire(lambda register, gain: [kwh(register * 1000)], lifetime=0))
    car.start(alice, "amount", "1000")
    stage.pass_time(seconds=10)
    car.gain += 19
    car.tell([kwh(car.gain * 1000)])
    car.session.refresh_from_db()
    assert car.session.energy_wh == 19_000
    car.charge(3)
    car.session.refresh_from_db()
    assert car.session.energy_wh == car.gain
    first = car.session.readings.order_by("at")[1]
    assert (first.register_wh, first.flags) == (19, ["samples_in_wh", "told:19.000 kWh"])
    assert car.stop().energy_wh == car.gain


# --- The rest of what is sent ------------------------------------------------------------------


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


# --- What is kept and told ---------------------------------------------------------------------


def test_a_quirk_is_counted_once_a_session_and_told_once(powered, alice, olga):
    for _ in range(2):
        car = MeteredCar(powered, METERS["kWh labelled Wh"])
        car.start(alice, max_amount="200")
        car.charge(3)
        car.stop()
    profile = MeterProfile.objects.get()
    row = profile.findings["samples_in_kwh"]
    assert (row["sessions"], len(row["examples"])) == (2, 2)
    assert row["examples"][0]["session"] == str(car.session.pk)
    assert row["examples"][0]["frame"]
    alert = Alert.objects.get(kind="meter_quirk", resolved_at=None)
    assert alert.count == 1
    meters.confirm_habits(station=fresh(powered), by=olga, reason="seen")
    assert MeterProfile.objects.get().sample_unit == "kWh"
    assert not Alert.objects.filter(kind="meter_quirk", resolved_at=None).exists()


def test_examples_are_few_however_many_sessions_show_a_quirk(powered, alice):
    for _ in range(7):
        car = MeteredCar(powered, METERS["kWh labelled Wh"])
        car.start(alice, "amount", "50")
        car.charge(1)
        car.stop()
    row = MeterProfile.objects.get().findings["samples_in_kwh"]
    assert (row["sessions"], len(row["examples"])) == (7, meters.MAX_EXAMPLES)


def test_a_good_meter_costs_no_query_and_leaves_no_profile(powered, alice):
    car = MeteredCar(powered, METERS["as the specification says"])
    car.start(alice, "amount", "500")
    car.charge(2)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        car.charge(1)
    assert not [q for q in queries if "meter_profile" in q["sql"] or "meterprofile" in q["sql"]][1:]
    car.stop()
    assert not MeterProfile.objects.exists()


def test_a_reading_keeps_what_was_told(powered, alice):
    car = MeteredCar(powered, METERS["kWh labelled Wh"])
    car.start(alice)
    car.charge(1)
    reading = car.session.readings.order_by("-at").first()
    assert reading.register_wh == LIFETIME + 117
    assert reading.flags == ["samples_in_kwh", "told:1234.684 Wh"]
    assert reading.frame_id is not None


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(sorted(METERS)),
    curve=st.lists(st.integers(0, 360), min_size=1, max_size=12),
    lifetime=st.integers(0, 10**8),
)
def test_any_curve_over_any_meter_is_billed_right_or_reviewed(
    powered, alice, name, curve, lifetime
):
    wire = METERS[name]
    wire = Wire(wire.sampled, wire.bill, lifetime=lifetime)
    car = MeteredCar(powered, wire)
    session = car.start(alice, "amount", "100")
    for step in curve:
        car.power_wh = step
        car.charge(1)
    session = car.stop()
    is_told = session.status == "review" or TELLING & set(session.flags)
    assert is_right(session, car.gain) or is_told
    assert session.cost_minor <= session.hold_minor <= 10_000
