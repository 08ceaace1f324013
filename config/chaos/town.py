"""People, prices and stations of a run, made through the API before anything goes wrong."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing.money import Minor, to_minor
from stations.simulator.connector import Setup
from stations.simulator.memory import Memory
from stations.simulator.station import SimulatedStation

from .api import Api
from .house import House
from .journal import Journal
from .processes import CannotRun
from .schedule import Make, Schedule, station_name

PHRASE = "a quiet green car"
STAFF = "olga"
KEY = "a-key-of-this-run"
WALLET = "2000.00"
POWER_KW = 300
PRICE = "12.50"
BY_TIME = [
    {
        "price_components": [
            {"type": "FLAT", "price": 2, "vat": 12, "step_size": 1},
            {"type": "ENERGY", "price": 9, "vat": 12, "step_size": 1},
            {"type": "TIME", "price": 90, "vat": 12, "step_size": 1},
            {"type": "PARKING_TIME", "price": 600, "vat": 12, "step_size": 1},
        ]
    }
]


@dataclass(frozen=True, slots=True)
class Wish:
    """A charge that a driver asked for, under a key of their own, and what they were told."""

    key: str
    user_id: str
    station_id: str
    session_id: str = ""
    status: int = 0
    code: str = ""


@dataclass(slots=True)
class Driver:
    """One driver with a prepaid balance and a card."""

    name: str
    user_id: str
    card: str
    api: Api
    paid_in: Minor
    wishes: list[Wish] = field(default_factory=list)


@dataclass(slots=True)
class Town:
    """Everyone and everything that the swarm plays with."""

    staff: Api
    drivers: list[Driver]
    stations: dict[str, SimulatedStation]
    makes: dict[str, Make]

    async def close(self) -> None:
        for api in (self.staff, *(driver.api for driver in self.drivers)):
            await api.close()


async def settle_town(house: House, schedule: Schedule, *, url: str, journal: Journal) -> Town:
    """Make everyone and everything. Raises CannotRun."""
    await house.manage(
        "createsuperuser",
        *("--noinput", f"--username={STAFF}", f"--email={STAFF}@example.org"),
        DJANGO_SUPERUSER_PASSWORD=PHRASE,
    )
    staff = Api(house.urls)
    await staff.log_in(STAFF, PHRASE)
    await _make(staff, "/ocpp/tariffs", price_per_kwh=PRICE)
    stations, makes = {}, {}
    for number, make in enumerate(schedule.makes, 1):
        station_id = station_name(number)
        await _declare(staff, station_id, make)
        stations[station_id] = _build(station_id, make, url, house.directory, journal)
        makes[station_id] = make
    drivers = [await _enrol(house, staff, number) for number in range(1, len(stations) + 1)]
    return Town(staff, drivers, stations, makes)


async def _declare(staff: Api, station_id: str, make: Make) -> None:
    power = {"max_power_kw": POWER_KW} if make.is_power_stated else {}
    await _make(
        staff, "/ocpp/stations", station_id=station_id, connectors=make.connectors, key=KEY, **power
    )
    if make.is_priced_by_time:
        await _make(staff, "/ocpp/tariffs", station_id=station_id, elements=BY_TIME)


def _build(
    station_id: str, make: Make, url: str, directory: Path, journal: Journal
) -> SimulatedStation:
    setup = Setup(
        url=url,
        station_id=station_id,
        key=KEY,
        connectors=make.connectors,
        power_w=Decimal(POWER_KW * 1000),
        interval_s=Decimal(1),
        car_needs_wh=Decimal(8_000),
        parking_s=1,
    )
    return SimulatedStation(
        setup,
        memory=Memory(directory / f"{station_id}.json"),
        report=lambda line: journal.note(f"says: {line}", station_id),
    )


async def _enrol(house: House, staff: Api, number: int) -> Driver:
    name, card = f"driver-{number}@example.org", f"CARD-{number}"
    user = await _make(staff, "/auth/register", email=name, password=PHRASE)
    await _make(staff, "/billing/topups", amount=WALLET, provider="manual", user_id=user["id"])
    await _make(staff, "/ocpp/id_tags", id_tag=card, user_id=user["id"])
    api = Api(house.urls)
    await api.log_in(name, PHRASE)
    return Driver(name, user["id"], card, api, to_minor(Decimal(WALLET)))


async def _make(staff: Api, path: str, **body: Any) -> dict[str, Any]:
    answer = await staff.post(path, body)
    if answer.status not in (200, 201):
        raise CannotRun(f"POST {path} was answered with {answer.status}: {answer.body}")
    made: dict[str, Any] = answer.body
    return made
