"""What both servers are held to."""

from http import HTTPStatus

from django.conf import settings

MAX_FRAME_BYTES = 2 * 1024 * 1024
BACKLOG = 4096
"""Connections that wait to be accepted; the kernel takes no more than net.core.somaxconn."""
HANDSHAKE_S = 20
"""How long a station may take to ask for a socket, also when a whole network returns at once."""
SILENCE_S = 60
"""After this long without a byte a request that is not whole, or a link without one, is closed."""
PING_AFTER_S = 20
"""A socket that has been silent for so long is pinged."""
PONG_WITHIN_S = 30
"""One that says nothing for so long after that is gone."""
CLOSE_S = 2
"""How long a peer may take to answer our close frame."""
FORM_OVERHEAD_BYTES = 1_000_000


def largest_body() -> int:
    """No request is larger than the largest file that anyone may bring, as a form."""
    most_mb = max(settings.CSMS_FIRMWARE_MAX_MB, settings.CSMS_UPLOAD_MAX_MB)
    return int(most_mb * 1_000_000 + FORM_OVERHEAD_BYTES)


def refusal(status: HTTPStatus) -> bytes:
    """A whole answer that ends the connection, for what no application gets to see."""
    line = f"HTTP/1.1 {status.value} {status.phrase}"
    return f"{line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
