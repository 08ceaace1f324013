"""PostgreSQL and Redis for the benchmarks: servers of their own where the programs are there."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from . import process_facts
from .servers import ServerFailed, free_port

START_S = 120
OTHERWISE_POSTGRES = os.environ.get(
    "KUBAT_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres"
)
OTHERWISE_REDIS = os.environ.get("KUBAT_TEST_REDIS", "redis://127.0.0.1:6379/15")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL server, and the process whose children do its work."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """CPU time of all its processes: backends, writers and the rest."""
        return process_facts.family_cpu_s(self.pid)

    @contextlib.contextmanager
    def database(self, *, like: str = "template1") -> Iterator[str]:
        """The address of a new database, a copy of the one that is named."""
        name = f"kubat_bench_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}".encode())
        try:
            yield urllib.parse.urlsplit(self.url)._replace(path=f"/{name}").geturl()
        finally:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def version(self) -> str:
        with psycopg.connect(self.url) as connection:
            return str(connection.info.server_version // 10_000)


@contextlib.contextmanager
def postgres() -> Iterator[Postgres | None]:
    """A new cluster with PostgreSQL's own defaults, else the one that answers here, else None."""
    initdb = _postgres_program("initdb")
    if initdb is None:
        yield _reachable_postgres()
        return
    with tempfile.TemporaryDirectory(prefix="kubat-bench-postgres-") as place:
        owner = _give(Path(place))
        data, log = Path(place) / "data", Path(place) / "log"
        options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale"]
        subprocess.run(
            [initdb, "-D", str(data), *options], check=True, capture_output=True, user=owner
        )
        with _cluster(Path(initdb).with_name("postgres"), data, log, owner) as server:
            yield server


@contextlib.contextmanager
def _cluster(program: Path, data: Path, log: Path, owner: str | None) -> Iterator[Postgres]:
    port = free_port()
    options = ["-D", str(data), "-p", str(port), "-k", str(data), "-h", "127.0.0.1"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(program), *options], stdout=output, stderr=output, user=owner
        )
    try:
        server = Postgres(f"postgres://postgres@127.0.0.1:{port}/postgres", process.pid)
        _wait(lambda: psycopg.connect(server.url).close(), psycopg.OperationalError)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # to PostgreSQL: end at once, and in order
        process.wait(START_S)


@contextlib.contextmanager
def redis_server(directory: Path) -> Iterator[str | None]:
    """The address of a new Redis, else of the one that answers here, else None."""
    program = shutil.which("redis-server")
    if program is None:
        yield OTHERWISE_REDIS if _answers(OTHERWISE_REDIS) else None
        return
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    try:
        _wait(lambda: redis.Redis.from_url(url).ping(), redis.RedisError)
        yield url
    finally:
        process.terminate()
        process.wait(START_S)


def _postgres_program(name: str) -> str | None:
    """The newest of PostgreSQL's own programs, which Debian keeps out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version_in)
    return str(found[-1]) if found else shutil.which(name)


def _version_in(program: Path) -> float:
    with contextlib.suppress(ValueError):
        return float(program.parts[-3])
    return 0.0


def _give(place: Path) -> str | None:
    """PostgreSQL refuses to run as root: give a directory to its own user; return who that is."""
    if os.geteuid() != 0:
        return None
    shutil.chown(place, user="postgres")
    return "postgres"


def _reachable_postgres() -> Postgres | None:
    try:
        with psycopg.connect(OTHERWISE_POSTGRES) as connection:
            pid = process_facts.parent(connection.info.backend_pid)
    except (psycopg.OperationalError, OSError):
        return None
    return Postgres(OTHERWISE_POSTGRES, pid) if "postgres" in process_facts.name(pid) else None


def _answers(url: str) -> bool:
    with contextlib.suppress(redis.RedisError):
        return bool(redis.Redis.from_url(url).ping())
    return False


def _wait(attempt: Callable[[], object], *errors: type[Exception]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            attempt()
            return
        except errors as error:
            if time.monotonic() > deadline:
                raise ServerFailed(str(error)) from error
            time.sleep(0.05)
