"""Traces of autobahn that nobody reads, kept from being written.

For each connection it formats all its options, and for each piece of data it colours names for a
terminal, before it asks whether anyone logs at that level. That is more than half of what a
handshake costs.
"""

from autobahn.twisted import websocket
from autobahn.websocket import protocol

FORMATTERS = ("pformat", "hltype", "hlval")


def silence() -> None:
    """Let autobahn's traces be empty. Its warnings and errors do not pass through these."""
    for module in (protocol, websocket):
        for name in FORMATTERS:
            if hasattr(module, name):  # each version has its own of them
                setattr(module, name, _nothing)


def _nothing(*_told: object, **_how: object) -> str:
    return ""
