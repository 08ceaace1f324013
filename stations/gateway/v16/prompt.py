"""Sound calls that change nothing, and so are answered without the database and without waiting."""

from collections.abc import Callable, Mapping

from .. import wire
from ..request import Request
from . import facts

MAX_CHARS = 4096
"""Of a MeterValues that is read here: a longer one would hold up the other sockets."""

Prompt = Callable[[Request], str | None]


def _heartbeat(request: Request) -> str:
    """§4.6."""
    return wire.result(request.call.id, {"currentTime": facts.wire_time(request.received_at)})


def _meter_values(request: Request) -> str | None:
    """§4.7: one that has only measurands that we do not use; None where something is stored."""
    call = request.call
    if len(call.text) <= MAX_CHARS and facts.is_nothing_metered(call.payload):
        return wire.result(call.id, {})
    return None


def _data_transfer(request: Request) -> str:
    """§4.3. We know no vendor's messages."""
    return wire.result(request.call.id, {"status": "UnknownVendorId"})


PROMPT: Mapping[str, Prompt] = {
    "Heartbeat": _heartbeat,
    "MeterValues": _meter_values,
    "DataTransfer": _data_transfer,
}
