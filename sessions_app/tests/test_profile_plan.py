"""Plans that hold a limit without a network: for any car, cut at any moment."""

import datetime as dt
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sessions_app import profile_plan
from sessions_app.profile_plan import (
    GRACE_S,
    LEAST_SINGLE_W,
    LEAST_W,
    SINGLE_PHASE_W,
    Aim,
    Course,
    Period,
    Place,
    Plan,
    Watch,
)
from sessions_app.tests.planned_charge import NOON, PlannedCharge, moment

PROMISED = 1.03


def constant(power_w):
    return lambda second: power_w


def ramp(power_w, over_s):
    return lambda second: int(power_w * min(1, second / over_s))


def fading(power_w, over_s):
    return lambda second: int(power_w * max(0.15, 1 - second / over_s))


def stepping(powers, each_s):
    return lambda second: powers[second // each_s % len(powers)]


def pausing(power_w, from_s, until_s):
    return lambda second: 0 if from_s <= second < until_s else power_w


@st.composite
def curves(draw, full_w):
    power_w = draw(st.integers(full_w // 5, full_w))
    match draw(st.sampled_from(["constant", "ramp", "fading", "stepping", "pausing"])):
        case "constant":
            return constant(power_w)
        case "ramp":
            return ramp(power_w, draw(st.integers(5, 120)))
        case "fading":
            return fading(power_w, draw(st.integers(600, 3600)))
        case "stepping":
            powers = draw(st.lists(st.integers(full_w // 5, full_w), min_size=2, max_size=6))
            return stepping(powers, draw(st.integers(30, 300)))
    begin = draw(st.integers(30, 200))
    return pausing(power_w, begin, begin + draw(st.integers(60, 400)))


@st.composite
def charges(draw):
    full_w = draw(st.sampled_from([3_600, 7_400, 11_000, 22_000, 50_000, 120_000, 350_000]))
    interval_s = draw(st.sampled_from([5, 10, 30, 60]))
    at_full_s = draw(st.integers(300, 900))
    return PlannedCharge(
        place=Place(full_w, interval_s, max_periods=draw(st.sampled_from([None, 2, 3]))),
        limit_wh=full_w * at_full_s // 3600,
        demand=draw(curves(full_w)),
        delay_s=draw(st.integers(0, 3)),
    )


def seconds_without_plans(charge):
    energy_ws = second = 0
    while energy_ws < charge.limit_wh * 3600 and second < 4_000:
        energy_ws += min(charge.demand(second), charge.place.full_w)
        second += 1
    return second


def promised_wh(charge):
    """3 % past the limit. Below 6 A a limit would be a pause, so there it is what 6 A give until
    the next reading is heard."""
    full_w, interval_s = charge.place.full_w, charge.place.interval_s
    least_w = LEAST_W if full_w > SINGLE_PHASE_W else LEAST_SINGLE_W
    floor_wh = least_w * (interval_s + GRACE_S + 3) / 3600
    return charge.limit_wh + max(charge.limit_wh * (PROMISED - 1), floor_wh)


@settings(max_examples=25, deadline=None)
@given(charges())
def test_no_more_flows_than_promised_whenever_the_network_goes(charge):
    """Even if the car draws all that the station may give from then on."""
    charge.run(until_s=6_000)
    for second, energy_wh, plan in charge.plans:
        assert charge.most_wh(plan, second, energy_wh) <= promised_wh(charge)


@settings(max_examples=25, deadline=None)
@given(charges())
def test_a_charge_with_a_network_reaches_its_limit(charge):
    """Stopped short at most by what a change since the last reading makes of the last seconds."""
    free_s = seconds_without_plans(charge)
    assume(free_s < 4_000)
    late_s = charge.place.interval_s + GRACE_S
    charge.run(until_s=int(free_s + 2 * late_s))
    assert charge.energy_wh >= charge.limit_wh - charge.place.full_w * late_s / 3600


@pytest.mark.parametrize("full_w", [3_600, 7_400, 11_000, 22_000, 50_000, 120_000, 350_000])
@pytest.mark.parametrize("share", [0.25, 0.6, 1.0])
@pytest.mark.parametrize("interval_s", [5, 60])
def test_a_steady_charge_ends_at_its_limit_without_a_network(full_w, share, interval_s):
    """Cut at 70 %: within 1 % of the limit; and no slower than the last step makes it."""
    power_w = int(full_w * share)
    charge = PlannedCharge(Place(full_w, interval_s), full_w * 600 // 3600, constant(power_w))
    while charge.energy_wh < 0.7 * charge.limit_wh:
        charge.tick()
    plan = charge.plans[-1][2]
    ended_wh = charge.cut_off_wh(plan, charge.second, charge.energy_wh)
    assert ended_wh <= 1.01 * charge.limit_wh
    if (plan.is_capped and power_w > SINGLE_PHASE_W) or power_w == full_w:
        assert ended_wh >= 0.99 * charge.limit_wh
    charge.run()
    assert charge.second <= charge.limit_wh * 3600 / power_w + 14
    assert charge.energy_wh >= 0.995 * charge.limit_wh


@pytest.mark.parametrize(
    ("demand", "most"),
    [
        (constant(15_000), 4),
        (ramp(20_000, 60), 6),
        (pausing(15_000, 300, 900), 12),
        (fading(22_000, 3600), 12),
    ],
)
def test_plans_are_renewed_rarely(demand, most):
    charge = PlannedCharge(Place(22_000, 10), 10_000, demand)
    charge.run()
    assert charge.renewals <= most


# --- One plan ------------------------------------------------------------------------------------


def steady(power_w=15_000, energy_wh=0, **more):
    return Course(NOON, energy_wh, power_w, (power_w, power_w), **more)


def plan(course, limit_wh=10_000, *, full_w=22_000, aim=None, standing=None, loose=False, **place):
    made = Place(full_w, place.pop("interval_s", 60), **place)
    return profile_plan.make(
        course, aim or Aim(limit_wh), made, starts_at=NOON, standing=standing, is_loose=loose
    )


def test_the_last_step_is_lower_and_lets_just_the_rest_flow():
    made = plan(steady(energy_wh=8_000))
    (_, cap_w), (step_s, taper_w), (zero_s, none_w) = made.periods
    assert (none_w, cap_w > 15_000, taper_w < 15_000 * 0.3) == (0, True, True)
    rest_wh = (15_000 * step_s + taper_w * (zero_s - 1 - step_s)) / 3600
    assert rest_wh == pytest.approx(2_000, abs=1)


def test_a_step_below_6_a_is_not_taken():
    made = plan(steady(5_000, energy_wh=9_900))
    assert all(limit_w == 0 or limit_w >= LEAST_W for _, limit_w in made.periods)


def test_a_power_that_rises_gets_the_full_power_and_a_sooner_end():
    rising = Course(NOON, 0, 15_000, (5_000, 10_000))
    made = plan(rising)
    assert made.periods == (Period(0, 22_000), Period(int(10_200 * 3600 / 22_000), 0))


def test_nothing_known_gets_the_full_power():
    assert plan(Course(NOON, 0, 15_000)).periods[0].limit_w == 22_000


def test_a_car_that_was_slowed_down_gets_the_full_power():
    assert plan(steady(), loose=True).periods[0].limit_w == 22_000


def test_a_station_that_is_stronger_than_stated_is_taken_at_what_it_gave():
    assert plan(steady(30_000)).full_w == 30_000


def test_a_plan_lasts_until_the_next_reading_at_least():
    rising = Course(NOON, 9_700, 5_000, (1_000,))
    assert plan(rising).zero_s >= 60 + GRACE_S - 1


def test_a_time_limit_ends_when_it_is_over():
    made = plan(steady(), aim=Aim(10_000, moment(100)))
    assert made.zero_s == 100


def test_a_time_limit_alone_limits_no_power():
    made = plan(steady(), aim=Aim(None, moment(100)))
    assert made.periods == (Period(0, 22_000), Period(100, 0))


def test_nothing_to_end_at_is_no_plan():
    assert plan(steady(), aim=Aim()) is None


@pytest.mark.parametrize(("most", "count"), [(1, None), (2, 2), (3, 3), (None, 3)])
def test_it_keeps_to_the_periods_that_a_station_takes(most, count):
    made = plan(steady(energy_wh=8_000), max_periods=most)
    assert (made and len(made.periods)) == count


def test_a_station_slow_to_obey_is_told_earlier():
    quick = plan(steady(energy_wh=8_000), max_periods=2)
    slow = plan(steady(energy_wh=8_000), max_periods=2, lag_s=5.0)
    assert quick.zero_s - slow.zero_s == 5


def test_it_keeps_below_what_holds_at_the_station_anyway():
    made = plan(steady(energy_wh=8_000), ceilings=((0, None), (100, 11_000), (200, None)))
    assert [limit for _, limit in made.periods][1] == 11_000
    assert made.periods[-1].limit_w == 0


def test_after_its_zero_the_rest_is_planned_at_the_power_of_before():
    ended = Plan(moment(-100), (Period(0, 22_000), Period(90, 0)), 15_000, 22_000)
    paused = Course(NOON, 9_000, 0, (15_000, 15_000))
    made = plan(paused, standing=ended)
    assert made.power_w == 15_000
    assert made.reached_at(NOON, 1_000, 15_000) is not None


@pytest.mark.parametrize(("energy_wh", "is_done"), [(9_990, True), (9_960, True), (9_000, False)])
def test_a_charge_that_its_plan_ended_near_the_limit_is_done(energy_wh, is_done):
    ended = Plan(moment(-100), (Period(0, 22_000), Period(90, 0)), 15_000, 22_000)
    course = Course(NOON, energy_wh, 0)
    assert profile_plan.is_done(ended, course, Aim(10_000)) is is_done
    assert not profile_plan.is_done(ended, Course(moment(-50), energy_wh, 0), Aim(10_000))


def test_the_crossing_under_a_plan_heeds_its_last_step():
    made = plan(steady(energy_wh=8_000))
    (_, step_s, zero_s) = (period.start_s for period in made.periods)
    crossing = made.reached_at(NOON, 2_000, 15_000)
    assert moment(step_s) < crossing <= moment(zero_s)
    assert made.reached_at(NOON, 3_000, 15_000) is None


def test_a_plan_survives_its_row():
    made = plan(steady())
    assert Plan.from_json(made.to_json()) == made
    first = profile_plan.first(aim=Aim(10_000), lasts_s=None, place=Place(22_000, 60))
    assert Plan.from_json(first.to_json()) == first
    assert first.begun(NOON).starts_at == NOON


# --- When it is stale ----------------------------------------------------------------------------


def is_stale(made, second, energy_wh, power_w, *, aim=None, interval_s=60):
    course = Course(moment(second), energy_wh, power_w)
    return profile_plan.is_stale(made, course, aim or Aim(10_000), interval_s=interval_s)


def test_a_charge_as_planned_is_not_stale():
    made = plan(steady())
    for second in range(0, 2_300, 60):
        assert not is_stale(made, second, 15_000 * second // 3600, 15_000)


@pytest.mark.parametrize(
    ("second", "energy_wh", "power_w"),
    [
        (600, 2_800, 15_000),  # more has flowed than could
        (600, 2_500, 15_440),  # it presses against its limit
        (2_320, 9_200, 14_000),  # it would end before the next reading
        (3_000, 9_900, 0),  # it is over
    ],
)
def test_a_plan_that_does_not_fit_any_more_is_stale(second, energy_wh, power_w):
    assert is_stale(plan(steady()), second, energy_wh, power_w)


def test_a_limit_that_was_raised_makes_it_stale():
    made = plan(steady())
    assert is_stale(made, 600, 2_500, 15_000, aim=Aim(15_000))


def test_a_limit_that_was_lowered_makes_it_stale():
    made = plan(steady())
    assert is_stale(made, 600, 2_500, 15_000, aim=Aim(9_000))


def test_near_the_stop_nothing_is_stale():
    made = plan(steady())
    assert not is_stale(made, 2_370, 9_960, 14_900)


def test_a_time_limit_that_moved_makes_it_stale():
    made = plan(steady(), aim=Aim(None, moment(600)))
    assert not is_stale(made, 60, 0, 0, aim=Aim(None, moment(600)))
    assert is_stale(made, 60, 0, 0, aim=Aim(None, moment(900)))
    assert is_stale(made, 60, 0, 0, aim=Aim(None, moment(300)))


def test_a_watch_waits_for_what_is_under_way():
    watch = Watch(None, Aim(10_000), 60, not_before=moment(100))
    assert not watch.is_due(at=moment(99), energy_wh=0, power_w=None)
    assert watch.is_due(at=moment(100), energy_wh=0, power_w=None)


def test_a_new_plan_rests_unless_it_ends():
    pressed = {"energy_wh": 2_500, "power_w": 15_440}
    made = plan(steady())
    assert not Watch(made, Aim(10_000), 60, sent_at=moment(590)).is_due(at=moment(600), **pressed)
    assert Watch(made, Aim(10_000), 60, sent_at=moment(570)).is_due(at=moment(600), **pressed)


@pytest.mark.parametrize(
    ("told_w", "rate_w", "power_w"),
    [
        (7_000.0, 7_100.0, 7_000.0),
        (7.0, 7_100.0, 7_100.0),  # kW without a unit
        (7_000.0, None, 7_000.0),
        (None, 7_100.0, 7_100.0),
        (None, None, None),
    ],
)
def test_a_power_that_the_register_belies_is_not_believed(told_w, rate_w, power_w):
    assert profile_plan.power_of(told_w, rate_w) == power_w


def test_the_clock_of_a_plan_counts_whole_seconds():
    later = NOON + dt.timedelta(milliseconds=400)
    course = Course(NOON, 8_000, 15_000, (15_000,))
    made = profile_plan.make(course, Aim(10_000), Place(22_000, 60), starts_at=later)
    assert all(isinstance(period.start_s, int) for period in made.periods)
    assert not math.isinf(made.zero_s)
