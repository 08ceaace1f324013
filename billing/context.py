"""Whose work is being done: the ids that every line of the log carries. Pure.

They follow the work into threads and tasks (contextvars). A frame, a command, a request and a
worker's job begin anew; what they turn out to be about is added on the way.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, object] = MappingProxyType({})
_ids: ContextVar[Mapping[str, object]] = ContextVar("ids", default=_NOTHING)


def ids() -> Mapping[str, object]:
    """What is known of the present work, by its name in the log: station_id, session_id, …"""
    return _ids.get()


def begin(about: Mapping[str, object] = _NOTHING) -> None:
    """Begin other work, of which only this is known."""
    _ids.set(about)


def add(**found: object) -> None:
    """Say what the present work is about. What is known already stays: the first is its subject."""
    _ids.set({**found, **_ids.get()})


@contextmanager
def about(**found: object) -> Iterator[None]:
    """Say of the block only what it is about, and forget it afterwards."""
    token = _ids.set({**_ids.get(), **found})
    try:
        yield
    finally:
        _ids.reset(token)
