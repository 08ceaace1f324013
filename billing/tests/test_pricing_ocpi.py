"""The examples of OCPI 2.2.1 (§10.3.1 and §11.4), and what each dimension means."""

import datetime as dt

import pytest

from billing.errors import Invalid
from billing.pricing import Period, Terms, price

from .tariffs import (
    BISHKEK,
    HOUR,
    MINUTE,
    UTC,
    component,
    element,
    lines,
    moment,
    plain,
    session,
    tariff,
    total,
)

MONDAY = moment("2026-01-05 09:30")
ENERGY = component("ENERGY", 0.25, vat=10)
START_FEE = component("FLAT", 0.5, vat=20)
SWITCHING = tariff(
    element(
        component("TIME", 1.2, step=1800),
        component("PARKING_TIME", 1, step=900),
        start_time="00:00",
        end_time="17:00",
    ),
    element(
        component("TIME", 2.4, step=900),
        component("PARKING_TIME", 1, step=900),
        start_time="17:00",
        end_time="20:00",
    ),
    element(component("TIME", 2.4, step=900), start_time="20:00", end_time="00:00"),
)
BY_POWER = tariff(
    element(component("ENERGY", 0.2, vat=20), max_power=16),
    element(component("ENERGY", 0.35, vat=20), max_power=32),
    element(component("ENERGY", 0.5, vat=20)),
)


@pytest.mark.parametrize(
    ("terms", "periods", "expected"),
    [
        pytest.param(tariff(element(ENERGY)), session(MONDAY, (60, 20)), "5.50", id="0.25 a kWh"),
        pytest.param(
            tariff(element(START_FEE, ENERGY)), session(MONDAY, (60, 20)), "6.10", id="start fee"
        ),
        pytest.param(
            tariff(element(START_FEE, ENERGY, component("PARKING_TIME", 2, vat=20, step=900))),
            session(MONDAY, (60, 20), (40, "parking")),
            "7.90",
            id="start fee and parking, 40 minutes billed as 45",
        ),
        pytest.param(
            tariff(element(component("TIME", 2, vat=10, step=60))),
            session(MONDAY, (150, 9)),
            "5.50",
            id="2 an hour",
        ),
        pytest.param(
            tariff(element(component("TIME", 2, vat=10, step=60))),
            session(MONDAY, (150, 9), (60, "parking")),
            "5.50",
            id="2 an hour, parking is not charging time",
        ),
        pytest.param(
            tariff(
                element(
                    component("TIME", 3, vat=10, step=60),
                    component("PARKING_TIME", 5, vat=20, step=300),
                )
            ),
            session(MONDAY, (150, 9), (42, "parking")),
            "12.75",
            id="3 an hour, 5 an hour parking",
        ),
        pytest.param(
            tariff(element(component("TIME", 1.9, vat=5.2, step=300))),
            session(MONDAY, (150, 9)),
            "5.00",
            id="odd VAT",
        ),
        pytest.param(
            tariff(element(START_FEE, component("ENERGY", 0.25, vat=10, step=100))),
            session(MONDAY, (60, 20.45)),
            "6.24",
            id="energy by 100 Wh",
        ),
        pytest.param(
            tariff(element({"type": "FLAT", "price": 0.00, "step_size": 0})),
            session(MONDAY, (60, 20)),
            "0.00",
            id="free of charge",
        ),
        pytest.param(
            tariff(
                element(component("TIME", 5, vat=20, step=60), reservation="RESERVATION"),
                element(START_FEE, ENERGY),
            ),
            session(MONDAY, (60, 20)),
            "6.10",
            id="what a reservation costs is no part of a charge",
        ),
        pytest.param(
            SWITCHING,
            session(moment("2026-01-05 16:55"), (10, 1), (2, "parking")),
            "0.55",
            id="switching to another element #1",
        ),
        pytest.param(
            SWITCHING,
            session(moment("2026-01-05 16:35"), (35, 1)),
            "1.30",
            id="switching to another element #2",
        ),
        pytest.param(
            # The text of the example takes other rates than its tariff; these are the tariff's.
            SWITCHING,
            session(moment("2026-01-05 19:40"), (12, 1), (20, "parking")),
            "0.73",
            id="switching to free of charge",
        ),
        pytest.param(
            tariff(
                element(component("ENERGY", 0, vat=20), max_duration=1800),
                element(component("ENERGY", 0.25, vat=20), max_duration=3600),
                element(component("ENERGY", 0.4, vat=20)),
            ),
            session(MONDAY, (30, 5), (10, 1.2)),
            "0.36",
            id="supermarket, by duration",
        ),
        pytest.param(
            BY_POWER, session(MONDAY, (10, 1), (50, 40), (7.5, 0.5)), "24.36", id="by power"
        ),
        pytest.param(
            tariff(
                element(component("ENERGY", 0.2, step=500), end_time="17:00"),
                element(component("ENERGY", 0.27, step=500)),
            ),
            session(moment("2026-01-05 16:00"), (60, 4.3), (20, 1.1)),
            "1.18",
            id="step of energy is of the total, the last price pays",
        ),
        pytest.param(
            tariff(
                element(component("TIME", 5, step=600), end_time="17:00"),
                element(component("TIME", 7, step=600)),
            ),
            session(moment("2026-01-05 16:54"), (28, 1)),
            "3.30",
            id="step of time is of the total",
        ),
        pytest.param(
            tariff(element(component("TIME", 1, step=600), component("PARKING_TIME", 2, step=600))),
            session(MONDAY, (21, 1), (16, "parking")),
            "1.02",
            id="only parking is rounded up where both are used",
        ),
    ],
)
def test_the_examples_of_the_specification(terms, periods, expected):
    assert total(terms, periods) == expected


def test_parking_rules_the_step_also_when_charging_goes_on_after_it():
    both = tariff(element(component("TIME", 6, step=600), component("PARKING_TIME", 12, step=600)))
    bill = price(both, session(MONDAY, (21, 1), (16, "parking"), (4, 1)), UTC)
    assert lines(bill) == [
        "TIME 0.416667 h x 6.00 = 2.50",
        "PARKING_TIME 0.333333 h x 12.00 = 4.00",
    ]


def test_a_total_on_a_step_is_not_rounded_up():
    by_ten = tariff(element(component("ENERGY", 1, step=10_000)))
    assert total(by_ten, session(MONDAY, (60, 20))) == "20.00"
    assert total(by_ten, session(MONDAY, (60, 20.001))) == "30.00"
    assert total(by_ten, session(MONDAY, (60, 0))) == "0.00"


@pytest.mark.parametrize(("step", "expected"), [(0, "1.50"), (1, "1.50"), (2, "2.00")])
def test_a_step_of_one_rounds_nothing(step, expected):
    periods = [Period(MONDAY, MONDAY + dt.timedelta(seconds=1.5), 0)]
    assert total(tariff(element(component("TIME", 3600, step=step))), periods) == expected


def test_the_first_kwh_are_cut_at_their_threshold():
    stages = tariff(
        element(component("ENERGY", 0), max_kwh=1),
        element(component("ENERGY", 0.2), min_kwh=1, max_kwh=10),
        element(component("ENERGY", 0.4), min_kwh=10),
    )
    bill = price(stages, session(MONDAY, (60, 20)), UTC)
    assert lines(bill) == [
        "ENERGY 1.000 kWh x 0.00 = 0.00",
        "ENERGY 9.000 kWh x 0.20 = 1.80",
        "ENERGY 10.000 kWh x 0.40 = 4.00",
    ]


def test_time_is_cut_where_energy_passes_a_threshold():
    after_ten = tariff(element(component("TIME", 6), min_kwh=10))
    assert total(after_ten, session(MONDAY, (60, 20))) == "3.00"


def test_a_threshold_is_cut_in_energy_that_comes_in_no_time():
    stages = tariff(element(component("ENERGY", 1), max_kwh=1), element(component("ENERGY", 2)))
    assert total(stages, [Period(MONDAY, MONDAY, 3000)]) == "5.00"


def test_power_without_a_statement_is_the_mean_of_the_period():
    at_16_kw = Period(MONDAY, MONDAY + HOUR, 16_000)
    just_below = Period(MONDAY, MONDAY + HOUR, 15_999)
    stated = Period(MONDAY, MONDAY + HOUR, 16_000, power_w=40_000)
    assert [lines(price(BY_POWER, [one], UTC))[0].split(" = ")[0] for one in
            (at_16_kw, just_below, stated)] == [
        "ENERGY 16.000 kWh x 0.42",
        "ENERGY 15.999 kWh x 0.24",
        "ENERGY 16.000 kWh x 0.60",
    ]  # fmt: skip


def test_unknown_power_matches_no_restriction_by_power():
    assert lines(price(BY_POWER, [Period(MONDAY, MONDAY, 1000)], UTC)) == [
        "ENERGY 1.000 kWh x 0.60 = 0.60"
    ]


def test_restrictions_by_duration_count_from_the_start_of_the_session():
    later = tariff(element(component("TIME", 6), min_duration=3600, max_duration=5400))
    assert total(later, session(MONDAY, (30, 1), (30, 1), (60, 1))) == "3.00"


def test_a_flat_fee_is_charged_once_however_often_it_becomes_active():
    fees = tariff(
        element(component("FLAT", 3), start_time="09:00", end_time="10:00"),
        element(component("FLAT", 1)),
    )
    assert total(fees, session(moment("2026-01-05 08:30"), (60, 1), (60, 1))) == "1.00"
    assert total(fees, session(MONDAY, (60, 1), (60, 1))) == "3.00"


def test_a_start_fee_can_wait_for_the_first_energy():
    fee = tariff(element(component("FLAT", 1), min_kwh=0.5))
    assert total(fee, session(MONDAY, (10, 0))) == "0.00"
    assert total(fee, session(MONDAY, (10, 0), (10, 1))) == "1.00"


def test_a_dimension_without_a_matching_element_is_free():
    later = tariff(element(ENERGY, min_duration=7200))
    assert price(later, session(MONDAY, (60, 20)), UTC).lines == ()


def test_the_first_parking_is_free_for_the_grace_of_the_whole_session():
    terms = tariff(element(component("PARKING_TIME", 6)), parking_grace_s=600)
    assert total(terms, session(MONDAY, (60, 20), (10, "parking"))) == "0.00"
    assert total(terms, session(MONDAY, (60, 20), (15, "parking"))) == "0.50"
    broken = session(MONDAY, (60, 20), (4, "parking"), (5, 1), (4, "parking"), (4, "parking"))
    assert total(terms, broken) == "0.20"


def test_price_per_kwh_is_gross_and_elements_are_net():
    gross = price(plain("12.00", vat="20"), session(MONDAY, (60, 10)), UTC)
    net = price(tariff(element(component("ENERGY", 10, vat=20))), session(MONDAY, (60, 10)), UTC)
    assert (gross.total, gross.tax) == (net.total, net.tax) == (12_000, 2_000)


def test_price_per_kwh_is_the_price_of_energy_to_which_no_element_applies():
    terms = Terms(
        "KGS",
        price_per_kwh=plain().price_per_kwh,
        elements=tariff(element(component("ENERGY", 8), end_time="07:00")).elements,
    )
    bill = price(terms, session(moment("2026-01-05 06:00", BISHKEK), (120, 20)), BISHKEK)
    assert lines(bill) == ["ENERGY 10.000 kWh x 8.00 = 80.00", "ENERGY 10.000 kWh x 12.50 = 125.00"]


def test_one_line_for_one_price_wherever_it_comes_from():
    twice = tariff(
        element(component("ENERGY", 1, step=1), end_time="12:00"),
        element(component("ENERGY", 1.00, step=1000), start_time="12:00"),
    )
    bill = price(twice, session(moment("2026-01-05 11:00"), (120, 3.5)), UTC)
    assert lines(bill) == ["ENERGY 4.000 kWh x 1.00 = 4.00"]


def test_prices_with_other_tax_are_other_lines():
    mixed = tariff(
        element(component("ENERGY", 1.1), end_time="12:00"),
        element(component("ENERGY", 1, vat=10)),
    )
    bill = price(mixed, session(moment("2026-01-05 11:00"), (120, 4)), UTC)
    assert [(line.amount, line.tax) for line in bill.lines] == [(220, 0), (220, 20)]


@pytest.mark.parametrize(("energy_wh", "expected"), [(1, "0.00"), (2, "0.01"), (3, "0.01")])
def test_money_is_rounded_half_up(energy_wh, expected):
    assert total(plain("2.50"), [Period(MONDAY, MONDAY + HOUR, energy_wh)]) == expected


def test_the_total_is_the_sum_of_rounded_lines():
    terms = tariff(element(component("FLAT", 0.005), component("ENERGY", 0.005)))
    bill = price(terms, session(MONDAY, (60, 1)), UTC)
    assert ([line.amount for line in bill.lines], bill.total) == ([1, 1], 2)


MINIMUM = {"min_price": {"excl_vat": 0.5, "incl_vat": 0.55}}
MAXIMUM = {"max_price": {"excl_vat": 10, "incl_vat": 11}}


def test_the_least_price_is_a_line_of_its_own():
    terms = tariff(element(ENERGY), **MINIMUM)
    bill = price(terms, session(MONDAY, (60, 1)), UTC)
    assert lines(bill) == [
        "ENERGY 1.000 kWh x 0.275 = 0.28",
        "MIN_PRICE 1 session x 0.27 = 0.27",
    ]
    assert (bill.total, bill.tax) == (55, 5)
    assert total(terms, session(MONDAY, (60, 20))) == "5.50"


def test_the_most_price_takes_off_what_is_above():
    terms = tariff(element(START_FEE, ENERGY), **MAXIMUM)
    bill = price(terms, session(MONDAY, (60, 50)), UTC)
    assert lines(bill)[-1] == "MAX_PRICE 1 session x -3.35 = -3.35"
    assert (bill.total, bill.tax) == (1100, 100)
    assert total(terms, session(MONDAY, (60, 30))) == "8.85"


def test_the_bounds_hold_for_the_price_with_and_without_tax():
    taxed_little = tariff(
        element(component("ENERGY", 1, vat=0)), max_price={"excl_vat": 10, "incl_vat": 12}
    )
    bill = price(taxed_little, session(MONDAY, (60, 11)), UTC)
    assert (bill.total, bill.total - bill.tax) == (1100, 1000)


def test_the_least_price_is_due_for_a_session_without_energy():
    assert total(tariff(element(ENERGY), **MINIMUM), session(MONDAY, (1, 0))) == "0.55"


def test_nothing_was_sold_where_there_was_no_session():
    assert price(tariff(element(START_FEE), **MINIMUM), [], UTC).lines == ()


def test_a_bill_has_one_form_however_its_price_was_stored():
    short, long = plain("12.5", vat="12"), plain("12.500000", vat="12.00")
    periods = session(MONDAY, (60, 20))
    assert price(short, periods, UTC).to_json() == price(long, periods, UTC).to_json()
    assert price(long, periods, UTC).to_json() == {
        "currency": "KGS",
        "lines": [
            {
                "type": "ENERGY",
                "quantity": "20.000",
                "unit": "kWh",
                "unit_price": "12.50",
                "vat_percent": "12",
                "amount": "250.00",
                "tax": "26.79",
            }
        ],
        "total": "250.00",
        "tax": "26.79",
    }


def test_an_hour_is_priced_exactly_though_it_is_shown_with_six_decimals():
    third = tariff(element(component("TIME", 0.015)))
    bill = price(third, session(MONDAY, (20, 0)), UTC)
    assert lines(bill) == ["TIME 0.333333 h x 0.015 = 0.01"]


@pytest.mark.parametrize(
    "periods",
    [
        [Period(MONDAY, MONDAY - MINUTE, 0)],
        [Period(MONDAY, MONDAY + HOUR, 1), Period(MONDAY + MINUTE, MONDAY + HOUR, 1)],
        [Period(MONDAY, MONDAY + HOUR, -1)],
    ],
    ids=["backwards", "overlap", "negative energy"],
)
def test_impossible_periods_are_refused(periods):
    with pytest.raises(Invalid) as caught:
        price(plain(), periods, UTC)
    assert "periods" in caught.value.fields
