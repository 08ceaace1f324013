"""What a process measures of itself, as plain numbers: no lock, no library, no row.

To count costs an increment in a dictionary, because MeterValues and Heartbeats are counted here
too. Each series is added to by one thread only: the event loop, or the thread of one writer or of
one job. `stations.measured` puts the numbers where every process finds them.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal

Labels = tuple[str, ...]
Numbers = list[float]
"""Of a histogram: how many fell into each bucket, how many into none, and the sum of all."""
Value = float | Numbers
Kind = Literal["counter", "latest", "histogram", "gauge", "gauge of each process"]

OTHER = "other"
"""What stands for a label that a station may choose: their number must not grow."""
QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
LONG_S = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0)


class Measure:
    """Numbers by labels. `bounds` are those of a histogram's buckets, upper and inclusive."""

    __slots__ = ("bounds", "columns", "kind", "labels", "name", "series", "text")

    def __init__(
        self, kind: Kind, name: str, text: str, *labels: str, bounds: Sequence[float] = ()
    ) -> None:
        self.kind, self.name, self.text = kind, name, text
        self.labels = labels
        self.bounds = tuple(bounds)
        self.series: defaultdict[Labels, float] = defaultdict(int)
        self.columns: dict[Labels, dict[str, float]] = {}

    def column(self, *labels: str, known: Iterable[str]) -> dict[str, float]:
        """Numbers by the last label alone, which is one of these or `OTHER`.

        For what is counted with each message: to look up a text takes a third of what a tuple does.
        """
        return self.columns.setdefault(labels, dict.fromkeys((*known, OTHER), 0))

    def add(self, *labels: str) -> None:
        """Count one."""
        self.series[labels] += 1

    def begin(self, *labels: str) -> None:
        """Tell 0 from the start: Prometheus does not see the first of what it knew nothing of."""
        self.series[labels] += 0

    def set(self, value: float, *labels: str) -> None:
        self.series[labels] = value

    def copy(self) -> dict[Labels, Value]:
        """What it says now, while others go on adding."""
        values: dict[Labels, Value] = dict(self.series)
        for labels, column in self.columns.items():
            values |= {(*labels, last): value for last, value in column.items() if value}
        return values


class Histogram(Measure):
    """How often a value was how large."""

    __slots__ = ("rows",)

    def __init__(self, name: str, text: str, *labels: str, bounds: Sequence[float]) -> None:
        super().__init__("histogram", name, text, *labels, bounds=bounds)
        self.rows: defaultdict[Labels, Numbers] = defaultdict(partial(_zeros, len(bounds) + 2))

    def rows_of(self, known: Iterable[str]) -> dict[str, Numbers]:
        """Rows by their only label, which is one of these or `OTHER`; see `column`."""
        return {label: self.rows[(label,)] for label in (*known, OTHER)}

    def observe(self, value: float, *labels: str) -> None:
        row = self.rows[labels]
        row[bisect_left(self.bounds, value)] += 1
        row[-1] += value

    def copy(self) -> dict[Labels, Value]:
        rows = self.rows.copy().items()
        return {labels: list(row) for labels, row in rows if any(row[:-1])}


def _zeros(length: int) -> Numbers:
    return [0] * length


# --- Sockets -------------------------------------------------------------------------------------

FRAMES = Measure("counter", "frames", "OCPP messages.", "direction", "action")
REPLY = Histogram(
    "reply_seconds",
    "From the arrival of a station's call to its answer.",
    "action",
    bounds=QUICK_S,
)
CALL_ERRORS = Measure(
    "counter",
    "call_errors",
    "Calls of stations that were answered with an error.",
    "action",
    "code",
)
IGNORED = Measure(
    "counter", "ignored_frames", "Frames that were no call and no answer to one.", "cause"
)
HANDSHAKES = Measure(
    "counter", "handshakes", "Handshakes of stations, by the status they were answered.", "status"
)
CLOSED = Measure("counter", "closed_sockets", "Sockets that Kubat closed.", "cause")
DROPPED = Measure("counter", "dropped_frames", "Frames for which the diary had no room.")
SOCKETS = Measure("gauge of each process", "sockets", "Open sockets of stations.")
DIARY = Measure("gauge of each process", "diary_frames", "Frames that wait for the diary.")
LOOP_LATE = Histogram(
    "loop_late_seconds",
    "How late the event loop of a gateway comes to what is due.",
    bounds=QUICK_S,
)

# --- The writers ---------------------------------------------------------------------------------

BATCH_ITEMS = Histogram(
    "batch_items",
    "Items that a writer stored by one transaction.",
    "writer",
    bounds=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
BATCH = Histogram(
    "batch_seconds", "How long the storing of a batch took.", "writer", bounds=QUICK_S
)
BATCH_FAILURES = Measure(
    "counter", "batch_failures", "Batches that could not be stored at once.", "writer", "cause"
)
WRITER_WAITING = Measure(
    "gauge of each process", "writer_waiting", "Items that wait for a writer.", "writer"
)

# --- The worker ----------------------------------------------------------------------------------

# Prometheus gives the label `job` a meaning of its own: here it is a task.
JOB = Histogram("task_seconds", "How long a task of the worker took.", "task", bounds=LONG_S)
JOB_FAILURES = Measure("counter", "task_failures", "Runs of a task that failed.", "task")
JOB_LAST = Measure(
    "latest", "task_last_success_timestamp_seconds", "When a task last ended well.", "task"
)
JOB_LATE = Histogram(
    "task_late_seconds", "How late the worker comes to tasks that are due.", bounds=LONG_S
)

# --- The process ---------------------------------------------------------------------------------

CPU = Measure("counter", "cpu_seconds", "CPU time of all processes.")
MEMORY = Measure("gauge of each process", "resident_memory_bytes", "Memory of a process.")
THREADS_WAITING = Measure(
    "gauge of each process", "database_calls_waiting", "Calls of stations that wait for a thread."
)
POOL = Measure(
    "gauge of each process", "database_pool_connections", "Connections to PostgreSQL.", "state"
)
POOL_REQUESTS = Measure(
    "counter", "database_pool_requests", "Connections that were asked of the pool.", "outcome"
)
POOL_WAIT = Measure(
    "counter", "database_pool_wait_seconds", "Time that was waited for a connection of the pool."
)

MEASURES: tuple[Measure, ...] = (
    *(FRAMES, REPLY, CALL_ERRORS, IGNORED, HANDSHAKES, CLOSED, DROPPED, SOCKETS, DIARY, LOOP_LATE),
    *(BATCH_ITEMS, BATCH, BATCH_FAILURES, WRITER_WAITING),
    *(JOB, JOB_FAILURES, JOB_LAST, JOB_LATE),
    *(CPU, MEMORY, THREADS_WAITING, POOL, POOL_REQUESTS, POOL_WAIT),
)
BY_NAME = {measure.name: measure for measure in MEASURES}

# --- Adding up -----------------------------------------------------------------------------------

Series = dict[Labels, Value]
Counts = dict[str, Series]
"""By the name of a measure."""


def add(measure_name: str, one: Value, other: Value) -> Value:
    """Add two numbers of the same series; of two moments the later counts.

    Where the buckets of a histogram have changed between two versions, the newer one's count.
    """
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            measure = BY_NAME.get(measure_name)
            fits = measure is not None and len(one) == len(measure.bounds) + 2
            return one if fits else other
        return [mine + theirs for mine, theirs in zip(one, other, strict=True)]
    if isinstance(one, list) or isinstance(other, list):
        return one
    measure = BY_NAME.get(measure_name)
    return max(one, other) if measure and measure.kind == "latest" else one + other


def total(parts: Iterable[Counts]) -> Counts:
    """Add up what several processes counted."""
    sums: Counts = {}
    for part in parts:
        for name, series in part.items():
            mine = sums.setdefault(name, {})
            for labels, value in series.items():
                mine[labels] = add(name, mine[labels], value) if labels in mine else value
    return sums


def since(now: Counts, before: Counts) -> Counts:
    """What was added to `before`, of which nothing is missing in `now`."""
    return {
        name: {labels: _less(name, value, before, labels) for labels, value in series.items()}
        for name, series in now.items()
    }


def _less(name: str, value: Value, before: Counts, labels: Labels) -> Value:
    was = before.get(name, {}).get(labels)
    if was is None or BY_NAME[name].kind == "latest":
        return value
    if isinstance(value, list) and isinstance(was, list):
        return [mine - theirs for mine, theirs in zip(value, was, strict=True)]
    assert not isinstance(value, list)
    assert not isinstance(was, list)
    return value - was


def is_lasting(measure: Measure) -> bool:
    """Whether what it says outlives its process."""
    return measure.kind in ("counter", "latest", "histogram")
