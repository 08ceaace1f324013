"""What profiles add up to: worked examples, and a model that paints second by second."""

import dataclasses
import datetime as dt
from decimal import ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.smart_charging import (
    ChargingProfile,
    Installed,
    Kind,
    Limit,
    Period,
    Purpose,
    Recurrence,
    Schedule,
    Unit,
    compose,
)

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
HOUR, DAY = 3600, 86_400
TENTH = Decimal("0.1")


def after(seconds):
    return NOON + dt.timedelta(seconds=seconds)


def profile(*periods, purpose=Purpose.TX_DEFAULT, unit=Unit.AMPERE, start=0, duration=None, **rest):
    """An absolute profile with periods (start_s, limit[, phases]), begun `start` from noon."""
    spans = tuple(Period(begins, Decimal(limit), *phases) for begins, limit, *phases in periods)
    rest.setdefault("kind", Kind.ABSOLUTE)
    start_at = None if rest["kind"] is Kind.RELATIVE else after(start)
    schedule = Schedule(unit, spans, start_at=start_at, duration_s=duration)
    return ChargingProfile(id=1, purpose=purpose, schedule=schedule, **rest)


def drawn(*installed, connector_id=1, duration_s=HOUR, unit=Unit.AMPERE, **options):
    """[(start_s, limit)] of profiles at connector 1, or of (profile, connector_id)."""
    items = [
        Installed(*item) if isinstance(item, tuple) else Installed(item, 1) for item in installed
    ]
    limits = compose(
        items,
        connector_id=connector_id,
        start_at=options.pop("start_at", NOON),
        duration_s=duration_s,
        unit=unit,
        **options,
    )
    return [(found.start_s, found.limit) for found in limits]


def test_without_profiles_nothing_limits():
    assert drawn() == [(0, None)]


def test_the_highest_stack_level_prevails_and_leaves_its_gaps_to_the_next():
    low = profile((0, 32))
    high = profile((0, 16), (600, 10), start=600, duration=1200, stack_level=1)
    assert drawn(low, high) == [(0, 32), (600, 16), (1200, 10), (1800, 32)]


def test_at_the_same_level_the_connectors_own_prevails():
    everywhere, here = profile((0, 32)), profile((0, 10))
    assert drawn((everywhere, 0), (here, 1)) == [(0, 10)]
    assert drawn((everywhere, 0), (here, 1), connector_id=2) == [(0, 32)]


def test_the_charges_own_overrules_the_default_even_upwards():
    charge = profile((0, 20), purpose=Purpose.TX, duration=600)
    assert drawn(profile((0, 10), stack_level=5), charge) == [(0, 20), (600, 10)]


def test_the_station_caps_and_does_not_raise():
    station = (profile((0, 16), (600, 63), purpose=Purpose.STATION_MAX), 0)
    assert drawn(profile((0, 32)), station) == [(0, 16), (600, 32)]


def test_a_connectors_profile_does_not_limit_the_station():
    station = (profile((0, 63), purpose=Purpose.STATION_MAX), 0)
    assert drawn((profile((0, 10)), 0), station, connector_id=0) == [(0, 63)]


def test_a_limit_of_nothing_is_a_limit():
    assert drawn(profile((0, 0)), (profile((0, 9), purpose=Purpose.STATION_MAX), 0)) == [(0, 0)]


def test_a_daily_profile_recurs_and_its_last_period_lasts_until_the_next_day():
    daily = profile(
        (0, 32), (8 * HOUR, 10), kind=Kind.RECURRING, recurrence=Recurrence.DAILY, start=-5 * DAY
    )
    assert drawn(daily, duration_s=DAY + HOUR) == [(0, 32), (8 * HOUR, 10), (DAY, 32)]


def test_a_weekly_profile_leaves_the_other_days_alone():
    weekly = profile(
        (0, 6), kind=Kind.RECURRING, recurrence=Recurrence.WEEKLY, start=-7 * DAY, duration=DAY
    )
    assert drawn(weekly, duration_s=8 * DAY) == [(0, 6), (DAY, None), (7 * DAY, 6)]


def test_a_recurring_profile_does_not_hold_before_its_start():
    daily = profile((0, 6), kind=Kind.RECURRING, recurrence=Recurrence.DAILY, start=600)
    assert drawn(daily) == [(0, None), (600, 6)]


def test_a_profile_holds_only_while_it_is_valid():
    valid = profile((0, 6), (900, 8), valid_from=after(600), valid_to=after(1200))
    assert drawn(valid) == [(0, None), (600, 6), (900, 8), (1200, None)]


@pytest.mark.parametrize("ends", [-1, 0])
def test_a_profile_that_is_over_does_not_hold(ends):
    assert drawn(profile((0, 6), valid_to=after(ends))) == [(0, None)]


def test_a_relative_profile_counts_from_the_start_of_the_charge():
    relative = profile((0, 6), (900, 8), kind=Kind.RELATIVE)
    assert drawn(relative, charge_began_at=after(-600)) == [(0, 6), (300, 8)]
    assert drawn(relative) == [(0, 6), (900, 8)]


def test_watt_are_the_sum_of_the_phases_and_three_when_not_told():
    assert drawn(profile((0, 6900), unit=Unit.WATT)) == [(0, 10)]
    assert drawn(profile((0, 2300, 1), unit=Unit.WATT)) == [(0, 10)]
    assert drawn(profile((0, 10, 2)), unit=Unit.WATT) == [(0, 4600)]
    assert drawn(profile((0, 10)), unit=Unit.WATT, voltage=220) == [(0, 6600)]


def test_a_converted_limit_is_rounded_down():
    assert drawn(profile((0, 11000), unit=Unit.WATT)) == [(0, Decimal("15.9"))]


def test_limits_in_different_units_are_compared_in_one():
    station = (profile((0, 6900), unit=Unit.WATT, purpose=Purpose.STATION_MAX), 0)
    assert drawn(profile((0, 16)), station) == [(0, 10)]


def test_the_phases_are_those_of_the_limit_that_holds():
    [found] = compose(
        [Installed(profile((0, 10, 1)), 1)],
        connector_id=1,
        start_at=NOON,
        duration_s=60,
        unit=Unit.AMPERE,
    )
    assert found == Limit(0, Decimal(10), 1)


def test_the_offset_of_a_time_does_not_matter():
    bishkek = dt.timezone(dt.timedelta(hours=6))
    high = profile((0, 16), start=600)
    assert drawn(high, start_at=NOON.astimezone(bishkek)) == [(0, None), (600, 16)]


# --- the model: every second of the interval is painted, the least important profile first ------

SPAN = 40
OFFSETS = st.integers(-60, 60)


@st.composite
def profiles(draw):
    starts = draw(st.sets(st.integers(1, 50), max_size=3))
    purpose = draw(st.sampled_from(Purpose))
    made = profile(
        *[(start, draw(st.integers(0, 60)), draw(st.sampled_from([None, 1, 3])))
          for start in [0, *sorted(starts)]],
        purpose=purpose,
        unit=draw(st.sampled_from(Unit)),
        start=draw(OFFSETS),
        duration=draw(st.none() | st.integers(1, 80)),
        stack_level=draw(st.integers(0, 2)),
        kind=draw(st.sampled_from([Kind.ABSOLUTE, Kind.RELATIVE])),
    )  # fmt: skip
    validity = {}
    if draw(st.booleans()):
        validity["valid_from"] = after(draw(OFFSETS))
    if draw(st.booleans()):
        validity["valid_to"] = after(draw(OFFSETS))
    connector = 0 if purpose is Purpose.STATION_MAX else draw(st.sampled_from([0, 1, 2]))
    return Installed(dataclasses.replace(made, **validity), connector)


def paint(installed, purpose, connector_id, unit, began):
    """The limit of one purpose at each second, or None."""
    canvas = [None] * SPAN
    own = [item for item in installed if item.profile.purpose is purpose]
    # of equals the one that was named first prevails, so it is painted last
    own = [item for item in own if item.connector_id in (0, connector_id)][::-1]
    for item in sorted(own, key=lambda i: (i.profile.stack_level, i.connector_id != 0)):
        schedule = item.profile.schedule
        begins = schedule.start_at or after(began)
        for second in range(SPAN):
            now = after(second)
            age = (now - begins).total_seconds()
            is_valid = (item.profile.valid_from or now) <= now
            is_valid = is_valid and now < (item.profile.valid_to or after(SPAN))
            is_over = schedule.duration_s is not None and age >= schedule.duration_s
            if age < 0 or is_over or not is_valid:
                continue
            for period in schedule.periods:
                if period.start_s <= age:
                    canvas[second] = in_unit(period, schedule.unit, unit)
    return canvas


def in_unit(period, given, wanted):
    volts = 230 * (period.phases or 3)
    if given is wanted:
        return period.limit
    return period.limit * volts if wanted is Unit.WATT else period.limit / volts


@given(
    st.lists(profiles(), max_size=5),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(Unit),
    st.integers(-20, 20),
)
def test_every_second_is_as_if_it_had_been_painted(installed, connector_id, unit, began):
    limits = compose(
        installed,
        connector_id=connector_id,
        start_at=NOON,
        duration_s=SPAN,
        unit=unit,
        charge_began_at=after(began),
    )
    charge, default, station = (
        paint(installed, purpose, connector_id, unit, began)
        for purpose in (Purpose.TX, Purpose.TX_DEFAULT, Purpose.STATION_MAX)
    )
    for second in range(SPAN):
        own = default[second] if charge[second] is None else charge[second]
        own = None if connector_id == 0 else own
        held = [limit for limit in (own, station[second]) if limit is not None]
        expected = min(held).quantize(TENTH, ROUND_FLOOR) if held else None
        found = [limit for limit in limits if limit.start_s <= second][-1]
        assert found.limit == expected, second
    assert [limit.start_s for limit in limits] == sorted({limit.start_s for limit in limits})
    assert limits[0].start_s == 0


@given(st.integers(-3 * DAY, 3 * DAY), st.integers(1, 2 * DAY), st.integers(0, 2 * DAY - 1))
def test_each_second_of_a_daily_profile_is_judged_by_the_time_of_day(start, duration, second):
    daily = profile(
        (0, 32),
        (HOUR, 10),
        kind=Kind.RECURRING,
        recurrence=Recurrence.DAILY,
        start=start,
        duration=duration,
    )
    found = [limit for at, limit in drawn(daily, duration_s=2 * DAY) if at <= second][-1]
    age = (second - start) % DAY
    is_running = second >= start and age < duration
    assert found == ((32 if age < HOUR else 10) if is_running else None)
