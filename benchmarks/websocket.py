"""The client's half of WebSocket (RFC 6455) as bytes: just enough to be cheaper than any server."""

import base64
import functools
import os
from dataclasses import dataclass

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
SUBPROTOCOL = "ocpp1.6"
_MASK = bytes.fromhex("37fa213d")
_FINAL, _MASKED = 0x80, 0x80


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a server, and where the next one begins."""

    opcode: int
    payload: bytes
    end: int


def handshake(*, host: str, path: str, user: str, password: str) -> bytes:
    """The request that opens a socket for OCPP 1.6, with HTTP Basic and without compression."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    nonce = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {nonce}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        f"Authorization: Basic {token}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def masked(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole frame of a client."""
    size = len(payload)
    head, pad = _prepared(size, opcode)
    return head + (int.from_bytes(payload, "little") ^ pad).to_bytes(size, "little")


@functools.lru_cache(maxsize=4096)
def _prepared(size: int, opcode: int) -> tuple[bytes, int]:
    """The header of a frame of this size, and its mask as one number."""
    if size < 126:
        head = bytes((_FINAL | opcode, _MASKED | size))
    else:
        head = bytes((_FINAL | opcode, _MASKED | 126)) + size.to_bytes(2, "big")
    pad = int.from_bytes((_MASK * (size // 4 + 1))[:size], "little")
    return head + _MASK, pad


def read(data: bytes, start: int) -> Frame | None:
    """The frame that begins at `start`; None while a part of it is missing."""
    if len(data) < start + 2:
        return None
    size, body = data[start + 1], start + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(data) < body + width:
            return None
        size, body = int.from_bytes(data[body : body + width], "big"), body + width
    end = body + size
    if len(data) < end:
        return None
    return Frame(data[start] & 0x0F, data[body:end], end)
