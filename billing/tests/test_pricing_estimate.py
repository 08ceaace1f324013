"""What is held before a charge, and what an amount buys."""

import datetime as dt
from decimal import Decimal

import pytest

from billing.pricing import Period, Terms, affordable_wh, ceiling, is_uniform, price

from .tariffs import BISHKEK, HOUR, UTC, component, element, moment, plain, tariff

NIGHT = moment("2026-01-05 23:00")
DAY_AND_NIGHT = tariff(
    element(component("ENERGY", 20), start_time="08:00", end_time="22:00"),
    element(component("ENERGY", 10)),
)


def most(terms, zone=UTC, start=NIGHT, **what):
    return ceiling(terms, start=start, zone=zone, **what)


def buys(terms, amount, start=NIGHT):
    return affordable_wh(terms, amount, start=start, zone=UTC)


def test_a_plain_price_costs_what_it_says():
    assert most(plain(), energy_wh=10_000) == 12_500
    assert buys(plain(), 50_000) == 40_000


@pytest.mark.parametrize("energy_wh", [1, 3, 4, 1001])
def test_the_ceiling_of_one_price_is_its_price(energy_wh):
    assert most(plain("1.25"), energy_wh=energy_wh) == (energy_wh * 125 + 500) // 1000


def test_the_highest_rate_of_the_next_24_hours_counts():
    assert most(DAY_AND_NIGHT, energy_wh=10_000) == 20_000
    assert buys(DAY_AND_NIGHT, 20_000) == 10_000


def test_a_rate_that_comes_later_does_not_count():
    weekend = tariff(
        element(component("ENERGY", 20), day_of_week=["SATURDAY"]), element(component("ENERGY", 10))
    )
    assert most(weekend, energy_wh=10_000) == 10_000
    assert most(weekend, energy_wh=10_000, start=moment("2026-01-09 00:00")) == 10_000
    assert most(weekend, energy_wh=10_000, start=moment("2026-01-09 00:01")) == 20_000


def test_the_station_judges_the_day():
    saturday = tariff(
        element(component("ENERGY", 20), day_of_week=["SATURDAY"]), element(component("ENERGY", 10))
    )
    assert most(saturday, energy_wh=10_000, start=moment("2026-01-08 19:00")) == 10_000
    assert most(saturday, BISHKEK, energy_wh=10_000, start=moment("2026-01-08 19:00")) == 20_000


def test_each_kwh_counts_at_the_rate_that_it_can_have():
    stages = tariff(element(component("ENERGY", 10), max_kwh=20), element(component("ENERGY", 20)))
    assert most(stages, energy_wh=20_000) == 20_000
    assert most(stages, energy_wh=25_000) == 30_000
    assert buys(stages, 30_000) == 25_000


def test_a_power_that_the_station_does_not_have_does_not_count():
    fast_is_dear = tariff(
        element(component("ENERGY", 20), min_power=50), element(component("ENERGY", 10))
    )
    assert most(fast_is_dear, energy_wh=10_000, max_power_w=22_000) == 10_000
    assert most(fast_is_dear, energy_wh=10_000, max_power_w=50_000) == 20_000
    assert most(fast_is_dear, energy_wh=10_000) == 20_000


def test_every_power_below_that_of_the_station_counts():
    slow_is_dear = tariff(
        element(component("ENERGY", 20), max_power=10), element(component("ENERGY", 10))
    )
    assert most(slow_is_dear, energy_wh=10_000, max_power_w=22_000) == 20_000


def test_what_begins_after_the_energy_does_not_count():
    late_fees = tariff(
        element(component("FLAT", 5), component("TIME", 60), min_kwh=50),
        element(component("ENERGY", 10)),
    )
    assert most(late_fees, energy_wh=49_999) == 50_000 - 1
    assert most(late_fees, energy_wh=50_000) is None
    assert most(late_fees, energy_wh=50_000, max_power_w=50_000) == 50_000 + 500 + 6_000


def test_two_lines_can_round_up_where_one_would_not():
    """1 Wh costs 0.5 or 0.6 tyiyn: one of each is 1 + 1, two of the dearer only 1."""
    both = tariff(
        element(component("ENERGY", 6), start_time="08:00"), element(component("ENERGY", 5))
    )
    morning = moment("2026-01-06 07:00")
    cut = [Period(morning, morning + HOUR, 1), Period(morning + HOUR, morning + 2 * HOUR, 1)]
    assert price(both, cut, UTC).total == 2 == most(both, energy_wh=2, start=morning)


def test_a_step_in_a_band_that_is_left_early_counts():
    dear_steps = tariff(
        element(component("ENERGY", 20, step=100_000), max_kwh=10), element(component("ENERGY", 1))
    )
    early = price(dear_steps, [Period(NIGHT, NIGHT + HOUR, 9_000)], UTC).total
    assert early == 200_000 <= most(dear_steps, energy_wh=25_000)


def test_flat_fees_and_steps_are_part_of_it():
    terms = tariff(element(component("FLAT", 5), component("ENERGY", 10, step=1000)))
    assert most(terms, energy_wh=9_001) == 10_500
    assert buys(terms, 10_499) == 9_000
    assert buys(terms, 10_500) == 10_000
    assert buys(terms, 400) == 0


def test_time_fees_follow_from_the_energy_at_the_power_of_the_station():
    terms = tariff(element(component("ENERGY", 10), component("TIME", 60, step=60)))
    assert most(terms, energy_wh=11_000, max_power_w=22_000) == 11_000 + 3_000
    assert most(terms, energy_wh=11_000) is None
    assert buys(terms, 10_000) is None


def test_the_energy_of_a_duration_follows_from_the_power_of_the_station():
    assert most(plain("10"), duration=HOUR / 2, max_power_w=22_000) == 11_000
    assert most(plain("10"), duration=HOUR / 2) is None


def test_a_duration_needs_no_power_where_energy_is_free():
    assert most(tariff(element(component("TIME", 60))), duration=HOUR) == 6_000
    assert most(plain("0"), duration=HOUR) == 0


def test_each_moment_of_a_duration_may_be_parking():
    terms = tariff(element(component("TIME", 60, step=0), component("PARKING_TIME", 120, step=0)))
    assert most(terms, duration=HOUR) == 12_000
    assert most(tariff(element(component("PARKING_TIME", 120))), duration=HOUR) == 12_000


def test_a_long_duration_counts_all_rates_in_it():
    saturday = tariff(element(component("TIME", 20), day_of_week=["SATURDAY"]))
    assert most(saturday, duration=HOUR, start=moment("2026-01-05 00:00")) == 0
    long = dt.timedelta(days=7)
    assert most(saturday, duration=long, start=moment("2026-01-05 00:00")) == 7 * 24 * 2_000


def test_nothing_asked_has_no_ceiling():
    assert most(plain()) is None


def test_the_bounds_of_the_price_bound_the_ceiling():
    least = plain("10", min_price={"incl_vat": 50})
    greatest = plain("10", max_price={"incl_vat": 50})
    assert most(least, energy_wh=1_000) == 5_000
    assert most(greatest, energy_wh=100_000) == 5_000
    assert (buys(least, 4_999), buys(least, 6_000)) == (0, 6_000)
    assert (buys(greatest, 4_999), buys(greatest, 5_000)) == (4_999, None)


def test_free_energy_has_no_limit():
    assert buys(plain("0"), 100) is None
    assert buys(Terms("KGS", price_per_kwh=Decimal(0)), 0) is None


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (plain(), True),
        (tariff(element(component("ENERGY", 1, step=1000), component("FLAT", 1))), True),
        (tariff(element(component("TIME", 1))), False),
        (tariff(element(component("PARKING_TIME", 1))), False),
        (DAY_AND_NIGHT, False),
        (tariff(element(component("FLAT", 1), min_kwh=1)), False),
        (tariff(element(component("FLAT", 1)), element(component("FLAT", 2), min_kwh=1)), True),
        (tariff(element(component("TIME", 1), reservation="RESERVATION")), True),
    ],
)
def test_uniform_is_what_one_period_prices_like_its_parts(terms, expected):
    assert is_uniform(terms) is expected
