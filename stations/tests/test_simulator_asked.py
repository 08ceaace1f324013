"""Stories that need somebody who asks, side by side on one real server, asked over the API."""

import asyncio
import datetime as dt
from decimal import Decimal

import pytest

from stations.simulator.connector import Setup
from stations.simulator.fleet import play
from stations.simulator.scenarios import SCENARIOS
from stations.simulator.station import SimulatedStation
from stations.tests.depot import open_depot
from stations.tests.house import KEY, House, open_town

pytestmark = pytest.mark.e2e

SESSIONS = "/ocpp/sessions"
TIMEOUTS = {"CSMS_CONNECTION_TIMEOUT_S": 15}


def start(house, depot):
    house.wait_for_station()
    house.start_charge(limit_type="full")


def start_and_stop(house, depot):
    start(house, depot)
    (session,) = house.wait_for(SESSIONS, is_charging, house.alice)["results"]
    house.post(house.alice, "/ocpp/stop_charge", {"session_id": session["id"]})


def is_charging(found):
    return [s["status"] for s in found["results"]] == ["charging"]


def reserve(house, depot):
    house.wait_for_station()
    place = {"station_id": house.station_id, "connector_id": 1}
    house.post(house.alice, "/ocpp/reservations", place)


def reserve_and_start(house, depot):
    reserve(house, depot)
    house.wait_for_status("Reserved")
    house.start_charge(limit_type="full")


def update(house, depot):
    house.wait_for_station()
    now = dt.datetime.now(dt.UTC).isoformat()
    place = {"location": f"{depot.url}/image", "retrieveDate": now}
    house.ask_station("UpdateFirmware", place)


def ask_for_diagnostics(house, depot):
    house.wait_for_station()
    house.ask_station("GetDiagnostics", {"location": f"{depot.url}/{house.station_id}"})


ASKED = {
    "plain": start_and_stop,
    "crossing-calls": start_and_stop,
    "silent-stop": start_and_stop,
    "refused-stop": start_and_stop,
    "ignored-stop": start_and_stop,
    "reservation": reserve_and_start,
    "reservation-taken": reserve,
    "silent": start,
    "refused-start": start,
    "ignored-start": start,
    "unplugged-cable": start,
    "firmware": update,
    "firmware-fails": update,
    "diagnostics": ask_for_diagnostics,
}
CHARGES = [name for name, ask in ASKED.items() if ask in (start_and_stop, reserve_and_start)]
NO_CHARGES = [name for name, ask in ASKED.items() if ask is start]


async def play_asked(house, name, depot):
    setup = Setup(
        url=f"ws://127.0.0.1:{house.server.port}",
        station_id=house.station_id,
        key=KEY,
        speed=Decimal(60),
        interval_s=Decimal("0.5"),
        car_needs_wh=Decimal(3000 if name == "reservation" else 60_000),
    )
    tag = house.stranger if name == "reservation-taken" else ""
    playing = asyncio.create_task(
        play([SimulatedStation(setup)], SCENARIOS[name], id_tag=tag, timeout_s=180)
    )
    await asyncio.to_thread(ASKED[name], house, depot)
    (outcome,) = await playing
    return house, outcome


async def play_all(houses, depot):
    rows = await asyncio.gather(*(play_asked(house, name, depot) for name, house in houses.items()))
    return dict(zip(houses, rows, strict=True))


@pytest.fixture(scope="module")
def depot():
    with open_depot() as depot:
        depot.files["/image"] = b"2.0\n"
        yield depot


@pytest.fixture(scope="module")
def played(tmp_path_factory, depot):
    """What became of each: (house, outcome) by name."""
    with open_town(tmp_path_factory.mktemp("server"), **TIMEOUTS) as server:
        houses = {name: House(server) for name in ASKED}
        stranger = houses["reservation-taken"]
        stranger.stranger = f"OTHER-{stranger.station_id}"
        stranger.post(stranger.staff, "/ocpp/id_tags", {"id_tag": stranger.stranger})
        yield asyncio.run(play_all(houses, depot))


@pytest.mark.parametrize("name", ASKED)
def test_each_story_ends_as_it_should(played, name):
    _, outcome = played[name]
    assert outcome.error is None


@pytest.mark.parametrize("name", CHARGES)
def test_what_flowed_is_paid_however_the_station_obeyed(played, name):
    house, outcome = played[name]
    (charge,) = outcome.station.delivered
    counted_wh = charge.meter_stop_wh - charge.meter_start_wh
    assert counted_wh > 0
    house.check_the_only_session(energy_kwh=f"{counted_wh / 1000:.3f}")


@pytest.mark.parametrize("name", NO_CHARGES)
def test_a_start_that_comes_to_nothing_costs_nothing(played, name):
    house, _ = played[name]
    balance = house.wait_for("/billing/balance", lambda b: b["held"] == "0.00", house.alice)
    assert balance["balance"] == "1000.00"
    (session,) = house.get(house.alice, SESSIONS)["results"]
    assert (session["status"], session["cost"]) == ("error", "0.00")


def test_a_reservation_is_used_by_its_holder_and_kept_from_a_stranger(played):
    states = {}
    for name in ("reservation", "reservation-taken"):
        house, _ = played[name]
        (row,) = house.get(house.alice, "/ocpp/reservations")["results"]
        states[name] = row["status"]
    assert states == {"reservation": "used", "reservation-taken": "held"}
    house, _ = played["reservation-taken"]
    assert house.get(house.staff, f"{SESSIONS}?station_id={house.station_id}")["results"] == []


@pytest.mark.parametrize(("name", "version"), [("firmware", "2.0"), ("firmware-fails", "1.0")])
def test_the_version_that_runs_is_known(played, name, version):
    house, _ = played[name]
    station = house.get(house.staff, f"/ocpp/stations/{house.station_id}")
    assert station["firmware_version"] == version


def test_diagnostics_are_handed_in(played, depot):
    house, _ = played["diagnostics"]
    said = depot.taken[f"/{house.station_id}/{house.station_id}.log"]
    assert "GetDiagnostics answered" in said


def test_the_books_are_clean_after_all_of_it(played):
    house, _ = played["plain"]
    assert "Clean." in house.server.manage("reconcile")
