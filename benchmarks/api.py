"""Kubat's HTTP API over one connection that stays open, with as little of our own as can be."""

import asyncio
import json
from typing import Any

PASSWORD = "a-password-of-the-benchmarks"  # noqa: S105
OPERATOR = "olga"


class ApiFailed(Exception):
    """A call was not answered as it should be."""


class Api:
    """The operator at one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def log_in(self) -> None:
        answer = await self.post("/auth/login", {"username": OPERATOR, "password": PASSWORD})
        self._token = answer["token"]

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        return await self._call("POST", path, json.dumps(body).encode())

    async def get(self, path: str) -> Any:
        return await self._call("GET", path, b"")

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _call(self, method: str, path: str, body: bytes) -> Any:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        if self._token:
            lines.append(f"Authorization: Bearer {self._token}")
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        status, answer = await self._read(reader)
        if not 200 <= status < 300:
            raise ApiFailed(f"{method} {path}: {status} {answer!r}")
        return json.loads(answer)

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
        first, *lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        if headers.get("connection", "").lower() == "close":
            self._streams = None
        if "content-length" in headers:
            return int(first.split()[1]), await reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), await self._read_chunks(reader)

    async def _read_chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body
