"""The programs of a run: started, killed, frozen and started again, each with a log of its own."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from django.conf import settings

START_WITHIN_S = 90.0
END_WITHIN_S = 25.0
LOOK_EVERY_S = 0.1
LAST_WORDS = 60

IsUp = Callable[[], Awaitable[bool]]


class CannotRun(Exception):
    """The run itself cannot go on; its text says why."""


class Program:
    """One program that comes back on the same port and files. `is_up` says that it serves."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        is_up: IsUp,
        user: str | None = None,
        end_with: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name, self.log = name, log
        self._command, self._environment = command, environment
        self._is_up, self._user, self._end_with = is_up, user, end_with
        self._process: subprocess.Popen[bytes] | None = None
        self.bad_ends: list[str] = []
        self.turn = asyncio.Lock()

    async def start(self) -> None:
        """Start it and wait until it serves; one that gives up is started again (a stale lock)."""
        deadline = time.monotonic() + START_WITHIN_S
        self._launch()
        while not await self._is_up():
            if time.monotonic() > deadline:
                raise CannotRun(f"{self.name} did not start:\n{self.last_words()}")
            if self._process is None or self._process.poll() is not None:
                self._launch()
            await asyncio.sleep(LOOK_EVERY_S)

    def kill(self) -> None:
        """End it in this moment, as a loss of power would."""
        self.thaw()
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    async def terminate(self) -> None:
        """Ask it to end; one that does not, or not well, is a finding."""
        self._signal(self._end_with)
        began = time.monotonic()
        while self._process is not None and self._process.poll() is None:
            if time.monotonic() > began + END_WITHIN_S:
                self._abort()
                return
            await asyncio.sleep(LOOK_EVERY_S)
        code = self._process.returncode if self._process else 0
        if code not in (0, -self._end_with):
            self.bad_ends.append(f"{self.name} ended with {code} when it was asked to end")

    def _abort(self) -> None:
        """End it by SIGABRT, on which Python writes where each of its threads stood."""
        self._signal(signal.SIGABRT)
        if self._process is not None:
            self._process.wait()
        self.bad_ends.append(
            f"{self.name} did not end in {END_WITHIN_S:g} s when asked to:\n{self.last_words()}"
        )

    def freeze(self) -> None:
        for pid in self._family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    @property
    def has_died(self) -> bool:
        """Whether it ended though nobody ended it."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LAST_WORDS:])

    def _launch(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=settings.BASE_DIR if self._user is None else "/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(self._environment),
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else (),
                start_new_session=True,
            )

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _family(self) -> list[int]:
        """The process and its children: PostgreSQL serves each connection by one."""
        if self._process is None or self._process.poll() is not None:
            return []
        pid = self._process.pid
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True)
        pairs = (line.split() for line in listed.stdout.splitlines())
        return [pid, *(int(child) for child, parent in pairs if int(parent) == pid)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
