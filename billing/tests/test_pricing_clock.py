"""Prices by the station's local clock: midnights, weekdays, dates, and days when clocks change."""

import datetime as dt
import zoneinfo

import pytest

from billing.pricing import Period, price

from .tariffs import BERLIN, BISHKEK, HOUR, UTC, component, element, lines, moment, session, tariff
from .tariffs import total as price_of

DAY_PRICE = component("ENERGY", 2)
ELSE = element(component("ENERGY", 1))


def kwh(terms, start, hours, zone) -> list[str]:
    """The kWh by price, where one kWh is charged an hour."""
    periods = [Period(start, start + hours * HOUR, hours * 1000)]
    return [line.split(" kWh x ")[0].split()[1] + "@" + line.split(" x ")[1].split(" = ")[0]
            for line in lines(price(terms, periods, zone))]  # fmt: skip


@pytest.mark.parametrize(
    ("restrictions", "start", "hours", "expected"),
    [
        ({"start_time": "08:00", "end_time": "20:00"}, "2026-01-05 06:00", 4, "2.000@1 2.000@2"),
        ({"start_time": "08:00", "end_time": "20:00"}, "2026-01-05 19:00", 3, "1.000@2 2.000@1"),
        ({"start_time": "22:00", "end_time": "06:00"}, "2026-01-05 21:00", 11, "3.000@1 8.000@2"),
        ({"start_time": "22:00", "end_time": "00:00"}, "2026-01-05 21:00", 5, "3.000@1 2.000@2"),
        ({"start_time": "22:00"}, "2026-01-05 21:00", 5, "3.000@1 2.000@2"),
        ({"end_time": "02:00"}, "2026-01-05 22:00", 6, "4.000@1 2.000@2"),
        ({"start_time": "00:00", "end_time": "00:00"}, "2026-01-05 21:00", 5, "5.000@2"),
        ({"start_time": "09:00", "end_time": "09:00"}, "2026-01-05 21:00", 5, "5.000@2"),
        ({"day_of_week": ["MONDAY"]}, "2026-01-05 22:00", 4, "2.000@2 2.000@1"),
        ({"day_of_week": ["SATURDAY", "SUNDAY"]}, "2026-01-09 23:00", 50, "48.000@2 2.000@1"),
        ({"day_of_week": []}, "2026-01-05 22:00", 4, "4.000@2"),
        ({"start_date": "2026-01-06"}, "2026-01-05 22:00", 4, "2.000@1 2.000@2"),
        ({"end_date": "2026-01-06"}, "2026-01-05 22:00", 4, "2.000@2 2.000@1"),
        (
            {"start_date": "2026-01-06", "end_date": "2026-01-07"},
            "2026-01-05 23:00",
            26,
            "2.000@1 24.000@2",
        ),
    ],
)
@pytest.mark.parametrize("zone", [UTC, BISHKEK, BERLIN], ids=str)
def test_an_element_applies_at_its_times(restrictions, start, hours, expected, zone):
    found = kwh(tariff(element(DAY_PRICE, **restrictions), ELSE), moment(start, zone), hours, zone)
    assert sorted(found) == sorted(f"{one}.00" for one in expected.split())


def test_the_day_of_a_night_rate_is_the_day_of_the_moment():
    """22:00 to 06:00 on Mondays is two stretches of Monday, not the night to Tuesday."""
    night = {"start_time": "22:00", "end_time": "06:00", "day_of_week": ["MONDAY"]}
    terms = tariff(element(DAY_PRICE, **night), ELSE)
    assert kwh(terms, moment("2026-01-05 00:00"), 6, UTC) == ["6.000@2.00"]
    assert kwh(terms, moment("2026-01-05 22:00"), 8, UTC) == ["2.000@2.00", "6.000@1.00"]


SMALL_HOURS = tariff(element(DAY_PRICE, start_time="02:00", end_time="03:00"), ELSE)


def test_an_hour_that_does_not_exist_is_not_priced():
    """Berlin, 2026-03-29: 02:00 becomes 03:00."""
    assert kwh(SMALL_HOURS, moment("2026-03-29 00:00", BERLIN), 4, BERLIN) == ["4.000@1.00"]


def test_an_hour_that_comes_twice_is_priced_twice():
    """Berlin, 2026-10-25: 03:00 becomes 02:00."""
    found = kwh(SMALL_HOURS, moment("2026-10-25 00:00", BERLIN), 6, BERLIN)
    assert sorted(found) == ["2.000@2.00", "4.000@1.00"]


def test_half_an_hour_that_comes_twice_is_two_halves():
    late_half = tariff(element(DAY_PRICE, start_time="02:30", end_time="03:00"), ELSE)
    found = kwh(late_half, moment("2026-10-25 01:00", BERLIN), 4, BERLIN)
    assert sorted(found) == ["1.000@2.00", "3.000@1.00"]


def test_a_time_that_is_skipped_begins_when_the_clock_jumps_past_it():
    from_half_past = tariff(element(DAY_PRICE, start_time="02:30", end_time="06:00"), ELSE)
    found = kwh(from_half_past, moment("2026-03-29 01:00", BERLIN), 3, BERLIN)
    assert sorted(found) == ["1.000@1.00", "2.000@2.00"]


def test_a_day_of_change_has_23_or_25_hours():
    sunday = tariff(element(DAY_PRICE, day_of_week=["SUNDAY"]), ELSE)
    spring = kwh(sunday, moment("2026-03-28 23:00", BERLIN), 26, BERLIN)
    autumn = kwh(sunday, moment("2026-10-24 23:00", BERLIN), 28, BERLIN)
    assert sorted(spring) == ["23.000@2.00", "3.000@1.00"]
    assert sorted(autumn) == ["25.000@2.00", "3.000@1.00"]


def test_a_change_at_midnight_begins_the_day_at_one():
    """Beirut, 2026-03-29: 00:00 becomes 01:00, so Sunday has no midnight."""
    beirut = zoneinfo.ZoneInfo("Asia/Beirut")
    sunday = tariff(element(DAY_PRICE, day_of_week=["SUNDAY"]), ELSE)
    found = kwh(sunday, moment("2026-03-28 22:00", beirut), 3, beirut)
    assert sorted(found) == ["1.000@2.00", "2.000@1.00"]


def test_a_change_by_half_an_hour_is_seen():
    """Lord Howe, 2026-04-05: 02:00 becomes 01:30."""
    howe = zoneinfo.ZoneInfo("Australia/Lord_Howe")
    late = tariff(element(DAY_PRICE, start_time="01:30", end_time="02:00"), ELSE)
    found = kwh(late, moment("2026-04-05 01:00", howe), 2, howe)
    assert sorted(found) == ["1.000@1.00", "1.000@2.00"]


def test_time_is_billed_by_its_real_length_on_a_day_of_change():
    hourly = tariff(element(component("TIME", 1)))
    start = moment("2026-10-25 00:00", BERLIN)
    end = moment("2026-10-25 06:00", BERLIN)
    assert price_of(hourly, [Period(start, end, 0)], BERLIN) == "7.00"


def test_local_times_are_the_same_moments_as_utc():
    """Subtracting two local times of one zone would ignore that its clock changed."""
    start = dt.datetime(2026, 10, 25, 0, tzinfo=BERLIN)
    end = dt.datetime(2026, 10, 25, 6, tzinfo=BERLIN)
    hourly = tariff(element(component("TIME", 1)), ELSE)
    assert price_of(hourly, [Period(start, end, 7000)], BERLIN) == "14.00"


def test_energy_is_spread_evenly_over_its_period():
    terms = tariff(element(DAY_PRICE, start_time="17:00"), ELSE)
    bill = price(terms, session(moment("2026-01-05 16:20"), (60, 3)), UTC)
    assert lines(bill) == ["ENERGY 2.000 kWh x 1.00 = 2.00", "ENERGY 1.000 kWh x 2.00 = 2.00"]


def test_a_share_of_energy_is_exact():
    terms = tariff(element(DAY_PRICE, start_time="17:00"), ELSE)
    bill = price(terms, session(moment("2026-01-05 16:40"), (60, 10)), UTC)
    assert lines(bill) == [
        "ENERGY 3.333333 kWh x 1.00 = 3.33",
        "ENERGY 6.666667 kWh x 2.00 = 13.33",
    ]


def test_a_session_over_many_days_finds_every_boundary():
    nights = tariff(element(DAY_PRICE, start_time="23:00", end_time="07:00"), ELSE)
    found = kwh(nights, moment("2026-01-01 12:00"), 24 * 60, UTC)
    assert sorted(found) == ["480.000@2.00", "960.000@1.00"]
