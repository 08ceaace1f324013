"""When a hold is used up is found in a few steps, also where a total rises in jumps."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import crossing, outlook

NOW = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=15)


def seconds(at):
    return (at - NOW).total_seconds()


class Hold:
    """What is left of it, and how often somebody asked."""

    def __init__(self, left):
        self.left, self.asked = left, 0

    def __call__(self, at):
        self.asked += 1
        return self.left(seconds(at))


@given(hold=st.integers(10, 40_000), rate=st.floats(0.5, 100))
def test_a_steady_total_is_met_within_one_minor_unit_in_few_steps(hold, rate):
    left = Hold(lambda at: hold - int(rate * at))
    found = crossing.find(left, low=NOW, high=LATER)
    if hold > int(rate * 900):
        assert found is None
        assert left.asked == 2
    else:
        assert abs(left(found)) <= 1 or abs(seconds(found) - hold / rate) <= 0.25
        assert left.asked <= 5


@given(bend=st.integers(10, 890), hold=st.integers(100, 20_000))
def test_a_total_that_bends_is_met(bend, hold):
    def left(at):
        return hold - int(10 * min(at, bend) + 40 * max(0, at - bend))

    true_s = hold / 10 if hold <= 10 * bend else bend + (hold - 10 * bend) / 40
    found = crossing.find(Hold(left), low=NOW, high=LATER)
    assert found is None if left(900) > 0 else seconds(found) == pytest.approx(true_s, abs=0.5)


def test_a_total_that_jumps_is_met_where_it_jumps():
    found = crossing.find(Hold(lambda at: 500 if at < 600 else -500), low=NOW, high=LATER)
    assert seconds(found) == pytest.approx(600, abs=1)


@pytest.mark.parametrize("left", [0, -10])
def test_what_is_used_up_already_is_met_now(left):
    assert crossing.find(Hold(lambda at: left), low=NOW, high=LATER) == NOW


def test_what_is_never_used_up_is_never_met():
    assert crossing.find(Hold(lambda at: 1), low=NOW, high=LATER) is None


def test_a_hold_that_ends_with_the_last_moment_is_met_there():
    found = crossing.find(Hold(lambda at: 900 - int(at)), low=NOW, high=LATER)
    assert seconds(found) == pytest.approx(900, abs=1)


def test_the_least_energy_is_that_of_full_power_where_the_price_falls_with_time():
    """20 a Wh at first, and 10 from the tenth minute on: who is fast pays the dear price."""

    def left(course, at):
        dear_wh = outlook.energy_at(course, min(at, NOW + dt.timedelta(minutes=10)))
        return 20_000 - int(10 * dear_wh + 10 * outlook.energy_at(course, at))

    slow = outlook.begin(NOW, 7_200.0)._replace(power_w=3_600.0)
    least_wh = crossing.least_wh(slow, left, low=NOW, high=NOW + dt.timedelta(hours=2))
    assert least_wh == pytest.approx(1000, abs=1)


def test_the_least_energy_is_that_of_little_power_where_time_has_a_price():
    def left(course, at):
        return 20_000 - int(10 * outlook.energy_at(course, at) + 5 * seconds(at))

    slow = outlook.begin(NOW, 7_200.0)._replace(power_w=3_600.0)
    least_wh = crossing.least_wh(slow, left, low=NOW, high=NOW + dt.timedelta(hours=2))
    assert least_wh == pytest.approx(20_000 / 15, abs=1)


def test_there_is_no_least_energy_where_the_hold_outlasts_the_look():
    course = outlook.begin(NOW, 7_200.0)
    assert crossing.least_wh(course, lambda one, at: 1, low=NOW, high=LATER) is None
