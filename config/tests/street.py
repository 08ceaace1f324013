"""A street of stations on bare sockets, each in a charge of alice's, for what happens to servers.

Each keeps what it was not answered, so that in the end what it says and what is stored must agree.
"""

import asyncio
import contextlib
from typing import Any

import httpx
import psycopg

from .crowd import Keeper, expect, now
from .server import ServerProcess

PASSWORD = "correct horse battery staple"
SETTINGS = {
    "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    "CSMS_PROVISION": "false",
    "CSMS_RFID_HOLD": "20",
    # a machine that is slow is not a database that is away
    "CSMS_DATABASE_WAIT_S": "120",
}
TAG = "ALICES-CARD"
BOOT = {"chargePointVendor": "Light", "chargePointModel": "Station"}
STATIONS = (
    "from stations.models import Station as S;"
    "S.objects.bulk_create(S(station_id=f'S-{{n}}', identity=f's-{{n}}', security_profile=0)"
    " for n in range({count}))"
)


class Street:
    """olga, alice with money and a card, a price, and `count` stations that need no key."""

    def __init__(self, server: ServerProcess, count: int) -> None:
        self.server, self.count = server, count
        server.manage("createsuperuser", "--noinput", "--username=olga", "--email=olga@x.org")
        server.manage("shell", "-v0", "-c", STATIONS.format(count=count))
        with httpx.Client(base_url=server.base_url, trust_env=False, timeout=60) as anyone:
            alice = {"email": "alice@x.org", "password": PASSWORD}
            self.alice_id = ok(anyone.post("/auth/register", json=alice))["id"]
            self.alice = log_in(anyone, "alice@x.org")
            self.olga = log_in(anyone, "olga")
            anyone.headers["Authorization"] = self.olga
            money = {"amount": str(40 * count), "provider": "manual", "user_id": self.alice_id}
            ok(anyone.post("/billing/topups", json=money))
            ok(anyone.post("/ocpp/tariffs", json={"price_per_kwh": "12.50", "currency": "KGS"}))
            ok(anyone.post("/ocpp/id_tags", json={"id_tag": TAG, "user_id": self.alice_id}))

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Ask the database itself."""
        url = self.server.environment["DATABASE_URL"]
        with psycopg.connect(url) as connection:
            return connection.execute(query, arguments).fetchall()

    def see_all_settled(self, charges: "list[Charge]") -> None:
        """All completed, each reading that was answered stored once, and the books balanced."""
        for charge in charges:
            charge.see_kept()
        sessions = self.rows(
            "SELECT t.station_id, s.transaction_id, s.status, s.energy_wh, count(r.id)"
            " FROM sessions_app_chargingsession s JOIN stations_station t ON t.id = s.station_id"
            " LEFT JOIN sessions_app_reading r ON r.session_id = s.id"
            " GROUP BY s.id, t.station_id ORDER BY s.id"
        )
        assert len(sessions) == len(charges)
        told = {charge.transaction_id: charge for charge in charges}
        for station_id, transaction_id, status, energy_wh, readings in sessions:
            charge = told[transaction_id]
            assert station_id == charge.keeper.name
            assert (status, energy_wh) == ("completed", charge.register_wh - charge.begun_wh)
            assert readings == charge.readings
        assert "Clean." in self.server.manage("reconcile")


class Charge:
    """A charge at a station: `step_wh` more each `every_s`, told in a MeterValues."""

    def __init__(self, keeper: Keeper, *, every_s: float = 1, step_wh: int = 20) -> None:
        self.keeper, self.every_s, self.step_wh = keeper, every_s, step_wh
        self.begun_wh = self.register_wh = 1000
        self.transaction_id = 0
        self._metering: asyncio.Task[None] | None = None

    @property
    def readings(self) -> int:
        """How many rows there must be: what was metered, the start and the stop."""
        return sum(action == "MeterValues" for action, _, _ in self.keeper.answered) + 2

    async def boot(self) -> None:
        self.keeper.put("BootNotification", BOOT)
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}
        await self.keeper.put("StatusNotification", status | {"timestamp": now()})

    async def begin(self, tag: str = TAG) -> None:
        """Start by card, and begin to meter."""
        start = {"connectorId": 1, "idTag": tag, "meterStart": self.begun_wh, "timestamp": now()}
        answer = await self.keeper.put("StartTransaction", start)
        assert answer["idTagInfo"]["status"] == "Accepted", answer
        self.transaction_id = answer["transactionId"]
        self._metering = asyncio.create_task(self._meter())

    async def begin_when_asked(self) -> None:
        asked = await expect(self.keeper.asked, "RemoteStartTransaction")
        await self.begin(asked["idTag"])

    async def end(self) -> None:
        """Stop at the station; returns once the stop is confirmed, and so all before it."""
        assert self._metering is not None
        self._metering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._metering
        stop = {"transactionId": self.transaction_id, "meterStop": self.register_wh}
        await self.keeper.put("StopTransaction", stop | {"timestamp": now(), "reason": "Local"})

    def see_kept(self) -> None:
        """It was never told that a message is bad, and nothing waits any more."""
        assert not self.keeper.errors
        assert not self.keeper.queue

    async def _meter(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            self.register_wh += self.step_wh
            sample = {"timestamp": now(), "sampledValue": [{"value": str(self.register_wh)}]}
            values = {"connectorId": 1, "transactionId": self.transaction_id}
            self.keeper.put("MeterValues", values | {"meterValue": [sample]})


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json()


def log_in(client: httpx.Client, username: str) -> str:
    """The header of a person who has logged in."""
    answer = client.post("/auth/login", json={"username": username, "password": PASSWORD})
    return f"Bearer {ok(answer)['token']}"
