"""Where a register belongs: one row a meter, exact numbers. Pure."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.placing import NOISE_WH, Meter, Placed, Told, place, read_bill
from stations.metering import Habits, Quirk, habits_of, is_likely

NOW = dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)
START = Decimal(1_234_567)
UNCLEAR = Placed(None)


def meter(start=START, **facts):
    facts = {
        "last_wh": Decimal(start),
        "power_kw": Decimal(22),
        "elapsed": dt.timedelta(minutes=10),
        "is_power_stated": True,
        **facts,
    }
    return Meter(start_wh=Decimal(start), **facts)


def told(value, *, is_kwh=False, before=0):
    at = NOW - dt.timedelta(seconds=before)
    return Told(Decimal(value) * (1000 if is_kwh else 1), is_kwh, at)


def placed(value, *quirks):
    return Placed(Decimal(value), frozenset(quirks))


@pytest.mark.parametrize("value", ["1234567", "1234500", "1236567.5", "1238000"])
def test_what_a_meter_of_the_rules_tells_is_taken_as_it_is(value):
    assert place(told(value), meter()) == placed(value)


def test_kwh_that_are_labelled_wh_are_known_at_the_first_sample():
    first = meter(elapsed=dt.timedelta(minutes=1))
    assert place(told("1234.9"), first) == placed(1_234_900, Quirk.KWH_SAMPLES)


def test_wh_that_are_labelled_kwh_are_known_at_the_first_sample():
    sample = told("1236567", is_kwh=True)
    assert place(sample, meter()) == placed(1_236_567, Quirk.WH_SAMPLES)


def test_a_register_of_this_transaction_is_counted_from_meter_start():
    assert place(told(500), meter()) == placed(1_235_067, Quirk.PER_TRANSACTION)


def test_a_meter_start_in_kwh_is_known_by_its_samples():
    found = place(told(1_236_567), meter(start=1_234))
    assert found == Placed(Decimal(1_236_567), frozenset({Quirk.KWH_BILL}), Decimal(1_234_000))


def test_a_start_in_kwh_and_samples_in_wh_look_alike_where_they_are_slow():
    assert place(told("1234.9", is_kwh=True), meter(start=1_234)) == UNCLEAR


@pytest.mark.parametrize("value", [0, -5, 300_000, "9999"])
def test_what_fits_no_meter_is_unclear(value):
    assert place(told(value), meter()) == UNCLEAR


def test_what_no_socket_delivers_is_taken_as_told_where_nothing_else_fits():
    assert place(told(1_334_567), meter()) == placed(1_334_567)


def test_two_unclear_registers_in_a_row_count_from_meter_start():
    pending = told(9_000, before=60)
    assert place(told(9_900), meter(pending=pending)) == placed(1_244_467, Quirk.PER_TRANSACTION)
    assert place(told(8_000), meter(pending=pending)) == UNCLEAR


def test_a_register_that_fits_two_ways_twice_is_in_the_other_unit():
    facts = {"elapsed": dt.timedelta(hours=1)}
    assert place(told("1235.2"), meter(**facts)) == UNCLEAR
    pending = told("1234.9", before=900)
    found = place(told("1235.2"), meter(pending=pending, **facts))
    assert found == placed(1_235_200, Quirk.KWH_SAMPLES)


def test_one_low_register_is_no_restart_and_two_are():
    gained = {"last_wh": START + 5_000}
    assert place(told(200), meter(**gained)) == UNCLEAR
    found = place(told(600), meter(pending=told(200, before=60), **gained))
    assert found == placed(START + 5_600, Quirk.RESTARTED)
    known = meter(**gained, stated=Habits(register="boot"))
    assert place(told(200), known) == placed(START + 5_200, Quirk.RESTARTED)


def test_a_small_meter_start_needs_time_to_tell_the_unit():
    sample = told(19, is_kwh=True)
    soon = meter(start=0, elapsed=dt.timedelta(seconds=10))
    assert place(sample, soon) == placed(19_000)
    later = meter(start=0, last_wh=Decimal(19_000), elapsed=dt.timedelta(minutes=1))
    assert place(told(117, is_kwh=True), later) == placed(117, Quirk.WH_SAMPLES)


def test_a_likely_habit_decides_where_both_readings_are_possible():
    assert place(told("0.5"), meter(start=0)) == UNCLEAR
    likely = meter(start=0, likely=Habits(sample_unit="kWh"))
    assert place(told("0.5"), likely) == placed(500, Quirk.KWH_SAMPLES)
    assert place(told("500"), likely) == placed(500)


@pytest.mark.parametrize(
    ("habits", "value", "is_kwh", "expected"),
    [
        (Habits(sample_unit="kWh"), "1236.567", False, "1236567"),
        (Habits(sample_unit="kWh"), "1236.567", True, "1236567"),
        (Habits(sample_unit="Wh"), "1236567", True, "1236567"),
        (Habits(sample_unit="Wh", register="lifetime"), "1236.567", False, None),
        (Habits(sample_unit="labelled", register="lifetime"), "500", False, None),
        (Habits(register="transaction"), "500", False, "1235067"),
        (Habits(sample_unit="kWh", register="transaction"), "0.5", False, "1235067"),
        (Habits(register="lifetime"), "500", False, None),
    ],
)
def test_what_staff_state_is_the_only_way_to_read(habits, value, is_kwh, expected):
    found = place(told(value, is_kwh=is_kwh), meter(stated=habits)).register_wh
    assert found == (None if expected is None else Decimal(expected))


@given(
    start=st.integers(200_000, 10**8),
    gain=st.integers(150, 3_000),
    minutes=st.integers(10, 600),
    way=st.sampled_from([(1, 0, False), (1000, 0, False), (1, 0, True), (1, 1, False)]),
)
def test_every_true_reading_is_placed_right_or_is_unclear(start, gain, minutes, way):
    divisor, is_relative, is_mislabelled = way
    truth = Decimal(start + gain)
    value = (truth - start if is_relative else truth) / divisor
    sample = Told(value * 1000 if is_mislabelled else value, is_mislabelled, NOW)
    found = place(sample, meter(start=start, elapsed=dt.timedelta(minutes=minutes)))
    assert found.register_wh is None or abs(found.register_wh - truth) <= NOISE_WH


def test_habits_follow_from_what_enough_sessions_show():
    assert habits_of([Quirk.KWH_SAMPLES, Quirk.WH_SAMPLES, Quirk.PHASES]) == Habits("kWh")
    assert [is_likely(1, 0), is_likely(2, 0), is_likely(2, 2)] == [False, True, False]


def test_a_bill_is_in_kwh_only_where_staff_say_so():
    assert read_bill(Decimal(5), Habits()) == 5
    assert read_bill(Decimal(5), Habits(bill_unit="kWh")) == 5_000


# --- A register near 0 that may be kWh -------------------------------------------------------


def new_meter(minutes=1, **facts):
    return meter(start=0, elapsed=dt.timedelta(minutes=minutes), **facts)


def test_a_fraction_that_would_be_a_charge_in_kwh_is_unclear():
    assert place(told("0.117"), new_meter()) == UNCLEAR


@pytest.mark.parametrize(
    ("value", "minutes"), [("0", 1), ("1", 1), ("117.18", 1), ("0.01", 1), ("0.9", 1), ("0.2", 15)]
)
def test_what_counts_whole_wh_or_no_charge_is_taken_as_labelled(value, minutes):
    assert place(told(value), new_meter(minutes)) == placed(value)


@pytest.mark.parametrize(
    ("power_w", "expected"),
    [
        ("7000", placed(234, Quirk.KWH_SAMPLES)),
        ("0", UNCLEAR),
        ("900", UNCLEAR),
        ("20000", UNCLEAR),
        (None, UNCLEAR),
    ],
)
def test_power_that_was_told_proves_the_unit_at_the_second_sample(power_w, expected):
    power = None if power_w is None else Decimal(power_w)
    before = Told(Decimal("0.117"), False, NOW - dt.timedelta(minutes=1), power)
    now = Told(Decimal("0.234"), False, NOW, power)
    assert place(now, new_meter(2, pending=before)) == expected


def test_a_car_that_begins_late_proves_nothing_by_its_first_power():
    """What the station itself took while the car waited is 4 Wh, not 4 kWh."""
    before = Told(Decimal("3.9"), False, NOW - dt.timedelta(minutes=1), Decimal(7_000))
    now = Told(Decimal("3.905"), False, NOW, Decimal(7_000))
    assert place(now, new_meter(30, pending=before)) == UNCLEAR


@pytest.mark.parametrize("unit", ["labelled", "Wh"])
def test_a_unit_that_staff_state_ends_the_question(unit):
    stated = Habits(sample_unit=unit)
    assert place(told("0.117"), new_meter(stated=stated)) == placed("0.117")
