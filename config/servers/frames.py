"""The WebSocket frames that nearly all traffic is (RFC 6455 §5.2): text, whole, in one piece.

All others, and all that are wrong, are left to the server's own library.
"""

from websockets.frames import apply_mask  # type: ignore[attr-defined] # in C where it can be

WHOLE_TEXT, CLOSE = 0x81, 0x88
IS_MASKED = 0x80
TWO_BYTES, EIGHT_BYTES = 126, 127
"""What a length of seven bits says when the length follows."""


def text_of(data: bytes) -> str | None:
    """The text of a client's bytes if they are exactly one such frame of less than 64 KiB."""
    if len(data) < 6 or data[0] != WHOLE_TEXT:
        return None
    length, start = data[1] - IS_MASKED, 2
    if length == TWO_BYTES:
        length, start = int.from_bytes(data[2:4], "big"), 4
        if length < TWO_BYTES:
            return None
    elif not 0 <= length < TWO_BYTES:
        return None
    if len(data) != start + 4 + length:
        return None
    try:
        return apply_mask(data[start + 4 :], data[start : start + 4]).decode()
    except UnicodeDecodeError:
        return None


def of_text(text: str) -> bytes:
    """A server's frame of text."""
    data = text.encode()
    length = len(data)
    if length < TWO_BYTES:
        return bytes((WHOLE_TEXT, length)) + data
    if length < 65536:
        return bytes((WHOLE_TEXT, TWO_BYTES)) + length.to_bytes(2, "big") + data
    return bytes((WHOLE_TEXT, EIGHT_BYTES)) + length.to_bytes(8, "big") + data


class Boundary:
    """Where in a client's stream of frames its last byte lies: between two of them, or inside."""

    __slots__ = ("_head", "_missing", "has_close")

    def __init__(self) -> None:
        self.has_close = False
        self._head = b""
        self._missing = 0

    def is_reached(self) -> bool:
        return not self._head and not self._missing

    def follow(self, data: bytes) -> None:
        """Take note of more bytes."""
        at = 0
        while at < len(data):
            if self._missing:
                step = min(self._missing, len(data) - at)
                self._missing -= step
            else:
                step = 1
                self._head += data[at : at + 1]
                self._read_head()
            at += step

    def _read_head(self) -> None:
        """Know what is missing once the first bytes say it; a server's library judges them."""
        if len(self._head) < 2:
            return
        length = self._head[1] & ~IS_MASKED
        more = {TWO_BYTES: 2, EIGHT_BYTES: 8}.get(length, 0)
        if len(self._head) == 2 + more:
            if more:
                length = int.from_bytes(self._head[2:], "big")
            self.has_close = self.has_close or self._head[0] == CLOSE
            self._missing = length + (4 if self._head[1] & IS_MASKED else 0)
            self._head = b""
