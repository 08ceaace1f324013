"""Group commit (design section 6): what sockets store, many items a transaction.

One thread takes whatever has come since its last commit, stores it together, and only then lets
the replies go (P4). A batch that fails is stored item by item, so that a bad one costs itself only.
"""

import asyncio
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from .. import measures
from .bridge import FIRST_PAUSE_S, LONGEST_PAUSE_S, DatabaseAway

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 500
GATHER_S = 0.003
"""How long the first item of a batch waits for others: a commit costs as much as ten items."""

FAILURES = AWAY, SOME_ITEM, ONE_ITEM = "database away", "some item", "one item"
STUCK_S = 5.0
"""An item that has waited for so long tells that the writer does not come on."""


class _Job:
    """One item on its way: what stores it, who waits for it, and until when."""

    __slots__ = ("deadline", "future", "item", "store")

    def __init__(self, store: Callable[..., Any], item: Any) -> None:
        loop = asyncio.get_running_loop()
        self.store, self.item = store, item
        self.future: asyncio.Future[Any] = loop.create_future()
        self.deadline = loop.time() + settings.CSMS_DATABASE_WAIT_S


class Writer:
    """The thread that stores for the sockets of an event loop; its first item starts it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._waiting: deque[_Job] = deque()
        self._under_way: list[_Job] = []
        self._bell = threading.Event()
        self._has_ended = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause_s = 0.0

    def put(
        self, store: Callable[[Sequence[Item]], Sequence[Result]], item: Item
    ) -> "asyncio.Future[Result]":
        """Hand over one item; the future has what `store` returned for it, after the commit.

        `store` takes items and returns as many results, in their order; it must be repeatable, and
        leave nothing behind where it raises. The future raises DatabaseAway after
        CSMS_DATABASE_WAIT_S, or what `store` raised for this item alone.
        """
        job = _Job(store, item)
        self._waiting.append(job)
        if self._thread is None:
            self._start()
        if not self._bell.is_set():
            self._bell.set()
        return job.future

    def expire(self) -> None:
        """Let go of what waits too long: the database may hang, and the thread with it."""
        now = asyncio.get_running_loop().time()
        for job in [*self._under_way, *self._waiting]:
            if job.deadline <= now and not job.future.done():
                job.future.set_exception(DatabaseAway(f"{self.name}: not stored in time"))

    @property
    def waiting(self) -> int:
        return len(self._under_way) + len(self._waiting)

    def ailment(self) -> str:
        """Why this writer stores nothing, in a few words; empty where it is well."""
        if self._thread is None or self._has_ended:
            return ""
        if not self._thread.is_alive():
            return "its thread has ended"
        try:
            oldest = self._under_way[0] if self._under_way else self._waiting[0]
        except IndexError:
            return ""
        waited_s = time.monotonic() - (oldest.deadline - settings.CSMS_DATABASE_WAIT_S)
        return "it stores nothing" if waited_s > STUCK_S else ""

    def end(self) -> None:
        """Let the thread end after what it has been given."""
        self._has_ended = True
        self._bell.set()

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        _begun.add(self)
        for cause in FAILURES:
            measures.BATCH_FAILURES.begin(self.name, cause)
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._has_ended:
            self._bell.wait()
            time.sleep(GATHER_S)
            self._bell.clear()
            while self._waiting:
                self._under_way = self._take()
                for store, jobs in _grouped(self._under_way):
                    self._store(store, jobs)
                self._under_way = []
                self._pause()
        connection.close()

    def _take(self) -> list[_Job]:
        jobs = (self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting))))
        return [job for job in jobs if not job.future.done()]

    def _store(self, store: Callable[..., Any], jobs: list[_Job]) -> None:
        began = time.perf_counter()
        try:
            results: Sequence[Any] = store([job.item for job in jobs])
        except (OperationalError, InterfaceError) as error:
            measures.BATCH_FAILURES.add(self.name, AWAY)
            self._wait_for_database(jobs, error)
        except Exception as error:  # noqa: BLE001 - told to who waits for it
            cause = ONE_ITEM if len(jobs) == 1 else SOME_ITEM
            measures.BATCH_FAILURES.add(self.name, cause)
            if len(jobs) == 1:
                self._settle(jobs, [error])
                return
            logger.warning("%s: a batch failed, one by one: %r", self.name, error)
            for job in jobs:
                self._store(store, [job])
        else:
            self._pause_s = 0.0
            measures.BATCH.observe(time.perf_counter() - began, self.name)
            measures.BATCH_ITEMS.observe(len(jobs), self.name)
            self._settle(jobs, results)

    def _wait_for_database(self, jobs: list[_Job], error: Exception) -> None:
        """Put jobs back for another try; `expire` ends those whose time is over."""
        logger.warning("%s: database away, waiting: %s", self.name, error)
        connection.close()
        self._waiting.extendleft(reversed(jobs))
        self._pause_s = min(max(self._pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)

    def _pause(self) -> None:
        if self._pause_s and not self._has_ended:
            threading.Event().wait(self._pause_s)

    def _settle(self, jobs: list[_Job], results: Sequence[Any]) -> None:
        """Wake those who wait, all in one turn of their loop."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(_wake, jobs, results)
        except RuntimeError:  # the loop has ended: nobody waits
            logger.info("%s: stored %d items for nobody", self.name, len(jobs))


_begun: "weakref.WeakSet[Writer]" = weakref.WeakSet()


def ailing() -> dict[str, str]:
    """What is wrong with the writers of this process, by their names; of those that are well, none.

    May be called from any thread.
    """
    found = {writer.name: writer.ailment() for writer in list(_begun)}
    return {name: ailment for name, ailment in found.items() if ailment}


def _grouped(jobs: list[_Job]) -> Iterator[tuple[Callable[..., Any], list[_Job]]]:
    """Jobs by what stores them, in the order in which they came."""
    groups: dict[Callable[..., Any], list[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.store, []).append(job)
    yield from groups.items()


def _wake(jobs: list[_Job], results: Sequence[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if job.future.done():
            continue
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
