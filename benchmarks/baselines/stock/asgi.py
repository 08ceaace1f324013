"""Channels' routing of the one address."""

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

django.setup()

from .consumer import StationConsumer  # noqa: E402 - models need the apps

application = ProtocolTypeRouter(
    {"websocket": URLRouter([re_path(r"^ws/(?P<station_id>[^/]+)$", StationConsumer.as_asgi())])}
)
