"""The offset of a clock that is set back without a boot, as a pure function."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.clock import STEADY_S, risen

T0 = dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)
MINUTE = 60.0


def heard(*pairs):
    return [(T0 + dt.timedelta(seconds=at), difference) for at, difference in pairs]


def every(seconds, count, difference, *, begin=0.0):
    return [(begin + n * seconds, difference) for n in range(count)]


offsets = st.floats(-86_400, 86_400)
jitter = st.lists(st.floats(0, STEADY_S - 1), min_size=70, max_size=70)


def test_a_clock_that_was_ahead_and_is_set_right_is_learnt():
    assert risen(-300.0, heard(*every(10, 70, 0.4))) == 0.4


def test_what_came_before_it_was_set_does_not_count():
    before = every(10, 100, -300.0)
    assert risen(-300.0, heard(*before, *every(10, 20, 0.0, begin=1000))) is None
    assert risen(-300.0, heard(*before, *every(10, 61, 0.0, begin=1000))) == 0.0


def test_one_live_message_among_old_ones_says_that_the_clock_is_as_it_was():
    steady = every(10, 70, 500.0)
    steady[40] = (400.0, 1.0)
    assert risen(0.0, heard(*steady)) is None


@pytest.mark.parametrize("count", [0, 1, 4])
def test_few_messages_say_nothing(count):
    assert risen(0.0, heard(*every(10 * MINUTE, count, 500.0))) is None


def test_a_few_messages_over_a_long_time_are_enough():
    assert risen(0.0, heard(*every(10 * MINUTE, 5, 500.0))) == 500.0


@given(offsets, st.floats(STEADY_S * 2, 86_400), jitter)
def test_a_clock_that_is_set_back_is_learnt_to_within_the_jitter(known, by, noise):
    live = [(n * 10, known + by + late) for n, late in enumerate(noise)]
    found = risen(known, heard(*live))
    assert found is not None
    assert 0 <= found - (known + by) < STEADY_S


@given(offsets, jitter)
def test_a_clock_that_nobody_touched_never_rises(known, noise):
    live = [(n * 10, known + late) for n, late in enumerate(noise)]
    assert risen(known, heard(*live)) is None


@given(
    offsets,
    st.integers(2, 600),
    st.floats(1, 3600),
    st.floats(0.05, 0.9),
)
def test_a_replay_that_catches_up_never_raises_the_offset(known, count, apart_s, pace):
    """Made every `apart_s`, sent faster than that, and live in the end: differences shrink."""
    replay = [
        (n * apart_s * pace, known + (count - 1 - n) * apart_s * (1 - pace)) for n in range(count)
    ]
    found = risen(known, heard(*replay))
    lasted = (count - 1) * apart_s * pace
    shrunk = (count - 1) * apart_s * (1 - pace)
    assert found is None or (lasted >= 600 and shrunk / lasted < 0.02)


@given(offsets, st.lists(st.tuples(st.floats(0, 5_000), st.floats(-90_000, 90_000))))
def test_whatever_is_heard_the_offset_only_rises_to_what_was_said(known, pairs):
    told = heard(*sorted(pairs))
    found = risen(known, told)
    assert found is None or (found > known and found in {seconds for _, seconds in told})
