"""The ASGI application: pages and API by Django, stations by the gateway."""

import asyncio
import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
views = get_asgi_application()

from stations.gateway.consumer import StationConsumer  # noqa: E402 - models need the set-up above
from stations.gateway.process import Gateway  # noqa: E402

from .requests import Requests, exit_soon  # noqa: E402

gateway = Gateway()
pages = Requests(views)
application = ProtocolTypeRouter(
    {"http": pages, "websocket": StationConsumer.as_asgi(gateway=gateway)}
)


async def drain() -> None:
    """Answer what has come, close every socket, and let nothing delay the end of the process."""
    try:
        await asyncio.gather(gateway.stop(), pages.finish())
    finally:
        exit_soon()
