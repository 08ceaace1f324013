"""What a piece of work costs: PostgreSQL's CPU, its statements, and our own CPU."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection


@dataclass(slots=True)
class Cost:
    """Of `times` runs together, in nanoseconds."""

    times: int = 0
    server_ns: int = 0
    statements: int = 0
    waited_ns: int = 0
    own_ns: int = 0

    def each(self) -> dict[str, float]:
        """Of one run, in µs; the number of statements as it is."""
        times = self.times or 1
        return {
            "pg": self.server_ns / times / 1000,
            "statements": self.statements / times,
            "wall": self.waited_ns / times / 1000,
            "app": self.own_ns / times / 1000,
        }

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add what the block costs. The server must run on this machine, on Linux."""
        with connection.execute_wrapper(self._count):
            server_ns, own_ns = _server_ns(), time.thread_time_ns()
            yield
            own_ns = time.thread_time_ns() - own_ns
            self.server_ns += _server_ns() - server_ns
        self.own_ns += own_ns
        self.times += 1

    def _count(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        began_ns = time.perf_counter_ns()
        try:
            return execute(sql, params, many, context)
        finally:
            self.waited_ns += time.perf_counter_ns() - began_ns
            self.statements += 1


_PIDS: set[int] = set()


def know_server() -> None:
    """Find the processes that serve this database, and let them work alone."""
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        cursor.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND backend_type = 'client backend'"
        )
        _PIDS.update(pid for (pid,) in cursor.fetchall())


def _server_ns() -> int:
    """CPU time of the server's processes (the first figure of schedstat)."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in _PIDS)
