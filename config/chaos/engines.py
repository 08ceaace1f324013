"""PostgreSQL and Redis of a run's own: found, made in its directory, started like all programs."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

from .processes import CannotRun, Program, free_port, is_listening

DEBIAN_PLACES = "/usr/lib/postgresql"
DATABASE = "kubat_chaos"
OWNER = "postgres"


def postgres_programs() -> Path | None:
    """The directory of initdb and pg_ctl: in PATH, or the newest where Debian keeps them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    places = sorted(
        Path(DEBIAN_PLACES).glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    return places[-1].parent if places else None


def redis_program() -> str | None:
    return shutil.which("redis-server")


class Postgres:
    """A cluster that trusts this machine; `postgres` runs as another user where we are root."""

    def __init__(self, programs: Path, directory: Path) -> None:
        self.port = free_port()
        self.url = f"postgres://{OWNER}@127.0.0.1:{self.port}/{DATABASE}"
        self._programs, self._data = programs, directory / "postgres"
        self._user = OWNER if os.geteuid() == 0 else None
        self.program = Program(
            "postgres",
            [
                str(programs / "postgres"),
                *("-D", str(self._data), "-p", str(self.port), "-k", ""),
                *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
            ],
            log=directory / "postgres.log",
            environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            is_up=self._is_ready,
            user=self._user,
            end_with=signal.SIGINT,  # the fast end: it waits for no client
        )

    async def make(self) -> None:
        """Make the cluster, start it, and make its database. Raises CannotRun."""
        self._data.mkdir()
        if self._user is not None:
            shutil.chown(self._data, self._user, self._user)
            self._data.parent.chmod(0o711)
        await asyncio.to_thread(
            self._run, "initdb", "-D", str(self._data), "-A", "trust", "-U", OWNER
        )
        await self.program.start()
        await asyncio.to_thread(self._run, "createdb", *self._where(), DATABASE)

    async def _is_ready(self) -> bool:
        command = [str(self._programs / "pg_isready"), *self._where(), "-q"]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True)
        return done.returncode == 0

    def _where(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", OWNER)

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / name), *arguments],
            capture_output=True,
            text=True,
            cwd="/",
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else (),
        )
        if done.returncode:
            raise CannotRun(f"{name} failed: {done.stderr.strip()}")


class Redis:
    """A server that keeps nothing on disk: a restart forgets all, as the design allows."""

    def __init__(self, program: str, directory: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.program = Program(
            "redis",
            [*command, "--appendonly", "no", "--dir", str(directory)],
            log=directory / "redis.log",
            environment={"PATH": os.environ.get("PATH", "")},
            is_up=lambda: is_listening(self.port),
        )
