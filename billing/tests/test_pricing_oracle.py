"""The pricing against a second, slow and simple one that walks a session minute by minute.

It shares no code with the first and cuts nothing: everything in its sessions and tariffs falls on
whole minutes.
"""

import datetime as dt
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.pricing import Period, parse_terms, price

from .tariffs import BERLIN, BISHKEK, UTC

DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
KINDS = ["ENERGY", "TIME", "PARKING_TIME", "FLAT"]
SIZE = {"ENERGY": 1000, "TIME": 3600, "PARKING_TIME": 3600, "FLAT": 1}
WH_A_MINUTE = 200  # a kWh in five minutes, 12 kW
MINUTE = dt.timedelta(minutes=1)

quarters = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
dates = st.sampled_from(["2026-03-28", "2026-03-29", "2026-03-30", "2026-10-25", "2026-10-26"])
minutes = st.integers(0, 90).map(lambda n: 60 * n)
kwh = st.integers(0, 20)
restrictions = st.fixed_dictionaries(
    {},
    optional={
        "start_time": quarters,
        "end_time": quarters,
        "start_date": dates,
        "end_date": dates,
        "day_of_week": st.lists(st.sampled_from(DAYS), unique=True),
        "min_kwh": kwh,
        "max_kwh": kwh,
        "min_power": st.integers(10, 14),
        "max_power": st.integers(10, 14),
        "min_duration": minutes,
        "max_duration": minutes,
    },
)
components = st.fixed_dictionaries(
    {
        "type": st.sampled_from(KINDS),
        "price": st.integers(0, 60).map(lambda n: n / 4),
        "vat": st.sampled_from([0, 5.2, 12]),
        "step_size": st.sampled_from([1, 300, 1000, 1800]),
    }
)
elements = st.lists(
    st.fixed_dictionaries(
        {
            "price_components": st.lists(
                components, min_size=1, max_size=4, unique_by=lambda one: one["type"]
            ),
            "restrictions": restrictions,
        }
    ),
    min_size=1,
    max_size=6,
)
# Some hours before the clock of Berlin changes, and then.
starts = st.builds(
    lambda day, minute: day + minute * MINUTE,
    st.sampled_from([dt.datetime(2026, 3, 28, 20, tzinfo=dt.UTC),
                     dt.datetime(2026, 10, 24, 20, tzinfo=dt.UTC)]),
    st.integers(0, 720),
)  # fmt: skip
stretches = st.lists(
    st.tuples(st.integers(1, 240), st.sampled_from(["charging", "parking", "waiting"])),
    min_size=1,
    max_size=4,
)


def matches(limits, local, elapsed_s, energy_wh, power_kw) -> bool:
    """Whether all restrictions match; written from the text of OCPI 2.2.1 §11.4.6."""
    now, day = f"{local:%H:%M}", f"{local:%Y-%m-%d}"
    begin, end = limits.get("start_time", "00:00"), limits.get("end_time", "00:00")
    in_time = begin <= now < end if begin < end else now >= begin or now < end
    return (
        in_time
        and limits.get("start_date", "") <= day < limits.get("end_date", "9")
        and DAYS[local.weekday()] in (limits.get("day_of_week") or DAYS)
        and limits.get("min_kwh", 0) * 1000 <= energy_wh < limits.get("max_kwh", 1e9) * 1000
        and limits.get("min_power", 0) <= power_kw < limits.get("max_power", 1e9)
        and limits.get("min_duration", 0) <= elapsed_s < limits.get("max_duration", 1e9)
    )


def expected_total(raw, grace_s, zone, start, made) -> int:
    """The total in minor units."""
    used: dict[tuple, int] = {}
    last: dict[str, tuple] = {}
    energy, elapsed, parked = 0, 0, 0
    for length, state in made:
        gain = WH_A_MINUTE if state == "charging" else 0
        for _ in range(length):
            local = (start + dt.timedelta(seconds=elapsed)).astimezone(zone)
            parked += 60 if state == "parking" else 0
            amounts = {
                "ENERGY": gain,
                "TIME": 60 if state != "parking" else 0,
                "PARKING_TIME": 60 if state == "parking" and parked > grace_s else 0,
                "FLAT": 0 if "FLAT" in last else 1,
            }
            for kind, amount in amounts.items():
                found = next(
                    (
                        one
                        for each in raw
                        if matches(each["restrictions"], local, elapsed, energy, gain * 0.06)
                        for one in each["price_components"]
                        if one["type"] == kind
                    ),
                    None,
                )
                if found and amount:
                    key = (kind, found["price"], found["vat"])
                    used[key] = used.get(key, 0) + amount
                    last[kind] = (key, found["step_size"])
            energy, elapsed = energy + gain, elapsed + 60
    for kind in ("ENERGY", "PARKING_TIME" if "PARKING_TIME" in last else "TIME"):
        if kind in last:
            key, step = last[kind]
            used[key] += -sum(used[one] for one in used if one[0] == kind) % step
    return sum(
        int(Fraction(str(net)) * (100 + Fraction(str(vat))) * amount / SIZE[kind] + Fraction(1, 2))
        for (kind, net, vat), amount in used.items()
    )


@settings(max_examples=300, deadline=None)
@given(
    elements,
    st.integers(0, 30),
    st.sampled_from([UTC, BERLIN, BISHKEK]),
    starts,
    stretches,
)
def test_two_ways_to_price_a_session_agree(raw, grace_minutes, zone, start, made):
    terms = parse_terms(currency="KGS", elements=raw, more={"parking_grace_s": 60 * grace_minutes})
    periods, at = [], start
    for length, state in made:
        energy = WH_A_MINUTE * length if state == "charging" else 0
        end = at + length * MINUTE
        periods.append(
            Period(at, end, energy, None, "parking" if state == "parking" else "charging")
        )
        at = end
    expected = expected_total(raw, 60 * grace_minutes, zone, start, made)
    assert price(terms, periods, zone).total == expected
