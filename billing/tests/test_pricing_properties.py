"""What holds for every tariff and every session."""

import datetime as dt
import json
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from billing.energy import Wh
from billing.pricing import Period, affordable_wh, ceiling, is_uniform, price

from .tariffs import BERLIN, BISHKEK, UTC, component, element, tariff

DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
MAX_POWER_W = 50_000

zones = st.sampled_from([UTC, BISHKEK, BERLIN])
# Around the days when Berlin changes its clock, and an ordinary week.
starts = st.sampled_from(
    [dt.datetime(2026, month, 23, tzinfo=dt.UTC) for month in (3, 6, 10)]
).flatmap(
    lambda begin: st.integers(0, 8 * 24 * 3600).map(lambda s: begin + dt.timedelta(seconds=s))
)
prices = st.integers(0, 3_000_000).map(lambda n: str(Decimal(n).scaleb(-4)))
vats = st.sampled_from([0, 5.2, 12, 20])
times = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.sampled_from([0, 15, 30]))


def optional(**choices):
    return st.fixed_dictionaries({}, optional=choices)


by_clock = {
    "start_time": times,
    "end_time": times,
    "day_of_week": st.lists(st.sampled_from(DAYS), unique=True, min_size=1),
    "start_date": st.sampled_from(["2026-03-29", "2026-06-25", "2026-10-25"]),
    "end_date": st.sampled_from(["2026-03-29", "2026-06-26", "2026-10-26"]),
}
by_amount = {
    "min_kwh": st.integers(0, 50),
    "max_kwh": st.integers(0, 50),
    "min_duration": st.integers(0, 7200),
    "max_duration": st.integers(0, 7200),
}
by_power = {"min_power": st.integers(0, 60), "max_power": st.integers(0, 60)}
steady_restrictions = optional(**by_clock, **by_amount)
all_restrictions = optional(**by_clock, **by_amount, **by_power)


ONE = st.just(1)


@st.composite
def elements(draw, restrictions, kinds, steps=ONE):
    chosen = draw(st.lists(st.sampled_from(kinds), unique=True, min_size=1))
    components = [
        component(kind, draw(prices), vat=draw(vats), step=draw(steps)) for kind in chosen
    ]
    return element(*components, **draw(restrictions))


bounds = optional(
    min_price=st.just({"excl_vat": 30, "incl_vat": 36}),
    max_price=st.just({"excl_vat": 400, "incl_vat": 450}),
    parking_grace_s=st.integers(0, 3600),
)
steady_tariffs = st.lists(elements(steady_restrictions, ["ENERGY", "TIME"]), min_size=1).map(
    lambda made: tariff(*made)
)
rising_tariffs = st.lists(
    elements(optional(**by_clock), ["ENERGY", "TIME"]), min_size=1, max_size=6
).map(lambda made: tariff(*made))
steps = st.sampled_from([0, 1, 60, 500, 1000, 20_000])


def tariffs(restrictions, kinds):
    made = st.lists(elements(restrictions, kinds, steps), min_size=1, max_size=6)
    return st.builds(lambda made, more: tariff(*made, **more), made, bounds)


any_tariffs = tariffs(all_restrictions, ["ENERGY", "TIME", "PARKING_TIME", "FLAT"])
unrestricted_tariffs = tariffs(st.just({}), ["ENERGY", "TIME", "PARKING_TIME", "FLAT"])
uniform_tariffs = tariffs(st.just({}), ["ENERGY", "FLAT"])
energy_tariffs = tariffs(all_restrictions, ["ENERGY", "FLAT"])


@st.composite
def sessions(draw, states=("charging", "parking"), max_power_w=MAX_POWER_W, longest_h=24):
    """Contiguous periods of at most a day, none above a power."""
    at = draw(starts)
    left = longest_h * 3600
    periods = []
    for _ in range(draw(st.integers(1, 5))):
        seconds = draw(st.integers(0, min(left, 4 * 3600)))
        left -= seconds
        energy = Wh(draw(st.integers(0, max_power_w * seconds // 3600)))
        end = at + dt.timedelta(seconds=seconds)
        periods.append(Period(at, end, energy, state=draw(st.sampled_from(states))))
        at = end
    return periods


charging = sessions(states=("charging",))


def components_of(terms):
    return [one for each in terms.elements for one in each.components]


def total_of(terms, periods, zone):
    return price(terms, periods, zone).total


def split(period: Period, share: int) -> list[Period]:
    """The period in two, energy by time and rounded to Wh; `share` of 1000."""
    middle = period.start + (period.end - period.start) * share // 1000
    first = Wh((period.energy_wh * share + 500) // 1000)
    return [
        Period(period.start, middle, first, period.power_w, period.state),
        Period(middle, period.end, Wh(period.energy_wh - first), period.power_w, period.state),
    ]


def rounding(terms, periods) -> Decimal:
    """What splitting a period can change, in minor units.

    The energy of both parts is rounded to Wh, so one Wh may move to another price; and where
    energy cuts time, the time in which a Wh comes may move. Each line is rounded twice.
    """
    dearest = max(one.unit_price for one in components_of(terms)) * 100
    slowest_s = max(
        (one.end - one.start).total_seconds() / one.energy_wh if one.energy_wh else 0
        for one in periods
    )
    cuts = len({one.restrictions.max_wh for one in terms.elements if one.restrictions}) * 2 + 1
    a_cut = dearest / 1000 + dearest * Decimal(slowest_s) / 3600
    return len(components_of(terms)) + 1 + cuts * a_cut


@given(steady_tariffs, charging, zones, st.data())
def test_splitting_a_session_changes_its_price_by_no_more_than_the_rounding(
    terms, periods, zone, data
):
    which = data.draw(st.integers(0, len(periods) - 1))
    share = data.draw(st.integers(0, 1000))
    cut = [*periods[:which], *split(periods[which], share), *periods[which + 1 :]]
    difference = total_of(terms, cut, zone) - total_of(terms, periods, zone)
    assert abs(difference) <= rounding(terms, periods)


@given(rising_tariffs, charging, zones, st.integers(1, 60_000))
def test_more_energy_never_costs_less(terms, periods, zone, more):
    """Where no restriction is by energy: past a threshold all may be cheaper."""
    *before, last = periods
    richer = [*before, Period(last.start, last.end, Wh(last.energy_wh + more))]
    assert total_of(terms, richer, zone) >= total_of(terms, periods, zone)


@given(any_tariffs, sessions(), zones)
def test_the_total_is_the_sum_of_lines_and_contains_its_tax(terms, periods, zone):
    bill = price(terms, periods, zone)
    assert bill.total == sum(line.amount for line in bill.lines) >= 0
    assert bill.tax == sum(line.tax for line in bill.lines)
    assert 0 <= bill.tax <= bill.total
    for line in bill.lines:
        if line.vat_percent is not None:
            vat = Fraction(line.vat_percent)
            assert abs(line.tax - line.amount * vat / (100 + vat)) <= Fraction(1, 2)


@given(any_tariffs, sessions(), zones)
def test_a_reader_can_recompute_each_line(terms, periods, zone):
    for line in price(terms, periods, zone).lines:
        exact = line.quantity * line.unit_price * 100
        shown = Decimal("0.0000005") * abs(line.unit_price) * 100
        assert abs(line.amount - exact) <= Decimal("0.5") + shown


@given(any_tariffs, sessions(), zones)
def test_a_bill_from_stored_periods_has_the_same_bytes(terms, periods, zone):
    stored = json.loads(
        json.dumps(
            [[p.start.isoformat(), p.end.isoformat(), p.energy_wh, p.state] for p in periods]
        )
    )
    again = [
        Period(
            dt.datetime.fromisoformat(start), dt.datetime.fromisoformat(end), Wh(wh), None, state
        )
        for start, end, wh, state in stored
    ]
    first, second = price(terms, periods, zone), price(terms, again, zone)
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())


@given(any_tariffs, sessions(), zones)
def test_the_bounds_of_the_terms_hold(terms, periods, zone):
    bill = price(terms, periods, zone)
    if terms.max_price:
        assert bill.total <= terms.max_price.incl_vat
        assert bill.total - bill.tax <= terms.max_price.excl_vat
    if terms.min_price:
        assert bill.total >= terms.min_price.incl_vat
        assert bill.total - bill.tax >= terms.min_price.excl_vat


@given(unrestricted_tariffs, sessions(), zones, st.data())
def test_cutting_a_period_changes_nothing_where_nothing_is_restricted(terms, periods, zone, data):
    which = data.draw(st.integers(0, len(periods) - 1))
    cut = [*periods[:which], *split(periods[which], 300), *periods[which + 1 :]]
    assert price(terms, cut, zone) == price(terms, periods, zone)


@given(uniform_tariffs, sessions(), zones)
def test_one_period_is_enough_for_a_uniform_tariff(terms, periods, zone):
    assert is_uniform(terms)
    whole = Period(periods[0].start, periods[-1].end, Wh(sum(p.energy_wh for p in periods)))
    assert price(terms, [whole], zone) == price(terms, periods, zone)


@given(any_tariffs, sessions(), zones)
def test_no_session_of_a_duration_costs_more_than_its_ceiling(terms, periods, zone):
    start = periods[0].start
    most = ceiling(
        terms,
        start=start,
        zone=zone,
        duration=periods[-1].end - start,
        max_power_w=MAX_POWER_W,
    )
    assert most is not None
    assert total_of(terms, periods, zone) <= most


@st.composite
def steady_charges(draw, power_w=MAX_POWER_W):
    """A charge at full power, cut anywhere: no session takes its energy faster."""
    at = draw(starts)
    periods = []
    for seconds in draw(st.lists(st.integers(0, 4 * 3600), min_size=1, max_size=5)):
        end = at + dt.timedelta(seconds=seconds)
        energy = Wh(power_w * seconds // 3600)
        periods.append(Period(at, end, energy, state="charging"))
        at = end
    return periods


@given(any_tariffs, steady_charges(), zones, st.integers(1, 5000))
def test_no_charge_of_an_energy_costs_more_than_its_ceiling(terms, periods, zone, more):
    energy = Wh(sum(one.energy_wh for one in periods) + more)
    most = ceiling(
        terms, start=periods[0].start, zone=zone, energy_wh=energy, max_power_w=MAX_POWER_W
    )
    assert most is not None
    assert total_of(terms, periods, zone) <= most


@given(energy_tariffs, charging, zones, st.integers(0, 200_000))
def test_what_an_amount_buys_never_costs_more(terms, periods, zone, amount):
    affordable = affordable_wh(terms, amount, start=periods[0].start, zone=zone)
    assume(affordable is not None)
    least = terms.min_price.incl_vat if terms.min_price else 0
    flat = ceiling(terms, start=periods[0].start, zone=zone, energy_wh=Wh(0)) or 0
    assume(amount >= max(least, flat))
    taken, bought = 0, []
    for one in periods:
        energy = Wh(min(one.energy_wh, affordable - taken))
        bought.append(Period(one.start, one.end, energy))
        taken += energy
    assert total_of(terms, bought, zone) <= amount


@given(steady_tariffs, starts, zones, st.integers(0, 400_000))
def test_the_ceiling_grows_with_the_energy(terms, start, zone, energy):
    found = [
        ceiling(terms, start=start, zone=zone, energy_wh=Wh(energy + more), max_power_w=22_000)
        for more in (0, 1, 1000)
    ]
    assert all(low <= high for low, high in pairwise(found))
