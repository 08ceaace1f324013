"""docker-compose.yml as it runs: its commands as plain processes, behind the real proxy.

PostgreSQL, Redis, migrate, keys, two gateways, a worker and nginx, in this order; then charges
over TLS (security profiles 2 and 3), a gateway that is killed, one that is added, and the end.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from decimal import Decimal

import httpx
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from config.tests.cluster import OWNER, Postgres, Redis, find_postgres, wait_until
from config.tests.compose import Compose
from config.tests.crowd import Keeper, LightStation, expect
from config.tests.proxy import Proxy, private_pem
from config.tests.server import ROOT, free_port
from config.tests.street import BOOT, Charge, ok
from conftest import IS_CI, PASSWORD

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.nginx,
]

KEY = "a-key-of-the-tests"
FIRST, SECOND, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"
WATCHED = {"postgres", "redis", "gateway", "worker", "proxy"}
NAMES_KEPT_S = 3
"""nginx counts the 2 s that it believes an answer in whole seconds: they may last nearly 3 s."""
FAST = ("--power-kw=60", "--speed=4", "--interval=1", "--energy-kwh=900")


class House:
    """All services of the compose file, and those who use them through its proxy."""

    def __init__(self, directory, parts):
        self.parts = parts
        self.port = free_port()
        variables = {
            "SECRET_KEY": "a key of the tests",
            "ALLOWED_HOSTS": "127.0.0.1",
            "POSTGRES_PASSWORD": "secret",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        variables |= {name: os.environ[name] for name in ("CSMS_SERVER",) if name in os.environ}
        self.compose = compose = Compose(directory, variables)
        self.postgres = parts.enter_context(Postgres(compose.services["postgres"]["command"]))
        self.redis = parts.enter_context(Redis(compose.services["redis"]["command"]))
        self.make_database()
        compose.places |= {
            "@postgres:5432": f"@127.0.0.1:{self.postgres.port}",
            "@postgres:": f"@127.0.0.1:{self.postgres.port}:",
            "--port=5432": f"--port={self.postgres.port}",
            "redis:6379": f"127.0.0.1:{self.redis.port}",
            "6379": str(self.redis.port),
        }
        parts.callback(compose.kill_all)
        for once in ("migrate", "keys"):
            compose.run(once)
        for address in (FIRST, SECOND):
            self.start_gateway(address)
        compose.start("worker", "worker")
        keys = directory / "lib/tls"
        self.proxy = parts.enter_context(
            Proxy(directory / "nginx", server_port=self.port, keys=keys)
        )
        self.name(FIRST, SECOND)
        compose.places["127.0.0.1:8181"] = f"127.0.0.1:{self.proxy.health_port}"
        for address in (FIRST, SECOND):
            wait_until(lambda address=address: self.is_serving(address))

    def make_database(self):
        environment = self.compose.environment("postgres")
        assert environment["POSTGRES_USER"] == OWNER
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {environment['POSTGRES_DB']}")

    def start_gateway(self, address):
        self.compose.start("gateway", address, f"--host={address}", f"--port={self.port}")

    def is_serving(self, address):
        return self.compose.is_healthy("gateway", **{"127.0.0.1:8180": f"{address}:{self.port}"})

    def name(self, *addresses):
        """Let the engine's name server know these gateways."""
        self.proxy.names.addresses["gateway"] = list(addresses)

    def client(self, username=None):
        """An app that speaks HTTPS through the proxy and trusts the root that `keys` made."""
        client = httpx.Client(
            base_url=self.proxy.base_url, verify=self.proxy.tls(), trust_env=False, timeout=60
        )
        self.parts.callback(client.close)
        if username is not None:
            login = {"username": username, "password": PASSWORD}
            token = ok(client.post("/auth/login", json=login))["token"]
            client.headers["Authorization"] = f"Bearer {token}"
        return client

    def furnish(self):
        """olga, alice with 1,000 som, a price, and a station for each profile."""
        self.compose.run(
            "gateway", "createsuperuser", "--noinput", "--username=olga", "--email=olga@example.org"
        )
        person = {"email": "alice@example.org", "password": PASSWORD}
        alice_id = ok(self.client().post("/auth/register", json=person))["id"]
        self.olga, self.alice = self.client("olga"), self.client("alice@example.org")
        top_up = {"amount": "1000.00", "provider": "manual", "user_id": alice_id}
        ok(self.olga.post("/billing/topups", json=top_up))
        price = {"price_per_kwh": "12.50", "currency": "KGS"}
        ok(self.olga.post("/ocpp/tariffs", json=price))
        for station_id in ("P-2", "P-3"):
            body = {"station_id": station_id, "security_profile": 2, "key": KEY}
            ok(self.olga.post("/ocpp/stations", json=body))

    def simulate(self, station_id):
        """A simulated station on profile 2, which comes back by itself."""
        root = {"SSL_CERT_FILE": str(self.proxy.keys / "stations.pem")}
        process = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "simulate", "--scenario=stay", *FAST),
                *(f"--url={self.proxy.base_url.replace('https', 'wss')}", f"--key={KEY}"),
                f"--station-id={station_id}",
            ],
            cwd=ROOT,
            env=self.compose.environment("gateway") | root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.parts.callback(process.wait)
        self.parts.callback(process.kill)

    def begin(self, station_id):
        order = {"station_id": station_id, "limit_type": "amount", "limit_value": "400"}
        return ok(self.alice.post("/ocpp/start_charge", json=order))["id"]

    def look(self, session_id):
        return ok(self.olga.get(f"/ocpp/sessions/{session_id}"))

    def energy_kwh(self, session_id):
        return Decimal(self.look(session_id)["energy_kwh"])

    def is_free(self, station_id):
        station = ok(self.olga.get(f"/ocpp/stations/{station_id}"))
        statuses = {row["connector_id"]: row["status"] for row in station["connectors"]}
        return station["online"] and statuses.get(1) in ("Available", "Preparing")

    def readings_of(self, session_id):
        with psycopg.connect(self.compose.environment("gateway")["DATABASE_URL"]) as connection:
            query = "SELECT count(*) FROM sessions_app_reading WHERE session_id = %s"
            return connection.execute(query, [session_id]).fetchone()[0]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    if find_postgres() is None:
        (pytest.fail if IS_CI else pytest.skip)("there are no programs of PostgreSQL")
    with contextlib.ExitStack() as parts:
        house = House(tmp_path_factory.mktemp("compose"), parts)
        house.furnish()
        yield house


def test_every_part_is_watched_and_well(house):
    for service in WATCHED - {"gateway"}:
        wait_until(lambda service=service: house.compose.is_healthy(service))
    assert ok(house.client().get("/readyz"))["parts"].keys() >= {
        "database",
        "migrations",
        "redis",
        "worker",
    }


def test_the_key_of_the_proxy_was_made_here_and_is_read_by_its_owner_only(house):
    key = house.proxy.keys / "server.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert "BEGIN" not in (ROOT / "docker-compose.yml").read_text()


async def certified(house, station_id):
    """A client's TLS with the certificate that a station asked for over profile 2, and got."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, station_id)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    csr = request.public_bytes(serialization.Encoding.PEM).decode()
    station = await LightStation.open(house.proxy.url(station_id), KEY, tls=house.proxy.tls())
    await station.call("1", "BootNotification", BOOT)
    await station.call("2", "SignCertificate", {"csr": csr})
    signed = await expect(station.asked, "CertificateSigned")
    station.abort()
    path = house.compose.directory / f"{station_id}.pem"
    path.write_text(signed["certificateChain"] + private_pem(key))
    return house.proxy.tls(path)


async def until(is_so, *arguments):
    """Wait for what another thread asks the API."""
    await asyncio.to_thread(wait_until, lambda: is_so(*arguments))


async def rename(house, *addresses):
    """Let the name server say something else, and no worker of the proxy remember what it said.

    While it waits no request is under way, so that no older answer is either.
    """
    house.name(*addresses)
    await asyncio.sleep(NAMES_KEPT_S)


async def test_charges_over_tls_outlive_the_gateway_that_held_them(house):
    """Profile 2 by the simulator, profile 3 by a certificate of ours; the dead one stays named."""
    await rename(house, FIRST)
    tls = await certified(house, "P-3")
    keeper = Keeper(house.proxy.url("P-3"), tls=tls)
    charge = Charge(keeper, every_s=0.5)
    await charge.boot()
    house.simulate("P-2")
    await until(house.is_free, "P-2")
    simulated = await asyncio.to_thread(house.begin, "P-2")
    certain = await asyncio.to_thread(house.begin, "P-3")
    await charge.begin_when_asked()
    for session_id in (simulated, certain):
        await until(lambda session_id=session_id: house.energy_kwh(session_id) > 0)

    await rename(house, FIRST, SECOND)
    house.compose.kill(FIRST)
    before = [await asyncio.to_thread(house.energy_kwh, each) for each in (simulated, certain)]
    for session_id, energy in zip((simulated, certain), before, strict=True):
        await until(lambda each=session_id, energy=energy: house.energy_kwh(each) > energy)
    assert len(keeper.closes) == 1

    for session_id in (simulated, certain):
        body = {"session_id": session_id}
        ok(await asyncio.to_thread(house.alice.post, "/ocpp/stop_charge", json=body))
    await expect(keeper.asked, "RemoteStopTransaction")
    await charge.end()
    for session_id in (simulated, certain):
        await until(lambda each=session_id: house.look(each)["status"] == "completed")
    await keeper.stop()
    charge.see_kept()

    paid = house.look(certain)
    assert Decimal(paid["energy_kwh"]) * 1000 == charge.register_wh - 1000
    assert Decimal(paid["cost"]) == Decimal(paid["energy_kwh"]) * Decimal("12.50")
    assert house.readings_of(certain) == charge.readings
    spent = sum(Decimal(house.look(each)["cost"]) for each in (simulated, certain))
    balance = ok(house.alice.get("/billing/balance"))
    assert Decimal(balance["balance"]) == 1000 - spent
    assert Decimal(balance["held"]) == 0
    assert "Clean." in house.compose.run("gateway", "reconcile")


def test_a_gateway_at_a_new_address_is_found(house):
    """What scaling and restarting do: pages and sockets come to it once the engine names it."""
    house.start_gateway(THIRD)
    wait_until(lambda: house.is_serving(THIRD))
    house.name(THIRD)
    house.compose.stop("gateway", SECOND)
    wait_until(lambda: house.client().get("/healthz").status_code == 200, 10)
    wait_until(lambda: house.is_free("P-2"))


def test_every_part_ends_within_its_grace_and_its_check_says_so(house):
    """From the proxy down to the rows."""
    compose = house.compose
    house.proxy.process.terminate()  # SIGQUIT waits for its sockets until the engine kills it
    house.proxy.process.wait(compose.grace_s("proxy"))
    assert not compose.is_healthy("proxy")

    assert compose.is_healthy("worker")
    os.utime(compose.places["/tmp/worker.alive"], (0, 0))
    assert not compose.is_healthy("worker"), "its lease is old"
    assert compose.stop("worker", "worker") == 0
    assert not compose.is_healthy("worker")

    assert compose.stop("gateway", THIRD) == 0
    assert not house.is_serving(THIRD)
    house.redis.stop()
    assert not compose.is_healthy("redis")
    house.postgres.freeze()
    assert not compose.is_healthy("postgres")
    house.postgres.thaw()
    assert house.postgres.stop() == 0
    assert not compose.is_healthy("postgres")
