"""The processes that are measured: Kubat as it ships, and the baselines."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from . import process_facts
from .options import DAPHNE

ROOT = Path(__file__).resolve().parent.parent
START_S = 180
"""Under a profiler, on a machine that is busy with other things, it takes a minute."""
END_S = 120
_OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS")


class ServerFailed(Exception):
    """A process did not start, or ended; its text holds its last words."""


class Server:
    """One process that listens on a port of its own, for as long as the block lasts."""

    def __init__(
        self,
        name: str,
        *arguments: str,
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.port = free_port()
        self._arguments = [part.replace("{port}", str(self.port)) for part in arguments]
        self._environment = clean_environment() | dict(environment or {})
        self._log = directory / f"{name.replace(' ', '-')}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_listening()
        except ServerFailed:
            self.end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self, *, is_graceful: bool = False) -> None:
        """End it at once, or by a drain that takes seconds."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM if is_graceful else signal.SIGKILL)
            self._process.wait(END_S)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed(f"{self.name} was not started")
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def cpu_s(self) -> float:
        return process_facts.cpu_s(self.pid)

    def memory_kib(self) -> int:
        return process_facts.memory_kib(self.pid)

    def _wait_listening(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise ServerFailed(f"{self.name} does not listen:\n{self.log[-2000:]}")


def kubat(
    *,
    database_url: str,
    directory: Path,
    redis_url: str = "",
    kind: str = DAPHNE,
    profile: str = "",
) -> Server:
    """`manage.py serve` with its defaults; its database is migrated."""
    environment = kubat_environment(database_url, redis_url) | {"CSMS_SERVER": kind}
    command = ["-m", "benchmarks.profiled", profile] if profile else ["manage.py"]
    arguments = [*command, "serve", "--host=127.0.0.1", "--port={port}"]
    return Server(f"kubat {kind}", *arguments, directory=directory, environment=environment)


def baseline(name: str, module: str, *, directory: Path, **environment: str) -> Server:
    """A program of `benchmarks/baselines/` that takes its port as its argument."""
    arguments = ["-m", f"benchmarks.baselines.{module}", "{port}"]
    return Server(name, *arguments, directory=directory, environment=environment)


def kubat_environment(database_url: str, redis_url: str = "") -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "a key of the benchmarks",
        "PYTHONUNBUFFERED": "1",
    }


def run(*arguments: str, environment: Mapping[str, str]) -> str:
    """Run a program of Python to its end; return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=clean_environment() | dict(environment),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ServerFailed(f"{' '.join(arguments)}:\n{done.stderr[-2000:]}")
    return done.stdout


def has_uvicorn() -> bool:
    """Whether this Kubat can serve by uvicorn."""
    is_setting = "CSMS_SERVER" in (ROOT / "config" / "settings.py").read_text()
    return is_setting and importlib.util.find_spec("uvicorn") is not None


def clean_environment() -> dict[str, str]:
    """The environment without what would set up Kubat otherwise than by its defaults."""
    return {
        key: value
        for key, value in os.environ.items()
        if key not in _OURS and not key.startswith("CSMS_")
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
