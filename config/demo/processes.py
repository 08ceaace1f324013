"""The processes that the demonstration starts, and how they end with it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

END_TIMEOUT_S = 20


class DemoFailed(Exception):
    """The demonstration cannot go on; its text says why."""


class Child:
    """One of Kubat's commands in a process of its own, which writes to a log file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self.log = name, log
        self._process = process

    def check(self) -> None:
        """Raise DemoFailed, with its last words, when it has ended."""
        if self._process.poll() is None:
            return
        lines = self.log.read_text(errors="replace").splitlines()
        raise DemoFailed(f"the {self.name} ended: {lines[-1] if lines else 'without a word'}")

    def end(self) -> None:
        """Ask it to end, and make it end when it does not."""
        self._process.terminate()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def child(name: str, *arguments: str, log: Path, **environment: str) -> Iterator[Child]:
    """Run a management command as long as the block lasts."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    running = Child(name, process, log)
    try:
        yield running
    finally:
        running.end()


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end this process by an exception, so that its children end before it."""

    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def need_free_port(port: int) -> None:
    """Raise DemoFailed when somebody listens there already."""
    with socket.socket() as probe:
        if sys.platform != "win32":  # there it would let two listen on one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DemoFailed(
                f"port {port} is in use; end what listens there, or choose another with --port"
            ) from None
