"""Traces, as the rest of the program sees them: without OpenTelemetry nothing happens here.

`config.telemetry` installs what makes spans, where the environment asks for it. A trace goes on
in another process by its W3C traceparent, which lies with the row that the work is about.
"""

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

Value = str | int | float | bool
MAX_PARENT = 55
"""The length of a traceparent of version 00 (W3C Trace Context)."""


class Span(Protocol):
    """A step of the work."""

    @property
    def is_kept(self) -> bool:
        """Whether anyone will see it: a sampler may have chosen not to keep its trace."""

    def rename(self, name: str) -> None:
        """Name it by what it turned out to be."""

    def set(self, **attributes: Value | None) -> None:
        """Say more of it; the names come out as `kubat.name`, nothing is said of a None."""

    def event(self, name: str, at: dt.datetime | None = None, **attributes: Value | None) -> None:
        """Say that something happened during it."""


class Tracer(Protocol):
    def span(
        self,
        name: str,
        *,
        parent: str,
        within: str,
        link: str,
        start: dt.datetime | None,
        end: dt.datetime | None,
        kind: str,
        attributes: Mapping[str, Value | None],
    ) -> AbstractContextManager[Span]: ...

    def traceparent(self) -> str: ...

    def trace_id(self) -> str: ...


class _Nothing:
    """The span of a program that is not traced."""

    is_kept = False

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def rename(self, name: str) -> None: ...

    def set(self, **attributes: Value | None) -> None: ...

    def event(
        self, name: str, at: dt.datetime | None = None, **attributes: Value | None
    ) -> None: ...


_NOTHING = _Nothing()
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Trace from now on, or, with None, no more."""
    global _tracer
    _tracer = tracer


def is_on() -> bool:
    return _tracer is not None


def span(
    name: str,
    *,
    parent: str = "",
    within: str = "",
    link: str = "",
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    kind: str = "internal",
    attributes: Mapping[str, Value | None] | None = None,
) -> AbstractContextManager[Span]:
    """Measure the block as one step.

    It belongs below `parent`, as of another process, or to the trace of `within`: there below the
    present step where that is of the same trace. With neither, it is part of the present step.
    `link` names one elsewhere that it has to do with. `kind` is OpenTelemetry's: internal, server,
    client, producer, consumer. `start` and `end` are for what is told after it happened.
    """
    if _tracer is None:
        return _NOTHING
    return _tracer.span(
        name,
        parent=parent,
        within=within,
        link=link,
        start=start,
        end=end,
        kind=kind,
        attributes=attributes or {},
    )


def traceparent() -> str:
    """The present step, for whoever goes on with it elsewhere; empty where nothing is traced."""
    return _tracer.traceparent() if _tracer else ""


def trace_id() -> str:
    """The present trace, as its server shows it; empty where nothing is traced."""
    return _tracer.trace_id() if _tracer else ""
