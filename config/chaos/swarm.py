"""Stations and drivers at work: each visit of the schedule is tried, whatever is broken."""

import asyncio
import itertools
import uuid

from stations.simulator.connector import Connector

from .api import Answer, Unanswered
from .journal import Journal
from .life import Life
from .schedule import Fault, Schedule, Visit, station_name
from .town import Driver, Town, Wish

LOOK_EVERY_S = 0.25
ASK_FOR_S = 70.0
"""A key whose process died is free again after a minute."""
BEGIN_WITHIN_S = 12.0
STOP_WITHIN_S = 10.0
BUSY_PAUSE_S = 1.0
MAX_AMOUNT = "40.00"
OPEN = "requested,starting,charging,stopping"


class Swarm:
    """All stations and drivers of a run."""

    def __init__(self, town: Town, schedule: Schedule, journal: Journal) -> None:
        self.town, self._schedule, self._journal = town, schedule, journal
        self.lives = {
            station_id: Life(station, offset_s=town.makes[station_id].offset_s, journal=journal)
            for station_id, station in town.stations.items()
        }
        self.trespasses: list[str] = []
        self.is_open = True
        self._cards = itertools.cycle(driver.card for driver in town.drivers)

    async def live(self) -> None:
        """Let the stations live, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for life in self.lives.values():
                tasks.create_task(life.live())

    async def receive(self) -> None:
        """Let the drivers come, one after another at each connector, until it is closed."""
        async with asyncio.TaskGroup() as tasks:
            for place, visits in self._places().items():
                tasks.create_task(self._receive(place, visits))

    def _places(self) -> dict[tuple[int, int], list[Visit]]:
        places: dict[tuple[int, int], list[Visit]] = {}
        for visit in self._schedule.visits:
            places.setdefault((visit.station, visit.connector_id), []).append(visit)
        return places

    async def _receive(self, place: tuple[int, int], visits: list[Visit]) -> None:
        life = self.lives[station_name(place[0])]
        await life.station.until(lambda: life.station.is_ready)
        for visit in visits:
            await asyncio.sleep(visit.pause_s)
            if not self.is_open:
                return
            connector = life.station.connectors[visit.connector_id]
            if life.has_power and connector.transaction is None:
                await self._play(life, visit)

    async def _play(self, life: Life, visit: Visit) -> None:
        driver = self.town.drivers[visit.driver - 1]
        connector = life.station.connectors[visit.connector_id]
        if visit.limit_type:
            wish = await self._ask(driver, life.station_id, visit)
            await self._trespass(driver, wish)
            if wish.status != 202:
                await asyncio.sleep(BUSY_PAUSE_S)
                return
            if visit.is_fickle:
                await self.stop_all(driver, within_s=STOP_WITHIN_S)
                return
            await self._wait(life, visit, is_charging=True, within_s=BEGIN_WITHIN_S)
            if visit.raised_to:
                await self._raise(driver, wish, visit)
        elif not await life.swipe(connector, driver.card):
            return
        await self._wait(life, visit, is_charging=False, within_s=visit.leaves_after_s)
        await self._leave(life, visit, driver)

    async def _ask(self, driver: Driver, station_id: str, visit: Visit) -> Wish:
        body = {
            "station_id": station_id,
            "connector_id": visit.connector_id,
            "limit_type": visit.limit_type,
            **({"limit_value": visit.limit_value} if visit.limit_value else {}),
            **({"max_amount": MAX_AMOUNT} if visit.limit_type in ("time", "full") else {}),
        }
        key = str(uuid.uuid4())
        wish = Wish(key, driver.user_id, station_id)
        place = len(driver.wishes)
        driver.wishes.append(wish)
        try:
            answer = await driver.api.post("/ocpp/start_charge", body, key=key, within_s=ASK_FOR_S)
        except Unanswered:
            return wish
        driver.wishes[place] = wish = _told(wish, answer)
        self._journal.note(f"{driver.name} asked {body}: {answer.status} {answer.code}", station_id)
        return wish

    async def _raise(self, driver: Driver, wish: Wish, visit: Visit) -> None:
        """Ask for twice as much, which comes too late where the limit was reached."""
        path, body = f"/ocpp/sessions/{wish.session_id}/limit", {"limit_value": visit.raised_to}
        try:
            answer = await driver.api.post(path, body, within_s=ASK_FOR_S)
        except Unanswered:
            return
        self._journal.note(f"{driver.name} raised {body}: {answer.status} {answer.code}")
        if answer.status not in (200, 402, 409):
            self.trespasses.append(f"{driver.name} raised {body} and was answered {answer.status}")

    async def _trespass(self, driver: Driver, wish: Wish) -> None:
        """Let another driver try to stop what is not theirs (P10)."""
        others = [other for other in self.town.drivers if other is not driver]
        if not wish.session_id or not others:
            return
        other = others[len(wish.key + wish.session_id) % len(others)]
        try:
            answer = await other.api.post("/ocpp/stop_charge", {"session_id": wish.session_id})
        except Unanswered:
            return
        if answer.status != 404:
            self.trespasses.append(
                f"{other.name} pressed stop on session {wish.session_id} of {driver.name} "
                f"and was answered {answer.status}"
            )

    async def _wait(self, life: Life, visit: Visit, *, is_charging: bool, within_s: float) -> None:
        """Wait until the connector charges, or no longer does, or patience ends."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while loop.time() < deadline and self.is_open:
            life.remember()
            connector: Connector = life.station.connectors[visit.connector_id]
            if (connector.transaction is not None) == is_charging:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _leave(self, life: Life, visit: Visit, driver: Driver) -> None:
        """The driver stops by app what is theirs, and unplugs if that did not help."""
        connector = life.station.connectors[visit.connector_id]
        if connector.transaction is None or not life.has_power:
            return
        await self.stop_all(driver, within_s=STOP_WITHIN_S)
        await self._wait(life, visit, is_charging=False, within_s=BEGIN_WITHIN_S)
        connector = life.station.connectors[visit.connector_id]
        if connector.transaction is not None and life.has_power:
            life.station.end(connector, "EVDisconnected")

    async def stop_all(self, driver: Driver, *, within_s: float) -> None:
        """Press stop on every open session of a driver, as their app shows them."""
        try:
            shown = await driver.api.get("/ocpp/sessions", within_s=within_s, status=OPEN)
            for session in shown.body["results"]:
                await driver.api.post(
                    "/ocpp/stop_charge", {"session_id": session["id"]}, within_s=within_s
                )
        except Unanswered:
            self._journal.note(f"{driver.name} could not stop")

    async def suffer(self, fault: Fault) -> None:
        """Let a fault befall a station itself."""
        life = self.lives[fault.target]
        match fault.kind:
            case "power" if life.has_power:
                life.lose_power(fault.lasts_s)
            case "clock":
                life.set_clock(int(fault.detail.split()[0]))
            case "repeat":
                await life.repeat(fault.detail, fault.lasts_s)
            case "offline" if life.has_power:
                await life.charge_offline(next(self._cards), fault.lasts_s)


def _told(wish: Wish, answer: Answer) -> Wish:
    session_id = str(answer.body.get("id", "")) if answer.status in (202, 402) else ""
    return Wish(wish.key, wish.user_id, wish.station_id, session_id, answer.status, answer.code)
