"""A PostgreSQL and a Redis of the test's own, which it may stop, freeze and start again."""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import redis

from .server import free_port

WITHIN_S = 60
OWNER = "kubat"


@functools.cache
def find_postgres() -> Path | None:
    """The directory of PostgreSQL's own programs, which Debian keeps out of PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    return places[-1].parent if places else None


def _version(path: Path) -> int:
    return int(path.parts[-3])


class Postgres:
    """A cluster in a directory of its own; `kubat` owns it, without a password on loopback."""

    def __init__(self, command: Sequence[str] = ("postgres", "-c", "max_connections=300")) -> None:
        self.command = list(command)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.directory = Path(tempfile.mkdtemp(prefix="kubat-postgres-"))
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")

    @property
    def url(self) -> str:
        return f"postgres://{OWNER}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> "Postgres":
        data = self.directory / "data"
        options = [f"--username={OWNER}", "--auth=trust", "--encoding=UTF8", "--no-sync"]
        self._run("initdb", f"--pgdata={data}", *options)
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.thaw()
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(str(self._program(self.command[0])), *self.command[1:]),
                    *("-D", str(self.directory / "data"), "-p", str(self.port)),
                    *("-k", str(self.directory), "-h", "127.0.0.1"),
                ],
                stdout=log,
                stderr=log,
                **self._as_owner(),
            )
        wait_until(self._answers)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it fast, as a container engine does; return its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        return self.process.wait(WITHIN_S)

    def freeze(self) -> None:
        """Let every process of it stand still: connections stay open, nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        for pid in (self.process.pid, *children_of(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url):
            return True
        return False

    def _run(self, name: str, *arguments: str) -> None:
        command = [str(self._program(name)), *arguments]
        subprocess.run(command, check=True, capture_output=True, **self._as_owner())

    def _program(self, name: str) -> Path:
        place = find_postgres()
        assert place is not None
        return place / name

    def _as_owner(self) -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return {"cwd": self.directory}
        return {"cwd": self.directory, "user": "postgres", "group": "postgres"}


class Redis:
    """A Redis that keeps its port over restarts, and nothing else."""

    def __init__(
        self, command: Sequence[str] = ("redis-server", "--save", "", "--appendonly", "no")
    ) -> None:
        self.command = list(command)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> "Redis":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        place = ["--port", str(self.port), "--bind", "127.0.0.1"]
        self.process = subprocess.Popen([*self.command, *place], stdout=subprocess.DEVNULL)
        wait_until(self._answers)

    def stop(self) -> int:
        if self.process is None:
            return 0
        self.process.terminate()
        return self.process.wait(WITHIN_S)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
            return bool(client.ping())
        return False


def children_of(pid: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                yield int(stat.parent.name)


def wait_until(is_so: Any, within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, f"not so within {within_s} s"
        time.sleep(0.1)
