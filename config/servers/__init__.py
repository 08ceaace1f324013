"""The server process: Daphne or uvicorn, run by ourselves, to stations the same.

We decide how it listens and how it ends, and hold it to `limits`; what is asked of both is told by
`config/tests/test_servers.py`. `CSMS_SERVER` chooses.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings

from .. import embedded

KINDS = ("daphne", "uvicorn")


def serve(*, host: str, port: int) -> None:
    """Serve until a signal comes. With SQLite: alone on its file, migrated, with the worker."""
    _allow_many_sockets()
    with embedded.sole_user_of_database(), embedded.embedded_worker():
        from ..asgi import application, gateway

        _server()(application, host=host, port=port, drain=gateway.stop)


def _server() -> Callable[..., None]:
    """`run` of the chosen server; the other one's libraries are not loaded by us."""
    run: Callable[..., Any] = import_module(f".{settings.CSMS_SERVER}", __name__).run
    return run


def _allow_many_sockets() -> None:
    """Take as many files as the system lets us: many shells begin with 1024."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
