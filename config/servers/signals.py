"""The signals that end a server in order."""

import asyncio
import signal
from collections.abc import Callable


def on_end(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """Call `end` on the loop when SIGTERM or SIGINT comes."""
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, end)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(end))
