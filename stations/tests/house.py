"""A real server, and on it houses: one station and one driver each."""

import contextlib
import itertools
import subprocess
import sys
import time
from decimal import Decimal

import httpx

from config.tests.server import ROOT, ServerProcess

KEY = "a-key-of-the-tests"
PASSWORD = "correct horse battery staple"
FAST = ("--power-kw=60", "--speed=60", "--interval=0.2")
TIMEOUT_S, POLL_S = 60, 0.5
PRICE = Decimal("12.50")


class House:
    """One station and one driver, alice, with 1,000 and a card, on a server that tests share."""

    numbers = itertools.count(1)

    def __init__(self, server):
        self.server = server
        number = next(self.numbers)
        self.station_id, self.card = f"S-{number}", f"CARD-{number}"
        self.staff = server.staff
        register = {"email": f"alice-{number}@example.org", "password": PASSWORD}
        self.user_id = self.post(None, "/auth/register", register)["id"]
        self.alice = self.log_in(register["email"])
        station = {"station_id": self.station_id, "connectors": 1, "key": KEY}
        self.post(self.staff, "/ocpp/stations", station)
        self.post(self.staff, "/ocpp/id_tags", {"id_tag": self.card, "user_id": self.user_id})
        top_up = {"amount": "1000", "provider": "manual", "user_id": self.user_id}
        self.post(self.staff, "/billing/topups", top_up)

    def log_in(self, username):
        body = {"username": username, "password": PASSWORD}
        return self.post(None, "/auth/login", body)["token"]

    def post(self, token, path, body):
        answer = httpx.post(
            self.server.base_url + path, json=body, headers=bearer(token), timeout=TIMEOUT_S
        )
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, token, path):
        answer = httpx.get(self.server.base_url + path, headers=bearer(token), timeout=TIMEOUT_S)
        assert answer.is_success, answer.text
        return answer.json()

    def simulate(self, *arguments):
        return subprocess.Popen(
            [
                *(sys.executable, "manage.py", "simulate", "--timeout=60", *FAST),
                f"--url=ws://127.0.0.1:{self.server.port}",
                *arguments,
            ],
            cwd=ROOT,
            env=self.server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def play(self, scenario, *arguments):
        """Let this house's station play a scenario."""
        who = (f"--station-id={self.station_id}", f"--key={KEY}")
        return self.simulate(*who, f"--scenario={scenario}", *arguments)

    def wait_for_station(self):
        self.wait_for_status("Available")

    def wait_for_status(self, status):
        self.wait_for(
            f"/ocpp/stations/{self.station_id}",
            lambda found: found["online"] and found["connectors"][0]["status"] == status,
        )

    def wait_for(self, path, is_true, token=None):
        """Return what is there once it is true."""
        deadline = time.monotonic() + 120
        while not is_true(found := self.get(token or self.staff, path)):
            assert time.monotonic() < deadline, found
            time.sleep(POLL_S)
        return found

    def ask_station(self, action, payload):
        path = f"/ocpp/stations/{self.station_id}/commands"
        self.post(self.staff, path, {"action": action, "payload": payload, "reason": "a test"})

    def start_charge(self, **limit):
        return self.post(self.alice, "/ocpp/start_charge", {"station_id": self.station_id, **limit})

    def check_the_only_session(self, *, energy_kwh=None):
        """One session, settled: its energy at 12.50 was paid, and nothing is on hold."""
        (session,) = self.get(self.alice, "/ocpp/sessions")["results"]
        assert session["status"] == "completed", session
        cost = Decimal(session["cost"])
        if energy_kwh is not None:
            assert session["energy_kwh"] == energy_kwh
        total = (Decimal(session["energy_kwh"]) * Decimal("12.50")).quantize(Decimal("0.01"))
        assert cost > 0
        assert abs(total - Decimal(session["bill"]["total"])) <= Decimal("0.01")
        balance = self.get(self.alice, "/billing/balance")
        assert Decimal(balance["balance"]) == 1000 - cost
        assert balance["held"] == "0.00"
        assert "Clean." in self.server.manage("reconcile")
        return session


@contextlib.contextmanager
def open_town(directory, **more):
    """A server with an operator, olga, and a price; `staff` is her token."""
    settings = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "CSMS_PROVISION": "false", **more}
    with ServerProcess.on_sqlite(directory, **settings) as server:
        server.manage("createsuperuser", "--noinput", "--username=olga", "--email=olga@x.org")
        login = {"username": "olga", "password": PASSWORD}
        answer = httpx.post(f"{server.base_url}/auth/login", json=login)
        server.staff = answer.json()["token"]
        tariff = {"price_per_kwh": str(PRICE), "currency": "KGS"}
        answer = httpx.post(
            f"{server.base_url}/ocpp/tariffs", json=tariff, headers=bearer(server.staff)
        )
        assert answer.is_success, answer.text
        yield server


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token else {}
