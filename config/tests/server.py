"""A real `manage.py serve` in its own process, for end-to-end tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from django.db import connection

from . import blank

ROOT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 60


class ServerProcess:
    """A server on loopback and a port of its own; it keeps both over restarts.

    `with ServerProcess.on_sqlite(tmp_path) as server: httpx.get(server.base_url)`
    A PostgreSQL database must exist; it is migrated here. More settings come as keywords.
    """

    def __init__(
        self,
        *,
        database_url: str,
        directory: Path,
        redis_url: str = "",
        name: str = "serve",
        host: str = "127.0.0.1",
        **settings: Any,
    ) -> None:
        self.host, self.port = host, free_port()
        self.log_path = directory / f"{name}-{self.port}.log"
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "a key of the tests",
            "PYTHONUNBUFFERED": "1",
            **{key: str(value) for key, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def on_sqlite(cls, directory: Path, **settings: Any) -> "ServerProcess":
        """A server with a new SQLite file in `directory`, migrated."""
        blank.copy_sqlite(directory / "kubat.sqlite3")
        return cls(
            database_url=f"sqlite:///{directory / 'kubat.sqlite3'}", directory=directory, **settings
        )

    @classmethod
    def on_test_database(cls, directory: Path, **settings: Any) -> "ServerProcess":
        """A server on the database of the test, whose committed rows both then see."""
        return cls(database_url=url_of_test_database(), directory=directory, **settings)

    def __enter__(self) -> "ServerProcess":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def ws_url(self, station_id: str) -> str:
        return f"ws://{self.host}:{self.port}/ws/{station_id}"

    @property
    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def start(self, *, wait: bool = True) -> None:
        """Start the process and wait until it answers."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "manage.py",
                    "serve",
                    f"--host={self.host}",
                    f"--port={self.port}",
                ],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            try:
                if httpx.get(f"{self.base_url}/healthz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"The server did not start:\n{self.log}")

    def kill(self) -> None:
        """End it as a power failure would: SIGKILL."""
        self._signal(signal.SIGKILL)

    def terminate(self, *, timeout: float = 30) -> int:
        """End it as an operator would: SIGTERM; return its exit code."""
        return self._signal(signal.SIGTERM, timeout=timeout)

    def interrupt(self, *, timeout: float = 30) -> int:
        """End it as Ctrl-C would; return its exit code."""
        return self._signal(signal.SIGINT, timeout=timeout)

    def restart(self) -> None:
        """Kill it and start it again on the same port and database."""
        self.kill()
        self.start()

    def manage(self, *arguments: str, stdin: str = "") -> str:
        """Run a management command on the same database; return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _signal(self, number: int, *, timeout: float = 30) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout)


def url_of_test_database() -> str:
    """The test's own database as a DATABASE_URL."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, password = quote(database["USER"]), quote(database["PASSWORD"])
    place = f"{database['HOST']}:{database['PORT'] or 5432}/{database['NAME']}"
    return f"postgres://{user}:{password}@{place}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
