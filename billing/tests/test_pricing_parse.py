"""Reading tariffs: what is accepted, and what is said of the rest."""

import datetime as dt
from decimal import Decimal

import pytest

from billing.errors import Invalid
from billing.models import Tariff
from billing.pricing import PriceBound, Restrictions, parse_elements, parse_terms, price

from .tariffs import UTC, component, element, moment, plain, session

ENERGY = component("ENERGY", 0.25, vat=10)


def fields_of(read, *args, **kwargs) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as caught:
        read(*args, **kwargs)
    return caught.value.fields


def test_a_component_is_read_exactly_and_made_gross():
    (one,) = parse_elements([element({"type": "ENERGY", "price": 0.1, "vat": "12.5"})])
    (read,) = one.components
    assert read.unit_price == Decimal("0.1125")
    assert (read.vat_percent, read.step_size) == (Decimal("12.5"), 1)


def test_every_restriction_is_read():
    raw = {
        "start_time": "22:00",
        "end_time": "06:30",
        "start_date": "2026-01-01",
        "end_date": "2026-12-31",
        "min_kwh": 1.5,
        "max_kwh": "20",
        "min_power": 3.7,
        "max_power": 150,
        "min_duration": 60,
        "max_duration": 7200,
        "day_of_week": ["SUNDAY", "MONDAY"],
    }
    (one,) = parse_elements([element(ENERGY, **raw)])
    assert one.restrictions == Restrictions(
        start_time=dt.time(22),
        end_time=dt.time(6, 30),
        start_date=dt.date(2026, 1, 1),
        end_date=dt.date(2026, 12, 31),
        days=frozenset({0, 6}),
        min_wh=1500,
        max_wh=20_000,
        min_power_w=3700,
        max_power_w=150_000,
        min_duration=dt.timedelta(minutes=1),
        max_duration=dt.timedelta(hours=2),
    )


@pytest.mark.parametrize("nothing", [{}, {"min_kwh": None}, {"day_of_week": []}])
def test_restrictions_that_say_nothing_are_none(nothing):
    raw = element(ENERGY) | {"restrictions": nothing}
    assert parse_elements([raw])[0].restrictions is None


RESTRICTION = "elements.0.restrictions"
COMPONENT = "elements.0.price_components.0"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "elements"),
        ("ENERGY", "elements"),
        ([element(ENERGY)] * 65, "elements"),
        (["ENERGY"], "elements.0"),
        ([{}], "elements.0.price_components"),
        ([element()], "elements.0.price_components"),
        ([element(ENERGY, ENERGY)], "elements.0.price_components"),
        ([element(ENERGY) | {"price": 3}], "elements.0.price"),
        ([element("ENERGY")], COMPONENT),
        ([element(component("POWER", 1))], f"{COMPONENT}.type"),
        ([element({"price": 1})], f"{COMPONENT}.type"),
        ([element({"type": "ENERGY"})], f"{COMPONENT}.price"),
        ([element(component("ENERGY", None))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", -1))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", True))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", "cheap"))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", "NaN"))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", float("inf")))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", "1e999999"))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", "1e-999999"))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", "0.0000001"))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", [1]))], f"{COMPONENT}.price"),
        ([element(component("ENERGY", 1, vat=101))], f"{COMPONENT}.vat"),
        ([element(component("ENERGY", 1, step=1.5))], f"{COMPONENT}.step_size"),
        ([element(component("ENERGY", 1, step=-1))], f"{COMPONENT}.step_size"),
        ([element(ENERGY | {"tax": 12})], f"{COMPONENT}.tax"),
        ([element(ENERGY) | {"restrictions": []}], RESTRICTION),
        ([element(ENERGY, start_time="24:00")], f"{RESTRICTION}.start_time"),
        ([element(ENERGY, start_time="8:00")], f"{RESTRICTION}.start_time"),
        ([element(ENERGY, end_time=8)], f"{RESTRICTION}.end_time"),
        ([element(ENERGY, start_date="2026-02-30")], f"{RESTRICTION}.start_date"),
        ([element(ENERGY, end_date="01.02.2026")], f"{RESTRICTION}.end_date"),
        ([element(ENERGY, min_kwh=0.0001)], f"{RESTRICTION}.min_kwh"),
        ([element(ENERGY, max_power=-1)], f"{RESTRICTION}.max_power"),
        ([element(ENERGY, min_duration=0.5)], f"{RESTRICTION}.min_duration"),
        ([element(ENERGY, day_of_week="MONDAY")], f"{RESTRICTION}.day_of_week"),
        ([element(ENERGY, day_of_week=["Monday"])], f"{RESTRICTION}.day_of_week"),
        ([element(ENERGY, day_of_week=[["MONDAY"]])], f"{RESTRICTION}.day_of_week"),
        ([element(ENERGY, reservation="YES")], f"{RESTRICTION}.reservation"),
        ([element(ENERGY, reservation={})], f"{RESTRICTION}.reservation"),
        ([element(ENERGY, min_soc=20)], f"{RESTRICTION}.min_soc"),
    ],
)
def test_what_is_wrong_is_named(raw, field):
    assert list(fields_of(parse_elements, raw)) == [field]


def test_restrictions_by_current_are_refused_and_not_ignored():
    fields = fields_of(parse_elements, [element(ENERGY, max_current=32)])
    assert fields == {f"{RESTRICTION}.max_current": ["Restrictions by current are not supported."]}


def test_all_that_is_wrong_is_named_at_once():
    raw = [element(component("ENERGY", -1), start_time="x"), element(component("HEAT", 1))]
    assert len(fields_of(parse_elements, raw)) == 3


def terms_with(vat=10, **more):
    return parse_terms(
        currency="EUR", elements=[element(component("ENERGY", 1, vat=vat))], more=more
    )


@pytest.mark.parametrize(
    ("raw", "bound"),
    [
        ({"excl_vat": 10, "incl_vat": 11}, PriceBound(1000, 1100)),
        ({"excl_vat": "10.00"}, PriceBound(1000, 1100)),
        ({"incl_vat": 11.0, "excl_vat": None}, PriceBound(1000, 1100)),
        ({"excl_vat": 0.05}, PriceBound(5, 6)),
    ],
)
def test_a_bound_is_completed_by_the_only_tax_rate(raw, bound):
    assert terms_with(min_price=raw).min_price == bound


def test_the_tax_rate_of_a_plain_price_completes_a_bound():
    terms = plain("12.50", vat="12", max_price={"incl_vat": 112})
    assert terms.max_price == PriceBound(10_000, 11_200)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"min_price": 5}, "min_price"),
        ({"min_price": {}}, "min_price"),
        ({"min_price": {"excl_vat": 0.001}}, "min_price"),
        ({"max_price": {"excl_vat": 12, "incl_vat": 11}}, "max_price"),
        ({"max_price": {"incl_vat": 11, "vat": 1}}, "max_price.vat"),
        ({"min_price": {"incl_vat": 20}, "max_price": {"incl_vat": 10}}, "min_price"),
        ({"parking_grace_s": -1}, "parking_grace_s"),
        ({"parking_grace_s": "soon"}, "parking_grace_s"),
    ],
)
def test_what_is_wrong_in_the_terms_is_named(more, field):
    assert field in fields_of(terms_with, **more)


def test_with_several_tax_rates_a_bound_must_be_whole():
    mixed = [element(component("ENERGY", 1, vat=10), component("FLAT", 1, vat=20))]
    half = {"min_price": {"excl_vat": 1}}
    fields = fields_of(parse_terms, currency="EUR", elements=mixed, more=half)
    assert "tax rates differ" in fields["min_price"][0]


def test_a_tariff_row_becomes_terms():
    row = Tariff(
        currency="KGS",
        price_per_kwh=Decimal("12.50"),
        vat_percent=Decimal(12),
        elements=[element(component("PARKING_TIME", 60, vat=12, step=60))],
        terms={"min_price": {"excl_vat": "10.00", "incl_vat": "11.20"}, "parking_grace_s": 600},
    )
    bill = price(
        row.to_terms(), session(moment("2026-01-05 09:30"), (30, 10), (40, "parking")), UTC
    )
    assert [(line.type, line.amount) for line in bill.lines] == [
        ("ENERGY", 12_500),
        ("PARKING_TIME", 3_360),
    ]
