"""The server process: what it is besides a server, and which server it is (`CSMS_SERVER`)."""

import sys
from importlib import import_module

from django.conf import settings

from . import embedded, telemetry


def serve(*, host: str, port: int) -> None:
    """Serve until a signal comes. With SQLite: alone on its file, migrated, with the worker."""
    _allow_many_sockets()
    with telemetry.traced(), embedded.sole_user_of_database(), embedded.embedded_worker():
        from .asgi import application, drain

        server = import_module(f"config.servers.{settings.CSMS_SERVER}")
        server.run(application, host=host, port=port, drain=drain)


def _allow_many_sockets() -> None:
    """Take as many files as the system lets us: many shells begin with 1024."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
