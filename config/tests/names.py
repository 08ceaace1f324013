"""A name server for tests: what Docker's own tells the proxy of a compose file."""

import socket
import struct
import threading

NO_ERROR, NO_SUCH_NAME = 0, 3
A_RECORD, INTERNET = 1, 1
TTL_S = 600
"""What Docker says; the proxy must not believe it."""


class NameServer:
    """Answers questions for addresses (RFC 1035) on a port of loopback, from `addresses`."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, sender = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), sender)
            except OSError:
                return

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode())
            at += 1 + length
        asked = question[12 : at + 5]
        kind = struct.unpack("!H", question[at + 1 : at + 3])[0]
        known = self.addresses.get(".".join(labels))
        code = NO_SUCH_NAME if known is None else NO_ERROR
        found = known if known and kind == A_RECORD else []
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, len(found), 0, 0)
        return head + asked + b"".join(map(_record, found))


def _record(address: str) -> bytes:
    """One address; its name is that of the question, at offset 12."""
    fields = struct.pack("!HHHIH", 0xC00C, A_RECORD, INTERNET, TTL_S, 4)
    return fields + socket.inet_aton(address)
