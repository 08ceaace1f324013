"""The reply that most calls get."""

from collections.abc import Callable

from ..wire import Answer


def status(status: str, then: Callable[[], None] | None = None) -> Answer:
    return Answer({"status": status}, then)
