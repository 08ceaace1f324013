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
IN_REVIEW = {"meter-stop-kwh"}
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
        meter=METERS.get(name, PLAIN_METER),
    )
    scenario = SCENARIOS.get(name, SCENARIOS["local-start"])
    station = SimulatedStation(setup, memory=Memory(registers_wh={1: LIFETIME_WH}))
    (outcome,) = await play([station], scenario, id_tag=house.card, timeout_s=60)
    return house, outcome


async def play_all(houses):
    rows = await asyncio.gather(*(play_by_card(house, name) for name, house in houses.items()))
    return dict(zip(houses, rows, strict=True))


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """What became of each: (house, outcome) by name."""
    with open_town(tmp_path_factory.mktemp("server")) as server:
        yield asyncio.run(play_all({name: House(server) for name in (*STORIES, *METERS)}))


def counted_kwh(outcome):
    """What flowed by the station's own count, charge by charge."""
    return sorted(
        Decimal(charge.meter_stop_wh - charge.meter_start_wh) / 1000
        for charge in outcome.station.delivered
    )


@pytest.mark.parametrize("name", [*STORIES, *METERS])
def test_a_card_pays_for_what_flowed_whatever_the_station_does(played, name):
    house, outcome = played[name]
    assert outcome.error is None
    sessions = house.get(house.alice, "/ocpp/sessions")["results"]
    told = [(s["status"], s["energy_kwh"], s["cost"]) for s in sessions]
    print("RESULT", name, told, counted_kwh(outcome), house.get(house.alice, "/billing/balance"))  # noqa: T201
    if name in IN_REVIEW:
        assert [s["status"] for s in sessions] == ["review"]
        return
    assert {s["status"] for s in sessions} == {"completed"}, told
    assert sorted(Decimal(s["energy_kwh"]) for s in sessions) == counted_kwh(outcome)
    cost = sum(Decimal(s["cost"]) for s in sessions)
    assert abs(cost - sum(counted_kwh(outcome)) * PRICE) <= Decimal("0.01") * len(sessions)
    balance = house.get(house.alice, "/billing/balance")
    assert (Decimal(balance["balance"]), balance["held"]) == (1000 - cost, "0.00")


def test_the_books_are_clean_after_all_of_it(played):
    house, _ = played["cached-tag"]
    assert "Clean." in house.server.manage("reconcile")
