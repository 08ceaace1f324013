"""A driver with 1,000, and stations played by processes that come back by themselves."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from config.demo.client import Client
from config.tests.server import ROOT, ServerProcess

KEY = "a-key-of-the-tests"
PASSWORD = "correct horse battery staple"
SETTINGS = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "CSMS_PROVISION": "false"}
SIX_KWH_A_MINUTE = ("--power-kw=60", "--speed=6", "--interval=1", "--energy-kwh=900")
WITHIN_S = 120
MODELS = "__import__('sessions_app.models').models"
EVENTS = f"list({MODELS}.SessionEvent.objects.values_list('at', 'to_status', 'kind', 'detail'))"


class Town:
    """S-1 with one connector and S-2 with two, at 12.50 a kWh; what they remember is in files."""

    def __init__(self, server: ServerProcess, directory: Path, processes: ExitStack) -> None:
        self.server, self.directory = server, directory
        server.manage("createsuperuser", "--noinput", "--username=olga", "--email=olga@x.org")
        anyone = Client(server.base_url)
        self.staff = anyone.log_in("olga", PASSWORD)
        alice = anyone.post("/auth/register", email="alice@x.org", password=PASSWORD)
        self.alice = anyone.log_in("alice@x.org", PASSWORD)
        self.alice_id = alice["id"]
        self.staff.post("/ocpp/tariffs", price_per_kwh="12.50", currency="KGS")
        self.top_up("1000")
        for station_id, connectors in (("S-1", 1), ("S-2", 2)):
            self.staff.post("/ocpp/stations", station_id=station_id, connectors=connectors, key=KEY)
            process = processes.enter_context(self.simulate(station_id, connectors))
            processes.callback(process.kill)

    def simulate(self, station_id: str, connectors: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "manage.py", "simulate", "--scenario=stay", *SIX_KWH_A_MINUTE),
                f"--url=ws://127.0.0.1:{self.server.port}",
                f"--station-id={station_id}",
                f"--connectors={connectors}",
                f"--key={KEY}",
                f"--memory={self.directory / station_id}",
            ],
            cwd=ROOT,
            env=self.server.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def top_up(self, amount: str) -> None:
        self.staff.post("/billing/topups", amount=amount, provider="manual", user_id=self.alice_id)

    def begin(self, station_id: str, connector_id: int = 1) -> dict[str, Any]:
        """Start a charge that would last for minutes, and wait until energy flows."""
        self.wait(lambda: self.is_free(station_id, connector_id))
        session = self.alice.post(
            "/ocpp/start_charge",
            station_id=station_id,
            connector_id=connector_id,
            limit_type="amount",
            limit_value="400",
        )
        self.wait(lambda: self.energy_kwh(session) > 0)
        return self.look(session)

    def finish(self, session: dict[str, Any]) -> dict[str, Any]:
        self.alice.post("/ocpp/stop_charge", session_id=session["id"])
        self.wait(lambda: self.look(session)["status"] == "completed")
        return self.look(session)

    def look(self, session: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.staff.get(f"/ocpp/sessions/{session['id']}")
        return found

    def energy_kwh(self, session: dict[str, Any]) -> Decimal:
        return Decimal(self.look(session)["energy_kwh"])

    def is_free(self, station_id: str, connector_id: int = 1) -> bool:
        station = self.staff.get(f"/ocpp/stations/{station_id}")
        status = {row["connector_id"]: row["status"] for row in station["connectors"]}
        return station["online"] and status.get(connector_id) == "Available"

    def register_wh(self, station_id: str, connector_id: int = 1) -> int:
        """What the meter shows: whole watt-hours."""
        memory = json.loads((self.directory / station_id).read_text())
        return int(Decimal(memory["registers_wh"][str(connector_id)]))

    def ask(self, expression: str) -> str:
        """Ask the database itself."""
        return self.server.manage("shell", "-v0", "-c", f"print({expression})").strip()

    def wait(self, is_so: Callable[[], Any]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not is_so():
            assert time.monotonic() < deadline, self.story()
            time.sleep(0.5)

    def story(self) -> str:
        """What there is to see when a wait was in vain."""
        sessions = self.staff.get("/ocpp/sessions")["results"]
        return f"{self.server.log}\n{json.dumps(sessions, indent=1)}\n{self.ask(EVENTS)}"
