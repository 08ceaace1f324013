"""Run the same thing at the same moment, each on a connection of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections


def in_parallel(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all at once; return what each returned or raised, in order."""
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        gate.wait(timeout=10)
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # the test judges what was raised
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
