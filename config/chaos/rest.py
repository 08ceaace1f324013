"""After the storm: everything is let to come to rest, and then the witnesses are heard."""

import asyncio
import datetime as dt
from decimal import Decimal

from billing.money import to_minor

from . import rows
from .api import Unanswered
from .evidence import Charge, Evidence, Presence, Rows, Wallet, Witness
from .house import House
from .journal import Journal
from .life import Life
from .proxy import Proxy
from .schedule import Schedule
from .swarm import Swarm

REST_WITHIN_S = 180.0
LOOK_EVERY_S = 0.5
STOP_EVERY = 8
COMMAND_WITHIN_S = 30.0
ASK_WITHIN_S = 10.0


async def come_to_rest(house: House, swarm: Swarm) -> list[str]:
    """Let drivers unplug and stop until nothing is open; return what would not end, in words."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + REST_WITHIN_S
    turn = 0
    while (left := await _left(house, swarm)) and loop.time() < deadline:
        for life in swarm.lives.values():
            life.end_running()
        if turn % STOP_EVERY == 0:
            for driver in swarm.town.drivers:
                await swarm.stop_all(driver, within_s=ASK_WITHIN_S)
        turn += 1
        await asyncio.sleep(LOOK_EVERY_S)
    return left


async def _left(house: House, swarm: Swarm) -> list[str]:
    outside = [word for life in swarm.lives.values() for word in _unrest(life)]
    return outside or await asyncio.to_thread(_left_in_rows, house.database_url)


def _unrest(life: Life) -> list[str]:
    life.remember()
    words = [f"{life.station_id} is not connected"] if not life.station.is_ready else []
    words += [f"{life.station_id} charges"] if life.running else []
    return words + ([f"{life.station_id} owes messages"] if life.owes else [])


def _left_in_rows(url: str) -> list[str]:
    with rows.connected(url) as alias:
        return rows.unfinished(alias)


async def hear(
    house: House,
    proxy: Proxy,
    swarm: Swarm,
    journal: Journal,
    *,
    schedule: Schedule,
    unrest: list[str],
) -> Evidence:
    """Ask every witness: servers, drivers, stations, `reconcile`, and last the rows."""
    presences = await _presences(house, swarm)
    wallets = await _wallets(swarm)
    reconcile = await house.ask("reconcile")
    stored = await asyncio.to_thread(_load, house.database_url)
    lives = swarm.lives.values()
    seen = Witness(
        charges=tuple(charge for life in lives for charge in charges_of(life)),
        wishes=tuple(wish for driver in swarm.town.drivers for wish in driver.wishes),
        wallets=wallets,
        exchanges=tuple(journal.exchanges),
        presences=presences,
        admitted=dict(journal.admitted),
        dialled=dict(journal.dialled),
        failures=(*(word for life in lives for word in life.failures), *house.faults_of_our_own()),
        trespasses=tuple(swarm.trespasses),
        reconcile=tuple(reconcile.stdout.splitlines()) if reconcile.returncode else (),
        unrest=tuple(unrest),
        wrong_clocks=wrong_clocks(schedule),
        lines=tuple(journal.lines),
    )
    return Evidence(stored, seen)


def wrong_clocks(schedule: Schedule) -> frozenset[str]:
    """The stations whose clock changes during the run."""
    return frozenset(fault.target for fault in schedule.faults if fault.kind == "clock")


def charges_of(life: Life) -> list[Charge]:
    """What a station counted in its life."""
    told = {transaction.number for transaction in life.station.delivered}
    return [
        Charge(
            station_id=life.station_id,
            connector_id=row.connector_id,
            transaction_id=row.transaction_id,
            id_tag=row.id_tag,
            started_at=dt.datetime.fromisoformat(row.started_at),
            meter_start_wh=row.meter_start_wh,
            meter_stop_wh=row.meter_stop_wh,
            is_told=row.number in told,
        )
        for row in life.counted.values()
    ]


async def _presences(house: House, swarm: Swarm) -> tuple[Presence, ...]:
    return tuple(
        [
            await _presence(swarm, url, station_id)
            for url in house.urls
            for station_id in swarm.lives
        ]
    )


async def _presence(swarm: Swarm, url: str, station_id: str) -> Presence:
    """Ask one server about a station, and send it a command from there."""
    staff = swarm.town.staff.at(url)
    try:
        shown = await staff.get(f"/ocpp/stations/{station_id}", within_s=ASK_WITHIN_S)
        body = {"action": "ClearCache", "payload": {}}
        path = f"/ocpp/stations/{station_id}/commands"
        asked = await staff.post(path, body, within_s=ASK_WITHIN_S)
        is_online = bool(shown.body.get("online"))
        if asked.status != 202:
            return Presence(station_id, url, is_online, f"refused: {asked.code}")
        async with asyncio.timeout(COMMAND_WITHIN_S):
            while True:
                row = await staff.get(f"/ocpp/commands/{asked.body['id']}")
                if row.body["status"] not in ("queued", "sent"):
                    return Presence(station_id, url, is_online, row.body["status"])
                await asyncio.sleep(0.1)
    except (Unanswered, TimeoutError):
        return Presence(station_id, url, is_online=False, command="no answer")
    finally:
        await staff.close()


async def _wallets(swarm: Swarm) -> tuple[Wallet, ...]:
    wallets = []
    for driver in swarm.town.drivers:
        told = (await driver.api.get("/billing/balance")).body
        balance, held = (to_minor(Decimal(told[name])) for name in ("balance", "held"))
        wallets.append(Wallet(driver.user_id, driver.paid_in, balance, held))
    return tuple(wallets)


def _load(url: str) -> Rows:
    with rows.connected(url) as alias:
        return rows.load(alias)
