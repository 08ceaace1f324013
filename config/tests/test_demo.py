"""The demonstration as a reader starts it: real processes, and what they print."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from decimal import Decimal

import httpx
import pytest

from config.demo import story
from config.demo.client import ApiError, Client
from config.tests.server import ROOT, ServerProcess, free_port

pytestmark = pytest.mark.e2e


class Demo:
    """`manage.py demo` on a database of its own, again and again."""

    def __init__(self, directory):
        self.directory = directory
        self.database = directory / "demo.sqlite3"
        self.port = free_port()

    def start(self, *arguments, **environment):
        return subprocess.Popen(
            [sys.executable, "manage.py", "demo", f"--port={self.port}", *arguments],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": f"sqlite:///{self.database}", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def log(self):
        return "".join(file.read_text() for file in self.directory.glob("*.log"))

    def is_port_free(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0


@pytest.fixture
def demo(tmp_path):
    return Demo(tmp_path)


def amount(said, label):
    return Decimal(re.search(rf"^  {label} .*?(-?[\d.]+) KGS$", said, re.MULTILINE)[1])


def is_running(group):
    """Whether a process of this group is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


def wait_for(process, text):
    said = ""
    for line in process.stdout:
        said += line
        if re.search(text, line):
            return said
    raise AssertionError(said)


def test_once_settles_one_charge_and_leaves_nothing_running(demo):
    process = demo.start("--once")
    said, _ = process.communicate(timeout=150)
    assert process.returncode == 0, said + demo.log
    assert "\nsettled\n" in said
    assert amount(said, "balance before") == 1000
    paid = amount(said, "paid")
    assert 470 <= paid <= 500
    assert amount(said, "total as priced") >= paid
    assert amount(said, "balance after") == 1000 - paid
    assert len(re.findall(r"^  charging .* of the hold left$", said, re.MULTILINE)) > 5
    assert not is_running(process.pid)
    assert demo.is_port_free()


def test_a_start_after_a_kill_ends_the_old_charge_charges_anew_and_serves_until_it_is_ended(demo):
    killed = demo.start("--once")
    wait_for(killed, r"^  charging +[1-9]")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=60)

    process = demo.start()
    said = wait_for(process, "^Ctrl-C ends it")
    driver = Client(f"http://127.0.0.1:{demo.port}").log_in(*story.DRIVER)
    new, old = driver.get("/ocpp/sessions")["results"]
    assert (old["status"], old["stop_reason"]) == ("completed", "PowerLoss")
    assert (new["status"], new["stop_reason"]) == ("completed", "limit")
    assert 0 < Decimal(old["cost"]) < 500
    assert amount(said, "balance before") == 1000 - Decimal(old["cost"])
    assert amount(said, "balance after") == 1000 - Decimal(old["cost"]) - Decimal(new["cost"])

    story.wait("freeing", lambda: story.is_station_ready(driver), children=())
    driver.post("/ocpp/start_charge", station_id=story.STATION_ID, limit_type="full")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert not is_running(process.pid)
    assert demo.is_port_free()


def test_a_port_in_use_is_said_in_one_line(demo):
    with socket.socket() as other:
        other.bind(("127.0.0.1", demo.port))
        other.listen()
        process = demo.start("--once")
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {demo.port} is in use" in said
    assert said.count("\n") == 1


def test_another_server_on_its_database_is_the_reason_that_it_gives(demo, tmp_path):
    server = ServerProcess(database_url=f"sqlite:///{demo.database}", directory=tmp_path / "other")
    (tmp_path / "other").mkdir()
    with server:
        process = demo.start("--once")
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the server ended" in said
    assert "Another serve is running" in said


def test_it_refuses_a_database_that_may_hold_real_money(demo):
    process = demo.start(
        "--once", DATABASE_URL="postgres://nobody@127.0.0.1:1/none", SECRET_KEY="x"
    )
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "keeps to a SQLite database" in said


def test_an_error_of_the_api_is_told_with_its_code(tmp_path):
    with ServerProcess.on_sqlite(tmp_path) as server:
        with pytest.raises(ApiError, match="POST /auth/login was answered with 401") as error:
            Client(server.base_url).log_in("nobody", "nothing")
        answer = httpx.post(
            f"{server.base_url}/auth/login", json={"username": "nobody", "password": "nothing"}
        )
    assert error.value.code == answer.json()["code"]


def test_the_wallet_is_filled_to_1000_only_when_less_than_one_charge_is_left(tmp_path):
    username, password = story.OPERATOR
    with ServerProcess.on_sqlite(tmp_path, DJANGO_SUPERUSER_PASSWORD=password) as server:
        server.manage("createsuperuser", "--noinput", f"--username={username}", "--email=o@x.org")
        people = story.log_in_people(Client(server.base_url))

        people.operator.post(
            "/billing/topups", provider="manual", user_id=people.driver_id, amount="499.99"
        )
        for _ in range(2):
            story.fill_wallet(people)
            assert people.driver.get("/billing/balance")["available"] == "1000.00"
        assert people.driver.get("/billing/transfers")["count"] == 2
