"""When a session reaches its limit, by what its meter told."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import latency, outlook
from sessions_app.outlook import HOUR_S, Point

START = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
FULL_W = 60_000.0


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def course(*points, full_w=FULL_W):
    """Points are (seconds, Wh) or (seconds, Wh, W)."""
    known = outlook.begin(START, full_w)
    for seconds, *values in points:
        known = outlook.after(known, Point(at(seconds), *values))
    return known


def crosses(known, target_wh):
    return outlook.crossing_of(known, target_wh, now=known.last.at)


def seen(known, target_wh, *, interval_s=60.0, latency_s=1.0):
    crossing_at = crosses(known, target_wh)
    return outlook.look(known, crossing_at=crossing_at, interval_s=interval_s, latency_s=latency_s)


# --- Power ---------------------------------------------------------------------------------------


def test_the_first_interval_is_projected_at_full_power():
    assert crosses(course(), 1_000) == at(60)


def test_the_power_that_is_told_goes_on():
    known = course((60, 100, 30_000.0))
    assert crosses(known, 600) == at(60 + 60)


def test_without_a_told_power_the_register_shows_it():
    known = course((60, 501), (120, 1_001))
    assert known.power_w == pytest.approx(30_000)


def test_a_rate_over_less_than_five_seconds_is_none():
    """It is measured over more then: here from the start."""
    known = course((60, 501), (62, 901))
    assert known.power_w == pytest.approx(901 * HOUR_S / 62)


def test_a_coarse_register_is_measured_over_many_of_its_steps():
    """10 kW on a meter of 100 Wh: from one sample to the next it shows 0 or 36 kW."""
    points = [(seconds, seconds * 10_000 // 3600 // 100 * 100) for seconds in range(10, 1200, 10)]
    assert course(*points).power_w == pytest.approx(10_000, rel=0.1)


def test_a_register_that_stands_still_is_no_full_power():
    known = course((30, 0.5), (60, 0.5), (90, 0.5))
    assert known.power_w < 1_000


def test_a_car_that_draws_nothing_reaches_no_limit():
    assert crosses(course((60, 100, 0.0)), 5_000) is None


def test_power_in_kw_without_a_unit_is_not_believed():
    """7.2 «W» beside a register that gains 120 Wh a minute."""
    known = course((60, 121, 7.2), (120, 241, 7.2))
    assert known.power_w == pytest.approx(7_200)


def test_power_of_nothing_beside_a_register_that_runs_is_not_believed():
    known = course((60, 501, 0.0), (120, 1_001, 0.0))
    assert known.power_w == pytest.approx(30_000)


def test_power_that_rises_says_nothing_against_what_is_told():
    known = course((60, 100, 10_000.0), (120, 900, 60_000.0))
    assert known.power_w == 60_000


def test_an_older_point_changes_nothing():
    known = course((60, 500, 30_000.0))
    assert outlook.after(known, Point(at(30), 100.0, 1.0)) == known


@given(
    power_w=st.floats(3_600, 350_000),
    interval_s=st.floats(5, 300),
    count=st.integers(10, 20),
    is_told=st.booleans(),
)
def test_steady_power_is_known_within_the_step_of_its_register(power_w, interval_s, count, is_told):
    points = [
        (number * interval_s, round(power_w * number * interval_s / HOUR_S))
        + ((power_w,) if is_told else ())
        for number in range(1, count + 1)
    ]
    known = course(*points, full_w=350_000.0)
    assert known.power_w == pytest.approx(power_w, rel=0.11)


def test_of_two_points_in_one_tick_the_higher_counts():
    known = course((0, 700))
    assert (known.last.energy_wh, known.power_w) == (700, FULL_W)


# --- When to stop, when to ask -------------------------------------------------------------------


def test_the_stop_leaves_earlier_by_what_it_takes():
    known = course((60, 100, 30_000.0))
    assert seen(known, 600, latency_s=4.5).stop_at == at(120 - 4.5)


def test_a_limit_that_is_passed_is_stopped_at_once():
    known = course((60, 700, 30_000.0))
    assert seen(known, 600).crossing_at == at(60)


def test_a_point_that_comes_late_says_nothing_of_now():
    known = course((60, 700, 30_000.0))
    assert outlook.crossing_of(known, 600, now=at(121)) is None
    assert outlook.crossing_of(known, 600, now=at(120)) == at(60)


def test_a_sample_is_asked_for_five_seconds_after_the_start():
    assert seen(course(), 10_000).ask_at == at(5)
    assert seen(course(), 10_000, interval_s=5).ask_at is None, "one comes by itself"


def test_a_sample_is_asked_for_when_half_of_what_is_left_has_passed():
    known = course((60, 500, 30_000.0), (120, 1_000, 30_000.0))
    assert seen(known, 1_500, interval_s=60).ask_at == at(120 + 30)
    assert seen(known, 2_100, interval_s=60).ask_at is None, "one comes by itself before"
    assert seen(known, 1_500, interval_s=10).ask_at == at(120 + 30), "it comes every 60 s"


def test_the_last_sample_is_asked_for_while_a_call_may_still_go_out():
    known = course((60, 500, 30_000.0), (120, 1_000, 30_000.0))
    assert seen(known, 1_125).ask_at is None, "the stop leaves in 14 s"
    assert seen(known, 1_175).ask_at == at(120 + 7), "13 s before the stop"


def test_while_power_rises_what_is_left_is_judged_at_full_power():
    known = course((60, 100, 10_000.0))
    assert not known.is_steady
    assert seen(known, 100 + 500, interval_s=60).ask_at == at(60 + 15), "500 Wh at 60 kW: 30 s"


@given(
    energies=st.lists(st.floats(0, 2_000), min_size=1, max_size=12),
    power_w=st.none() | st.floats(0, 400_000),
    target_wh=st.floats(0, 50_000),
    interval_s=st.floats(1, 900),
    latency_s=st.floats(0, 30),
)
def test_whatever_is_told_the_plan_makes_sense(energies, power_w, target_wh, interval_s, latency_s):
    points = [
        (30 * number, sum(energies[:number]), power_w) for number in range(1, len(energies) + 1)
    ]
    known = course(*points)
    plan = seen(known, target_wh, interval_s=interval_s, latency_s=latency_s)
    if plan.crossing_at is not None:
        assert plan.crossing_at >= known.last.at
        assert (plan.crossing_at - plan.stop_at).total_seconds() == pytest.approx(
            latency_s, abs=1e-5
        )
    if plan.ask_at is not None:
        assert plan.ask_at > known.last.at
        if plan.stop_at is not None:
            left_s = (plan.stop_at - plan.ask_at).total_seconds()
            assert left_s >= outlook.LAST_ASK_S - 1e-5


# --- Clocks --------------------------------------------------------------------------------------


def our_time(told_s, received_s, *, meter_start_s=0.0):
    return outlook.our_time(
        at(told_s), at(received_s), started_at=START, meter_start_at=at(meter_start_s)
    )


def test_a_sample_is_as_old_as_its_station_says():
    assert our_time(60.5, 65) == at(60.5)


def test_a_steady_wrong_clock_is_only_a_difference():
    assert our_time(3_660.5, 65, meter_start_s=3_600) == at(60.5)


def test_a_clock_of_whole_seconds_is_no_better_than_the_message():
    assert our_time(60, 61.7) == at(61.7)
    assert our_time(60, 63) == at(60), "it was late"


def test_no_sample_is_from_the_future():
    assert our_time(500, 65) == at(65)


def test_an_impossible_time_is_when_it_came():
    moment = outlook.our_time(
        dt.datetime.max.replace(tzinfo=dt.UTC),
        at(65),
        started_at=START,
        meter_start_at=dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
    )
    assert moment == at(65)


# --- How long a stop takes -----------------------------------------------------------------------


def test_the_energy_after_the_decision_tells_how_long_a_stop_took():
    known = course((60, 501, 36_000.0))
    took_s = latency.observed_s(known, decided_at=at(70), stop_wh=631, ended_at=at(71))
    assert took_s == pytest.approx(3), "30 Wh more than the 601 of then, at 10 Wh a second"


def test_where_the_register_is_coarse_the_clock_tells_it():
    points = [(seconds, seconds * 10_000 // 3600 // 100 * 100) for seconds in range(10, 70, 10)]
    known = course(*points)
    took_s = latency.observed_s(known, decided_at=at(70), stop_wh=300, ended_at=at(72))
    assert took_s == pytest.approx(2)


def test_a_stop_that_was_lost_teaches_nothing():
    known = course((60, 500, 36_000.0))
    assert latency.observed_s(known, decided_at=at(70), stop_wh=1_000, ended_at=at(110)) is None


def test_a_station_that_stopped_before_we_asked_took_no_time():
    known = course((60, 500, 36_000.0))
    assert latency.observed_s(known, decided_at=at(70), stop_wh=550, ended_at=at(65)) == 0


def test_one_second_is_assumed_until_the_first_stop():
    assert latency.learned_s([]) == 1
    assert latency.learned_s([4]) == 4
    assert latency.learned_s([2, 2, 2.2, 25]) == pytest.approx(2.1), "one bad one changes little"
