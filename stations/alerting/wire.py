"""Apprise, and all that is known of it: which addresses may be used, and one message sent.

It is imported when it is first needed: it loads some 190 services.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ..errors import AddressRefused

MAX_TARGETS = 1
"""A message that one of several targets did not take would be repeated to the others."""
LOCAL = frozenset(
    [
        *("dbus", "kde", "glib", "qt", "gnome", "macosx", "windows", "syslog"),  # this machine
        *("fcm", "fcms", "vapid"),  # they read a key from a file that the address names
    ]
)
"""Schemes that act on the server itself."""
OWN_SAY = frozenset(["template", "rto", "cto"])
"""What an address may not ask for: a file or an address to be read here, and times to wait."""
SHORTEST_SECRET = 5


class ChannelFailed(Exception):
    """A message was not taken; the text says why, without the address."""


class Tone(StrEnum):
    """How a message is meant, as Apprise spells it."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


def service_of(address: str) -> str:
    """The name of the service that an address is of. Raises AddressRefused."""
    return str(_plugin(address).service_name)[:60]


def send(address: str, *, title: str, body: str, tone: Tone) -> None:
    """Send one message. Raises ChannelFailed where it was not taken."""
    import apprise

    try:
        plugin = _plugin(address)
    except AddressRefused as refused:
        raise ChannelFailed(refused.detail) from None
    with _complaints() as said:
        try:
            is_taken = plugin.notify(
                body=body,
                title=title,
                notify_type=apprise.NotifyType(tone.value),
                body_format=apprise.NotifyFormat.TEXT,
            )
        except Exception as error:  # noqa: BLE001 - a hundred plugins, each with its own
            said.append(repr(error))
            is_taken = False
    if not is_taken:
        why = " ".join(said) or "The service did not take the message."
        raise ChannelFailed(_without_secrets(why, address))


def _plugin(address: str) -> Any:
    """Raises AddressRefused."""
    import apprise

    scheme = address.partition("://")[0].strip().casefold()
    if OWN_SAY & parse_qs(urlsplit(address.strip()).query.casefold()).keys():
        raise AddressRefused(fields={"address": ["It names a file, or how long to wait."]})
    if scheme in LOCAL:
        raise AddressRefused(fields={"address": ["This service acts on the server itself."]})
    asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True, app_id="Kubat")
    with _complaints():
        plugin = apprise.Apprise.instantiate(address.strip(), asset=asset)
    if plugin is None:
        raise AddressRefused(fields={"address": ["Apprise does not know this address."]})
    if len(plugin) > MAX_TARGETS:
        text = "One target a channel: make another one for the rest."
        raise AddressRefused(fields={"address": [text]})
    return plugin


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What Apprise logs in this thread, instead of in our log: it may name what is secret."""
    logger = logging.getLogger("apprise")
    said: list[str] = []
    ours = threading.get_ident()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == ours and record.levelno >= logging.WARNING:
                said.append(record.getMessage())

    listener = Listener()
    logger.propagate = False
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)


def _without_secrets(text: str, address: str) -> str:
    """Take out every part of the address that is long enough to be a secret."""
    rest = address.partition("://")[2]
    for mark in ":/@?&=%,;":
        rest = rest.replace(mark, " ")
    for part in sorted(set(rest.split()), key=len, reverse=True):
        if len(part) >= SHORTEST_SECRET:
            text = text.replace(part, "…")
    return text[:500]
