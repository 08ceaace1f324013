from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import energy, money


@given(st.integers(-money.MAX_MINOR, money.MAX_MINOR))
def test_money_survives_the_way_out_and_in(amount):
    assert money.to_minor(Decimal(money.to_text(amount))) == amount


@given(st.integers(-energy.MAX_WH, energy.MAX_WH))
def test_energy_survives_the_way_out_and_in(amount):
    assert energy.to_wh(Decimal(energy.to_text(amount))) == amount


@pytest.mark.parametrize(
    ("amount", "minor"),
    [("23", 2300), ("23.0", 2300), ("0.01", 1), ("-5.50", -550), ("1e2", 10000)],
)
def test_som_become_tyiyn(amount, minor):
    assert money.to_minor(Decimal(amount)) == minor


@pytest.mark.parametrize(
    "amount", ["0.001", "1.2345", "NaN", "Infinity", "-Infinity", "90071992547409.93", "1e40"]
)
def test_what_is_no_amount_of_money_is_refused(amount):
    with pytest.raises(ValueError):
        money.to_minor(Decimal(amount))


def test_decimals_beyond_the_precision_of_decimal_are_seen():
    with pytest.raises(ValueError):
        money.to_minor(Decimal("12345678901234.0000000000000000000000001"))
    with pytest.raises(ValueError):
        energy.to_wh(Decimal("1234567890123.0000000000000000000000001"))


@pytest.mark.parametrize("amount", ["0.0001", "NaN", "Infinity", "1e40"])
def test_what_is_no_amount_of_energy_is_refused(amount):
    with pytest.raises(ValueError):
        energy.to_wh(Decimal(amount))


@pytest.mark.parametrize(
    ("exact", "rounded"), [("0.5", 1), ("1.4999", 1), ("2.5", 3), ("-0.5", -1), ("28.75", 29)]
)
def test_half_a_tyiyn_is_rounded_away_from_zero(exact, rounded):
    assert money.round_minor(Decimal(exact)) == rounded
    assert energy.round_wh(Decimal(exact)) == rounded
