"""What goes over a WebSocket, read in passing (RFC 6455 §5); it changes nothing.

It shares no code with the server or the simulator, whose words it is there to witness.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TEXT, CONTINUATION = 1, 0
END_OF_HEAD = b"\r\n\r\n"


@dataclass(slots=True)
class Decoder:
    """Reads one direction of a connection: the head of HTTP, then frames; yields texts."""

    head: bytes = b""
    _rest: bytearray = field(default_factory=bytearray)
    _text: bytearray = field(default_factory=bytearray)
    _is_text: bool = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        self._rest += chunk
        if not self.head:
            end = self._rest.find(END_OF_HEAD)
            if end < 0:
                return
            self.head = bytes(self._rest[: end + len(END_OF_HEAD)])
            del self._rest[: len(self.head)]
        while (frame := self._next()) is not None:
            if (text := self._take(*frame)) is not None:
                yield text

    def _next(self) -> tuple[int, bool, bytes] | None:
        """Take one whole frame: its opcode, whether it is the last of its message, its payload."""
        rest = self._rest
        if len(rest) < 2:
            return None
        length, at = rest[1] & 0x7F, 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, at = int.from_bytes(rest[2 : 2 + size]), 2 + size
        mask_at = at
        at += 4 if rest[1] & 0x80 else 0
        if len(rest) < at + length:
            return None
        payload = bytes(rest[at : at + length])
        if at > mask_at:
            payload = _unmasked(payload, bytes(rest[mask_at:at]))
        opcode, is_last = rest[0] & 0x0F, bool(rest[0] & 0x80)
        del rest[: at + length]
        return opcode, is_last, payload

    def _take(self, opcode: int, is_last: bool, payload: bytes) -> str | None:
        if opcode not in (TEXT, CONTINUATION):
            return None
        self._text += payload
        if not is_last:
            return None
        text = self._text.decode(errors="replace")
        self._text.clear()
        return text


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    keys = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(keys)).to_bytes(len(payload))


def path_of(head: bytes) -> str:
    """The path of a request, or "" where there is none."""
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    return parts[1].decode(errors="replace") if len(parts) > 1 else ""


def is_accepted(head: bytes) -> bool:
    """Whether this answers a handshake with 101."""
    return head.split(b"\r\n", 1)[0].split(b" ")[1:2] == [b"101"]


def without_extensions(head: bytes) -> bytes:
    """A request that offers no compression, so that what follows can be read."""
    lines = head.split(b"\r\n")
    return b"\r\n".join(
        line for line in lines if not line.lower().startswith(b"sec-websocket-extensions:")
    )


def message_of(text: str) -> list[Any] | None:
    """An OCPP-J message (call, result or error), or None."""
    try:
        frame = json.loads(text)
    except ValueError:
        return None
    is_message = isinstance(frame, list) and len(frame) >= 3 and frame[0] in (2, 3, 4)
    return frame if is_message else None
