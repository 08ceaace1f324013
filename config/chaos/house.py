"""The installation under test: its programs, their settings, and what befalls them."""

import asyncio
import os
import re
import subprocess
from functools import partial
from pathlib import Path

import httpx

from .engines import Postgres, Redis, postgres_programs, redis_program
from .journal import Journal
from .processes import CannotRun, Program, free_port, manage
from .schedule import Fault

SETTINGS = {
    "CSMS_CALL_TIMEOUT_S": "8",
    "CSMS_CONNECTION_TIMEOUT_S": "10",
    "CSMS_DATABASE_WAIT_S": "6",
    "CSMS_HEARTBEAT_INTERVAL_S": "5",
    "CSMS_LOST_AFTER_S": "25",
    "CSMS_METER_INTERVAL_S": "1",
    "CSMS_STOP_TIMEOUT_S": "25",
    "CSMS_RECONCILE_HOUR": "3",
    "DEBUG": "false",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONUNBUFFERED": "1",
    "SECRET_KEY": "a key of a run that nobody keeps",
}
"""Short deadlines, so that a short run meets each of them."""
OWN_ERROR = re.compile(r" (ERROR|CRITICAL) (config|stations|sessions_app)\.")
"""The API's own errors are not among them: it may say that the database is away."""


class House:
    """All programs of a run, by name; `serve` are those that stations and drivers reach."""

    def __init__(self, directory: Path, journal: Journal, *, has_postgres: bool, has_redis: bool):
        self.directory, self._journal = directory, journal
        programs, redis = postgres_programs(), redis_program()
        self._postgres = Postgres(programs, directory) if has_postgres and programs else None
        # Redis serves several processes, and several processes need PostgreSQL.
        self._redis = Redis(redis, directory) if self._postgres and has_redis and redis else None
        self.database_url = (
            self._postgres.url if self._postgres else f"sqlite:///{directory / 'kubat.sqlite3'}"
        )
        self.environment = os.environ | SETTINGS | self._addresses()
        count = 2 if self._redis else 1
        self.ports = [free_port() for _ in range(count)]
        self.programs: dict[str, Program] = {}
        for number, port in enumerate(self.ports, 1):
            self._add(f"serve-{number}", "serve", "--host=127.0.0.1", f"--port={port}", port=port)
        if self._postgres:
            self._add("worker", "worker")
            self.programs["postgres"] = self._postgres.program
        if self._redis:
            self.programs["redis"] = self._redis.program

    def _addresses(self) -> dict[str, str]:
        return {
            "ALLOWED_HOSTS": "127.0.0.1",
            "CSMS_CA_DIR": str(self.directory / "ca"),
            "CSMS_MEDIA_DIR": str(self.directory / "media"),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self._redis.url if self._redis else "",
        }

    def _add(self, name: str, *arguments: str, port: int = 0) -> None:
        self.programs[name] = Program(
            name,
            manage(*arguments),
            log=self.directory / f"{name}.log",
            environment=self.environment,
            is_up=partial(_serves, port) if port else _at_once,
        )

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    async def start(self) -> None:
        """Bring everything up, the database first. Raises CannotRun."""
        if self._postgres:
            await self._postgres.make()
        if self._redis:
            await self._redis.program.start()
        await self.manage("migrate", "--no-input", "-v0")
        apps = [name for name in self.programs if name not in ("postgres", "redis")]
        await asyncio.gather(*(self.programs[name].start() for name in apps))

    async def manage(self, *arguments: str, **environment: str) -> None:
        """Run a command to its end. Raises CannotRun."""
        done = await self.ask(*arguments, **environment)
        if done.returncode:
            raise CannotRun(f"{arguments[0]} failed: {done.stderr.strip()}")

    async def ask(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(
            subprocess.run,
            manage(*arguments),
            env=dict(self.environment) | environment,
            capture_output=True,
            text=True,
        )

    async def suffer(self, fault: Fault) -> None:
        """Let a fault befall the program that it names, and bring it back, one after another."""
        program = self.programs[fault.target]
        async with program.turn:
            await self._suffer(program, fault)

    async def _suffer(self, program: Program, fault: Fault) -> None:
        if fault.kind == "freeze":
            program.freeze()
            await asyncio.sleep(fault.lasts_s)
            program.thaw()
            return
        if fault.kind == "kill":
            program.kill()
        else:
            await program.terminate()
        await asyncio.sleep(fault.lasts_s)
        await program.start()
        self._journal.note(f"{fault.target} is back")

    def faults_of_our_own(self) -> list[str]:
        """What programs report that no fault from outside explains, in words.

        They ended though nobody ended them, or badly; or their log has an error of our code.
        """
        ended = [
            f"{program.name} ended by itself:\n{program.last_words()}"
            for program in self.programs.values()
            if program.has_died
        ]
        bad_ends = [end for program in self.programs.values() for end in program.bad_ends]
        return [*ended, *bad_ends, *self._logged()]

    def _logged(self) -> list[str]:
        return [
            f"{program.name} logged: {line}"
            for program in self.programs.values()
            for line in program.log.read_text(errors="replace").splitlines()
            if OWN_ERROR.search(line)
        ]

    def end(self) -> None:
        """End everything, and leave nothing behind."""
        for program in self.programs.values():
            program.kill()


async def _serves(port: int) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


async def _at_once() -> bool:
    return True
