"""Backup and restore on the real thing: charges run, the server dies, and the backup goes on.

A charge runs at S-1 when the backup is made; another begins at S-2 afterwards, which the restored
database has never heard of.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import threading
import time
import urllib.parse
import uuid
from decimal import Decimal

import psycopg
import pytest

from billing.energy import to_wh
from billing.money import to_minor
from config.tests.server import ServerProcess
from conftest import IS_CI, POSTGRES
from stations.tests.test_simulator_server import KEY, PASSWORD, House

pytestmark = pytest.mark.e2e
SETTINGS = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "CSMS_PROVISION": "false"}
WITHIN_S = 120


class SqliteKeeper:
    """Backs up by our command, restores by putting the two files in place."""

    def __init__(self, directory):
        self.directory = directory
        self.server = ServerProcess.on_sqlite(directory, **SETTINGS)
        del self.server.environment["SECRET_KEY"]  # so that it makes its own

    def back_up(self):
        self.server.manage("backup", str(self.directory / "backup.sqlite3"))

    def restore(self):
        place = self.directory / "restored"
        place.mkdir()
        for suffix in ("", ".secret"):
            shutil.copy(
                self.directory / f"backup.sqlite3{suffix}", place / f"kubat.sqlite3{suffix}"
            )
        self.server.environment["DATABASE_URL"] = f"sqlite:///{place / 'kubat.sqlite3'}"


class PostgresKeeper:
    """Backs up by pg_dump, restores by pg_restore into a new database."""

    def __init__(self, directory, databases):
        self.dump = directory / "kubat.dump"
        self.url = databases.enter_context(new_database())
        self.restored_url = databases.enter_context(new_database())
        self.server = ServerProcess(
            database_url=self.url, directory=directory, CSMS_EMBEDDED_WORKER="true", **SETTINGS
        )
        self.server.manage("migrate", "-v0")

    def back_up(self):
        run("pg_dump", "-Fc", f"--file={self.dump}", self.url)

    def restore(self):
        run("pg_restore", "--exit-on-error", "--no-owner", "-d", self.restored_url, str(self.dump))
        self.server.environment["DATABASE_URL"] = self.restored_url


@contextlib.contextmanager
def new_database():
    name = f"kubat_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield urllib.parse.urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def keeper(request, tmp_path):
    with contextlib.ExitStack() as databases:
        if request.param == "sqlite":
            keeper = SqliteKeeper(tmp_path)
        else:
            if shutil.which("pg_dump") is None:
                (pytest.fail if IS_CI else pytest.skip)("there is no pg_dump")
            keeper = PostgresKeeper(tmp_path, databases)
        with keeper.server:
            yield keeper


class Town(House):
    """The house with a second station, both played by processes that reconnect by themselves."""

    def __init__(self, server, directory, processes):
        super().__init__(server)
        self.directory = directory
        self.post(self.staff, "/ocpp/stations", {"station_id": "S-2", "connectors": 2, "key": KEY})
        for name, connectors in (("S-1", 1), ("S-2", 2)):
            arguments = (f"--station-id={name}", f"--key={KEY}", f"--connectors={connectors}")
            slowly = ("--speed=6", "--interval=1", "--timeout=900", "--scenario=stay")
            memory = f"--memory={directory / name}"
            process = processes.enter_context(self.simulate(*arguments, *slowly, memory))
            processes.callback(process.kill)

    def wait(self, is_so):
        deadline = time.monotonic() + WITHIN_S
        while not is_so():
            assert time.monotonic() < deadline, self.story()
            time.sleep(0.5)

    def story(self):
        """What there is to see when a wait was in vain."""
        sessions = self.get(self.staff, "/ocpp/sessions")["results"]
        return f"{self.server.log}\n{json.dumps(sessions, indent=1)}\n{self.ask(EVENTS)}"

    def is_free(self, station_id, connector_id=1):
        station = self.get(self.staff, f"/ocpp/stations/{station_id}")
        status = {row["connector_id"]: row["status"] for row in station["connectors"]}
        return station["online"] and status.get(connector_id) == "Available"

    def begin(self, station_id, connector_id=1):
        """Start a charge that would last for minutes, and wait until energy flows."""
        self.wait(lambda: self.is_free(station_id, connector_id))
        place = {"station_id": station_id, "connector_id": connector_id}
        session = self.start_charge(**place, limit_type="amount", limit_value="400")
        self.wait(lambda: self.energy_of(session) > 0)
        return self.look(session)

    def look(self, session):
        return self.get(self.staff, f"/ocpp/sessions/{session['id']}")

    def energy_of(self, session):
        return Decimal(self.look(session)["energy_kwh"])

    def finish(self, session):
        self.post(self.alice, "/ocpp/stop_charge", {"session_id": session["id"]})
        self.wait(lambda: self.look(session)["status"] == "completed")
        return self.look(session)

    def register_wh(self, station_id, connector_id=1):
        """What the meter shows: whole watt-hours."""
        memory = json.loads((self.directory / station_id).read_text())
        return int(Decimal(memory["registers_wh"][str(connector_id)]))

    def ask(self, code):
        """Ask the database itself."""
        said = self.server.manage("shell", "-v0", "-c", f"print({code})")
        return said.strip()


@pytest.fixture
def town(keeper, tmp_path):
    with contextlib.ExitStack() as processes:
        yield Town(keeper.server, tmp_path, processes)


MODELS = "__import__('sessions_app.models').models"
ORPHANS = f"sorted({MODELS}.Orphan.objects.values_list('kind'))"
EVENTS = f"list({MODELS}.SessionEvent.objects.values_list('at', 'to_status', 'kind', 'detail'))"


def test_a_backup_goes_on_where_the_charges_are(keeper, town):
    known = town.begin("S-1")
    keeper.back_up()
    unknown = town.begin("S-2")
    town.post(
        town.staff,
        "/billing/topups",
        {"amount": "50", "provider": "manual", "user_id": town.user_id},
    )
    town.wait(lambda: town.energy_of(known) > Decimal(known["energy_kwh"]) + Decimal("0.2"))
    at_crash = town.energy_of(known)

    keeper.server.kill()
    keeper.restore()
    said = keeper.server.manage("after_restore")
    assert "1 running sessions are marked" in said
    keeper.server.manage("reconcile")
    keeper.server.start()

    town.wait(lambda: town.energy_of(known) > at_crash)
    ended = town.finish(known)
    assert_billed_by_meter(ended, town.register_wh("S-1"))
    fresh = town.begin("S-2", connector_id=2)
    assert fresh["transaction_id"] > 1_000_000 > unknown["transaction_id"]
    stop = {"action": "RemoteStopTransaction"}
    stop["payload"] = {"transactionId": unknown["transaction_id"]}
    town.post(town.staff, "/ocpp/stations/S-2/commands", stop)
    town.wait(lambda: town.is_free("S-2"))
    town.wait(lambda: "stop" in town.ask(ORPHANS))
    assert town.ask(ORPHANS) == "[('readings',), ('stop',)]"
    assert town.look(fresh)["status"] == "charging", "another's stop is not its own"
    last = town.finish(fresh)
    assert_billed_by_meter(last, town.register_wh("S-2", 2))

    balance = town.get(town.alice, "/billing/balance")
    paid = Decimal(ended["cost"]) + Decimal(last["cost"])
    assert Decimal(balance["balance"]) == 1000 - paid, "the top-up of 50 is lost with the crash"
    assert balance["held"] == "0.00"
    keeper.server.manage("reconcile")


def assert_billed_by_meter(session, register_wh):
    """The register began at 0 with this charge; 12.50 a kWh is 1.25 tyiyn a Wh, half up.

    On a slow machine a stop is asked for again, and who asked first is forgotten when the station
    refuses what it has done already.
    """
    assert session["stop_reason"] in ("driver", "Remote")
    assert to_wh(Decimal(session["energy_kwh"])) == register_wh
    assert to_minor(Decimal(session["cost"])) == (register_wh * 5 + 2) // 4


# --- The command ---------------------------------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path):
    """A migrated SQLite database that nobody serves."""
    keeper = SqliteKeeper(tmp_path)
    keeper.server.manage("migrate", "-v0")
    return keeper


def users_in(database):
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT count(*) FROM billing_user").fetchone()[0]


def test_a_backup_is_of_one_moment_and_holds_up_no_writer(sqlite, tmp_path):
    """While it copies, users come in; it has none of a later one without an earlier one."""
    source = tmp_path / "kubat.sqlite3"
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE pairs (one INTEGER, other INTEGER, filler BLOB)")
        connection.execute(
            "INSERT INTO pairs WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
            "WHERE i < 20000) SELECT i, i, randomblob(1000) FROM n"
        )
    stop, longest = threading.Event(), []
    writer = threading.Thread(target=write_pairs, args=(source, stop, longest))
    writer.start()
    try:
        sqlite.back_up()
    finally:
        stop.set()
        writer.join(20)
    with contextlib.closing(sqlite3.connect(tmp_path / "backup.sqlite3")) as copy:
        ones, others, rows = copy.execute(
            "SELECT sum(one), sum(other), count(*) FROM pairs"
        ).fetchone()
    assert ones == others
    assert 20_000 <= rows < 20_000 + 2 * len(longest)
    assert max(longest) < 1


def write_pairs(database, stop, longest):
    """Write two rows a transaction that are right only together; note how long each took."""
    with contextlib.closing(sqlite3.connect(database, timeout=20)) as connection:
        while not stop.is_set():
            began = time.monotonic()
            with connection:
                connection.execute("INSERT INTO pairs VALUES (1, 0, NULL)")
                connection.execute("INSERT INTO pairs VALUES (0, 1, NULL)")
            longest.append(time.monotonic() - began)
            stop.wait(0.002)


def test_a_backup_and_its_secret_are_for_own_eyes(sqlite, tmp_path):
    sqlite.back_up()
    for name in ("backup.sqlite3", "backup.sqlite3.secret"):
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600
    secrets = [(tmp_path / f"{name}.sqlite3.secret").read_text() for name in ("kubat", "backup")]
    assert secrets[0] == secrets[1]
    assert users_in(tmp_path / "backup.sqlite3") == 0


@pytest.mark.parametrize(
    ("name", "text"), [("backup.sqlite3", "exists"), ("no/where.sqlite3", "No backup was made")]
)
def test_what_cannot_be_written_is_one_line(sqlite, tmp_path, name, text):
    sqlite.back_up()
    before = (tmp_path / "backup.sqlite3").read_bytes()
    with pytest.raises(AssertionError, match=text):
        sqlite.server.manage("backup", str(tmp_path / name))
    assert (tmp_path / "backup.sqlite3").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_on_postgresql_it_names_the_tool_that_does_it(tmp_path):
    server = ServerProcess(database_url="postgres://nobody@127.0.0.1:1/none", directory=tmp_path)
    with pytest.raises(AssertionError, match="pg_dump"):
        server.manage("backup", str(tmp_path / "backup"))
