"""The central system under test, as its operator and its stations see it from outside."""

import asyncio
import datetime as dt
import itertools
from http import HTTPStatus
from typing import Any

import httpx
from websockets.exceptions import InvalidStatus

from config.tests.server import ServerProcess
from conftest import PASSWORD
from stations.tests.bare_station import BareStation

KEY = "a key of the conformance cases"
FREE_TAG, BLOCKED_TAG, EXPIRED_TAG, UNKNOWN_TAG = "TAG-001", "100000C06", "100000C07", "100000C02"
MASTER_TAG, GROUP_TAG, MASTER_GROUP = "MASTERC47", "CARD-OF-GROUP", "GROUP001"
ENDED = {"answered", "failed", "timed_out", "expired"}
SETTLED = {"completed", "error", "review"}
POLL_S = 0.05

_numbers = itertools.count(1)


class Central:
    """One server, asked as staff. Its cards belong to the operator: they cost nothing."""

    def __init__(self, server: ServerProcess, token: str) -> None:
        self.server = server
        self.client = httpx.AsyncClient(
            base_url=server.base_url,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=30,
        )

    async def __aenter__(self) -> "Central":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()

    async def new_driver(self) -> str:
        """Register a driver; return their token."""
        person = {"email": f"d{next(_numbers)}@example.org", "password": PASSWORD}
        registered = await self.client.post("/auth/register", json=person)
        assert registered.status_code == 201, registered.text
        login = {"username": person["email"], "password": PASSWORD}
        return str((await self.client.post("/auth/login", json=login)).json()["token"])

    async def declare(self, **facts: Any) -> str:
        """Declare a station of two connectors; return its identity."""
        station = {"station_id": self.new_identity(), "connectors": 2, "key": KEY, **facts}
        answer = await self.client.post("/ocpp/stations", json=_stated(station))
        assert answer.status_code == 201, answer.text
        return str(station["station_id"])

    def new_identity(self) -> str:
        return f"CP16-{next(_numbers)}"

    def point(self, station_id: str, **options: Any) -> BareStation:
        """A station that can connect as this one."""
        return BareStation(self.server.ws_url(station_id), **{"key": KEY, **options})

    async def refusal(self, station_id: str, **options: Any) -> int:
        """The status that a handshake is refused with."""
        try:
            async with self.point(station_id, **options):
                return HTTPStatus.SWITCHING_PROTOCOLS
        except InvalidStatus as refused:
            return refused.response.status_code

    async def order(self, station_id: str, action: str, payload: Any) -> httpx.Response:
        """Ask for a call to a station, as staff."""
        body = {"action": action, "payload": payload}
        return await self.client.post(f"/ocpp/stations/{station_id}/commands", json=body)

    async def carry_out(
        self, station_id: str, action: str, payload: Any, *, within: float = 20
    ) -> dict[str, Any]:
        """Ask for a call and follow it to its end; return its row."""
        ordered = await self.order(station_id, action, payload)
        assert ordered.status_code == 202, ordered.text
        return await self.followed(ordered.json()["id"], within=within)

    async def followed(self, command_id: str, *, within: float = 20) -> dict[str, Any]:
        async with asyncio.timeout(within):
            while True:
                row = (await self.client.get(f"/ocpp/commands/{command_id}")).json()
                if row["status"] in ENDED:
                    return dict(row)
                await asyncio.sleep(POLL_S)

    async def settled(self, session_id: str, *, within: float = 20) -> dict[str, Any]:
        """Follow a session to its end."""
        async with asyncio.timeout(within):
            while True:
                session = (await self.client.get(f"/ocpp/sessions/{session_id}")).json()
                if session["status"] in SETTLED:
                    return dict(session)
                await asyncio.sleep(POLL_S)

    async def station(self, station_id: str) -> dict[str, Any]:
        return dict((await self.client.get(f"/ocpp/stations/{station_id}")).json())

    async def connector(self, station_id: str, connector_id: int = 1) -> str:
        """The status of a connector, as the operator sees it."""
        connectors = (await self.station(station_id))["connectors"]
        return next(str(row["status"]) for row in connectors if row["connector_id"] == connector_id)

    async def session_of(self, transaction_id: int, station_id: str) -> dict[str, Any]:
        """The session of a transaction, as the operator sees it."""
        found = await self.client.get("/ocpp/sessions", params={"station_id": station_id})
        sessions = found.json()["results"]
        return next(dict(s) for s in sessions if s["transaction_id"] == transaction_id)


def _stated(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def stamp(**ago: float) -> str:
    """This moment, or one before it, as a station writes it."""
    at = dt.datetime.now(dt.UTC) - dt.timedelta(**ago)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def status(point: BareStation, name: str, connector_id: int = 1, **more: Any) -> None:
    """Tell the state of a connector; the answer is empty."""
    payload = {"connectorId": connector_id, "errorCode": "NoError", "status": name} | more
    assert await point.call("StatusNotification", payload) == {}


async def booted(point: BareStation) -> None:
    """The reusable state Booted: accepted, and every connector Available."""
    answer = await point.boot()
    assert answer["status"] == "Accepted"
    for connector_id in (0, 1, 2):
        await status(point, "Available", connector_id)


async def authorize(point: BareStation, id_tag: str) -> dict[str, Any]:
    return dict((await point.call("Authorize", {"idTag": id_tag}))["idTagInfo"])


async def start(point: BareStation, id_tag: str, **more: Any) -> dict[str, Any]:
    payload = {"connectorId": 1, "idTag": id_tag, "meterStart": 1000, "timestamp": stamp()} | more
    return await point.call("StartTransaction", payload)


async def charging(point: BareStation, id_tag: str = FREE_TAG) -> int:
    """The reusable state Charging; return the transaction id."""
    await status(point, "Preparing")
    answer = await start(point, id_tag)
    assert answer["idTagInfo"]["status"] == "Accepted"
    await status(point, "Charging")
    return int(answer["transactionId"])


async def stop(point: BareStation, transaction_id: int, **more: Any) -> dict[str, Any]:
    payload = {"transactionId": transaction_id, "meterStop": 3000, "timestamp": stamp()} | more
    return await point.call("StopTransaction", payload)


async def finish(point: BareStation, transaction_id: int, **more: Any) -> None:
    """End a charge, and let the car go."""
    await stop(point, transaction_id, **more)
    await status(point, "Finishing")
    await status(point, "Available")
