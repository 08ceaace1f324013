"""A server of either kind with an application of its own, for what no real page would show.

`python -m config.tests.bare_server daphne 8000`. A socket is accepted and not read until someone
has asked for /go; then each text that comes is counted, and "count" is answered by the number and
the length of all. A socket under /echo answers each text by itself. With "quick" as a third
argument silence is noticed after QUICK_S.
"""

import asyncio
import sys
from importlib import import_module
from typing import Any

from config.servers import limits

QUICK_S = 1

go = asyncio.Event()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await (_echo if scope["path"].startswith("/echo") else _count)(receive, send)
    else:
        if scope["path"] == "/go":
            go.set()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def _echo(receive: Any, send: Any) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


async def _count(receive: Any, send: Any) -> None:
    await go.wait()
    number = size = 0
    while (event := await receive())["type"] == "websocket.receive":
        if event["text"] == "count":
            await send({"type": "websocket.send", "text": f"{number} {size}"})
        number, size = number + 1, size + len(event["text"])


async def drain() -> None:
    """Nothing of ours has to end."""


def main() -> None:
    kind, port, *options = sys.argv[1:]
    if "quick" in options:
        limits.PING_AFTER_S = limits.PONG_WITHIN_S = limits.SILENCE_S = QUICK_S
    run = import_module(f"config.servers.{kind}").run
    run(application, host="127.0.0.1", port=int(port), drain=drain)


if __name__ == "__main__":
    main()
