"""Each scenario of the simulator, as a command, against a real server: the bill must be right."""

import asyncio
import itertools
import subprocess
import sys
import time
from decimal import Decimal

import httpx
import pytest

from config.tests.server import ROOT, ServerProcess
from stations.simulator.connector import Setup
from stations.simulator.fleet import play
from stations.simulator.quirks import METERS, PLAIN_METER
from stations.simulator.scenarios import SCENARIOS
from stations.simulator.station import SimulatedStation

pytestmark = pytest.mark.e2e

KEY = "a-key-of-the-tests"
PASSWORD = "correct horse battery staple"
FAST = ("--power-kw=60", "--speed=60", "--interval=0.2")


class House:
    """One station and one driver, alice, with 1,000 and a card, on a server that tests share."""

    numbers = itertools.count(1)

    def __init__(self, server):
        self.server = server
        number = next(self.numbers)
        self.station_id, self.card = f"S-{number}", f"CARD-{number}"
        self.staff = self.log_in("olga")
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
        answer = httpx.post(self.server.base_url + path, json=body, headers=bearer(token))
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, token, path):
        answer = httpx.get(self.server.base_url + path, headers=bearer(token))
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
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            station = self.get(self.staff, f"/ocpp/stations/{self.station_id}")
            if station["online"] and station["connectors"][0]["status"] == "Available":
                return
            time.sleep(0.1)
        raise AssertionError(self.server.log)

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
        self.server.manage("reconcile")
        return session


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    settings = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "CSMS_PROVISION": "false"}
    directory = tmp_path_factory.mktemp("server")
    with ServerProcess.on_sqlite(directory, **settings) as process:
        process.manage("createsuperuser", "--noinput", "--username=olga", "--email=olga@x.org")
        house = House(process)
        house.post(house.staff, "/ocpp/tariffs", {"price_per_kwh": "12.50", "currency": "KGS"})
        yield process


@pytest.fixture
def house(server):
    return House(server)


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


def finish(process):
    said, complaint = process.communicate(timeout=90)
    assert process.returncode == 0, said + complaint
    assert "went through: 1 charge, " in said
    return said


def test_plain_charges_to_the_limit_of_an_app(house):
    process = house.play("plain")
    house.wait_for_station()
    house.start_charge(limit_type="energy", limit_value="2")
    finish(process)
    session = house.check_the_only_session()
    assert session["stop_reason"] == "limit"
    assert Decimal(2) <= Decimal(session["energy_kwh"]) < Decimal("2.6")
    assert session["cost"] == "25.00", "never more than the hold"


def test_local_start_charges_the_owner_of_the_card_until_the_car_is_full(house):
    finish(house.play("local-start", f"--tag={house.card}", "--energy-kwh=2"))
    session = house.check_the_only_session(energy_kwh="2.000")
    assert session["cost"] == "25.00"


def test_reply_lost_charges_once(house):
    said = finish(house.play("reply-lost", f"--tag={house.card}", "--energy-kwh=2"))
    assert "lost the reply to StartTransaction" in said
    assert "lost the reply to StopTransaction" in said
    session = house.check_the_only_session(energy_kwh="2.000")
    assert session["cost"] == "25.00"


def test_power_failure_with_a_card_is_billed_from_what_was_queued(house):
    said = finish(house.play("power-failure", f"--tag={house.card}"))
    assert "the power fails" in said
    assert house.check_the_only_session()["stop_reason"] == "PowerLoss"


def test_power_failure_after_a_remote_start_is_billed_once(house):
    process = house.play("power-failure")
    house.wait_for_station()
    house.start_charge(limit_type="full")
    finish(process)
    assert house.check_the_only_session()["stop_reason"] == "PowerLoss"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--scenario=plain", "--key=wrong-key"), "401: the key is wrong"),
        (("--scenario=plain", "--station-id=S-unknown"), "404: the station is not registered"),
        (("--scenario=local-start",), "needs a tag"),
        (("--scenario=local-start", "--tag=NOBODY"), "the tag NOBODY is Invalid"),
    ],
)
def test_refusals_are_one_line_and_exit_1(house, arguments, text):
    process = house.play("plain", *arguments)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert complaint.count("\n") == 1, complaint
    assert text in complaint


def test_a_fleet_starts_side_by_side(house):
    for number in (1, 2, 3):
        body = {"station_id": f"F-{number}", "connectors": 1, "key": KEY}
        house.post(house.staff, "/ocpp/stations", body)
    house.post(house.staff, "/ocpp/id_tags", {"id_tag": "OPERATOR"})
    process = house.simulate(
        *("--count=3", "--station-id=F-{n}", f"--key={KEY}", "--energy-kwh=1"),
        *("--scenario=local-start", "--tag=OPERATOR"),
    )
    said, complaint = process.communicate(timeout=90)
    assert process.returncode == 0, complaint
    assert "went through: 3 charges, 3.000 kWh" in said
    for number in (1, 2, 3):
        path = f"/ocpp/sessions?station_id=F-{number}"
        (session,) = house.get(house.staff, path)["results"]
        assert (session["energy_kwh"], session["cost"]) == ("1.000", "0.00")


BY_CARD = (
    "cached-tag",
    "reconnect",
    "offline",
    "clock-1970",
    "double-stop",
    "no-transaction-id",
    "wh-labelled-kwh",
    "kwh-labelled-wh",
    "phases",
    "meter-stop-zero",
    "meter-stop-kwh",
    "per-transaction-register",
    "empty-sampled-value",
    "disorder",
    "jump",
)


async def play_side_by_side(houses):
    return await asyncio.gather(*(play_by_card(house, name) for name, house in houses.items()))


async def play_by_card(house, name):
    """Play a scenario, or an ordinary charge with an odd meter."""
    setup = Setup(
        url=f"ws://127.0.0.1:{house.server.port}",
        station_id=house.station_id,
        key=KEY,
        speed=Decimal(60),
        interval_s=Decimal("0.2"),
        car_needs_wh=Decimal(2000),
        meter=METERS.get(name, PLAIN_METER),
    )
    scenario = SCENARIOS.get(name, SCENARIOS["local-start"])
    station = SimulatedStation(setup)
    (outcome,) = await play([station], scenario, id_tag=house.card, timeout_s=60)
    return outcome


@pytest.fixture(scope="module")
def by_card(server):
    """Every story in which a card charges 2 kWh, played side by side: (house, outcome) by name."""
    houses = {name: House(server) for name in BY_CARD}
    outcomes = asyncio.run(play_side_by_side(houses))
    return dict(zip(BY_CARD, zip(houses.values(), outcomes, strict=True), strict=True))


@pytest.mark.parametrize("name", BY_CARD)
def test_a_card_pays_for_2_kwh_whatever_the_station_does(by_card, name):
    house, outcome = by_card[name]
    assert outcome.error is None
    session = house.check_the_only_session(energy_kwh="2.000")
    assert session["cost"] == "25.00"
