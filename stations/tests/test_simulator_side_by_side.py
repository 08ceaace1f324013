"""Every story of a card, and every meter, side by side on one real server: what is billed?"""

import asyncio
from decimal import Decimal

import pytest

from stations.simulator.connector import Setup
from stations.simulator.fleet import play
from stations.simulator.memory import Memory
from stations.simulator.quirks import METERS, PLAIN_METER
from stations.simulator.scenarios import SCENARIOS
from stations.simulator.station import SimulatedStation
from stations.tests.house import KEY, PRICE, House, open_town

pytestmark = pytest.mark.e2e

STORIES = (
    "cached-tag",
    "reply-lost",
    "power-failure",
    "reconnect",
    "offline",
    "offline-many",
    "state-before-money",
    "clock-1970",
    "clock-set-by-boot",
    "message-id-restart",
    "crossing-calls",
    "half-open",
    "flood",
    "double-stop",
)
ODD_METERS = tuple(name for name in METERS if name != "plain")
IN_REVIEW = {"jump", "negative"}
"""What docs/metering.md leaves to an operator."""
FREE = {"meter-stop-zero", "meter-stop-kwh"}
"""meterStop below meterStart is billed as 0."""
REFUSED = {"numbers", "odd-context", "empty-sampled-value"}
"""Samples that break the schema get a CALLERROR; what can be read in them counts all the same."""
PATIENCE_S = 180
"""Of one story; on a quiet machine all of them together take less than half of it."""
LIFETIME_WH = Decimal(1_234_000)
"""What a meter counted before: one that begins at 0 hides half of what is odd about it."""


async def play_by_card(house, name):
    """Play a story, or an ordinary charge with an odd meter."""
    setup = Setup(
        url=f"ws://127.0.0.1:{house.server.port}",
        station_id=house.station_id,
        key=KEY,
        speed=Decimal(60),
        interval_s=Decimal("0.5"),
        car_needs_wh=Decimal(3000),
        attempts=1 if name in REFUSED else 3,
        meter=METERS.get(name, PLAIN_METER),
    )
    scenario = SCENARIOS.get(name, SCENARIOS["local-start"])
    station = SimulatedStation(setup, memory=Memory(registers_wh={1: LIFETIME_WH}))
    (outcome,) = await play([station], scenario, id_tag=house.card, timeout_s=PATIENCE_S)
    return house, outcome


async def play_all(houses):
    rows = await asyncio.gather(*(play_by_card(house, name) for name, house in houses.items()))
    return dict(zip(houses, rows, strict=True))


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """What became of each: (house, outcome) by name."""
    with open_town(tmp_path_factory.mktemp("server")) as server:
        yield asyncio.run(play_all({name: House(server) for name in (*STORIES, *ODD_METERS)}))


def counted_kwh(outcome):
    """What flowed by the station's own count, charge by charge."""
    return sorted(
        Decimal(charge.meter_stop_wh - charge.meter_start_wh) / 1000
        for charge in outcome.station.delivered
    )


@pytest.mark.parametrize("name", [*STORIES, *ODD_METERS])
def test_a_card_pays_for_what_flowed_whatever_the_station_does(played, name):
    house, outcome = played[name]
    assert outcome.error is None
    assert set(outcome.station.refusals) == ({"MeterValues"} if name in REFUSED else set())
    sessions = house.get(house.alice, "/ocpp/sessions")["results"]
    balance = house.get(house.alice, "/billing/balance")
    told = [(s["status"], s["energy_kwh"], s["cost"]) for s in sessions]
    if name in IN_REVIEW:
        assert [status for status, *_ in told] == ["review"]
        assert balance["balance"] == balance["held"] == "1000.00", "nothing is taken yet"
        assert Decimal(told[0][2]) <= 1000
        return
    assert {status for status, *_ in told} == {"completed"}, told
    expected_kwh = [Decimal(0)] if name in FREE else counted_kwh(outcome)
    assert sorted(Decimal(energy) for _, energy, _ in told) == expected_kwh
    cost = sum(Decimal(cost) for *_, cost in told)
    assert abs(cost - sum(expected_kwh) * PRICE) <= Decimal("0.01") * len(told)
    assert (Decimal(balance["balance"]), balance["held"]) == (1000 - cost, "0.00")


def test_the_books_are_clean_after_all_of_it(played):
    house, _ = played["cached-tag"]
    assert "Clean." in house.server.manage("reconcile")
