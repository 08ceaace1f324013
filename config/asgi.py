"""The ASGI application: pages and API by Django, stations by the gateway."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from .under_way import UnderWay

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
pages = UnderWay(get_asgi_application())

from stations.gateway.consumer import StationConsumer  # noqa: E402 - models need the set-up above
from stations.gateway.process import Gateway  # noqa: E402

gateway = Gateway()
application = ProtocolTypeRouter(
    {"http": pages, "websocket": StationConsumer.as_asgi(gateway=gateway)}
)
FINISH_S = 2.0
CANCEL_S = 1.0


async def drain() -> None:
    """Answer the requests that have come, then close every socket: this process ends."""
    await pages.finish(within_s=FINISH_S, cancel_s=CANCEL_S)
    await gateway.stop()
