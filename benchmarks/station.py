"""One station of a load: a raw socket that says what its fleet asks for and checks each reply."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import messages, websocket

REPLY_S = 120.0
RETRY_S = (1.0, 3.0)
"""How long a station that was turned away waits, at random, before it comes again."""
CONFIGURATION = {
    "MeterValueSampleInterval": "10",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,SoC",
    "ConnectionTimeOut": "60",
    "StopTransactionOnInvalidId": "true",
    "AllowOfflineTxForUnknownId": "false",
    "NumberOfConnectors": "1",
    "HeartbeatInterval": "60",
}
BOOT = {"chargePointVendor": "Bench", "chargePointModel": "B-1", "firmwareVersion": "1.0"}
_NOTHING = b"\0"


class Lost(Exception):
    """The socket closed, or was never opened."""


class WrongReply(Exception):
    """A reply is not the one that the call asked for."""


@dataclass
class Watch:
    """What all stations of a fleet tell: replies, faults, calls to them, retries."""

    replies: int = 0
    faults: list[str] = field(default_factory=list)
    retries: int = 0
    called_at: float = 0.0
    on_call: Callable[["Station", str], None] | None = None

    def fault(self, text: str) -> None:
        self.faults.append(text[:300])


class Station(asyncio.Protocol):
    """It has one call outstanding at most; with a `load` it sends the next as a reply comes."""

    def __init__(self, station_id: str, watch: Watch, *, is_echoed: bool = False) -> None:
        self.station_id = station_id
        self.sequence = 0
        self.last_ms = 0
        self.transaction_id: int | None = None
        self.load: messages.Kind | None = None
        self.is_echoed = is_echoed
        self._watch = watch
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._expected = _NOTHING
        self._buffer = b""
        self._is_closing = False
        self._is_arriving = False

    # --- The socket ----------------------------------------------------------------------------

    async def connect(self, port: int, *, key: str) -> None:
        """Open the socket. Raises Lost."""
        try:
            await self._connect(port, key)
        except OSError as error:
            raise Lost(f"{self.station_id}: {error}") from error

    async def arrive(self, port: int, *, key: str) -> None:
        """Connect and boot, as often as it takes. Raises WrongReply."""
        self._is_arriving = True
        while self._is_arriving:
            try:
                await self.connect(port, key=key)
                await self.boot()
                self._is_arriving = False
            except Lost:
                self._watch.retries += 1
                await asyncio.sleep(random.uniform(*RETRY_S))

    async def _connect(self, port: int, key: str) -> None:
        loop = asyncio.get_running_loop()
        self._opened, self._buffer, self._is_closing = loop.create_future(), b"", False
        transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", port)
        transport.write(
            websocket.handshake(
                host=f"127.0.0.1:{port}",
                path=f"/ws/{self.station_id}",
                user=self.station_id,
                password=key,
            )
        )
        await self._opened

    def close(self) -> None:
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        lost = Lost(f"the socket closed: {error}")
        if self._opened and not self._opened.done():
            self._opened.set_exception(lost)
        elif not (self._is_closing or self._is_arriving):
            self._watch.fault(f"{self.station_id}: {lost}")
        if self._answer and not self._answer.done():
            self._answer.set_exception(lost)

    def data_received(self, data: bytes) -> None:
        data, at = self._buffer + data, 0
        if self._opened is not None and not self._opened.done():
            at = self._take_handshake(data)
            if not self._opened.done():
                self._buffer = data
                return
        while (frame := websocket.read(data, at)) is not None:
            at = frame.end
            self._take(frame)
        self._buffer = data[at:]

    def _take_handshake(self, data: bytes) -> int:
        assert self._opened is not None
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            return 0
        if data.startswith(b"HTTP/1.1 101"):
            self._opened.set_result(None)
        else:
            status = data.partition(b"\r\n")[0].decode(errors="replace")
            self._opened.set_exception(Lost(f"the handshake was answered with {status}"))
            self.close()
        return end

    def _write(self, payload: bytes, opcode: int = websocket.TEXT) -> None:
        if self._transport is not None:
            self._transport.write(websocket.masked(payload, opcode))

    # --- Its own calls -------------------------------------------------------------------------

    async def ask(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Send one call and return what it is answered with. Raises Lost, WrongReply."""
        self.sequence += 1
        message_id = f"a{self.sequence}"
        self._expected = b'[3,"%b"' % message_id.encode()
        self._answer = asyncio.get_running_loop().create_future()
        self._write(messages.call(message_id, action, payload))
        try:
            async with asyncio.timeout(REPLY_S):
                answer = json.loads(await self._answer)
        except TimeoutError:
            raise Lost(f"{self.station_id}: {action} was not answered") from None
        if not (isinstance(answer, list) and len(answer) == 3 and isinstance(answer[2], dict)):
            raise WrongReply(str(answer))
        return answer[2]

    async def boot(self) -> None:
        answer = await self.ask("BootNotification", BOOT)
        if answer.get("status") != "Accepted":
            raise WrongReply(f"{self.station_id}: the boot was answered with {answer}")

    async def be_free(self) -> None:
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        await self.ask("StatusNotification", status)

    async def begin(self, id_tag: str) -> None:
        """Begin a transaction, as a car does that was plugged in. Raises Lost, WrongReply."""
        now_ms = time.time_ns() // 1_000_000
        start = {
            "connectorId": 1,
            "idTag": id_tag,
            "meterStart": int(messages.register_wh(now_ms)),
            "timestamp": messages.moment(now_ms),
        }
        answer = await self.ask("StartTransaction", start)
        if answer.get("idTagInfo", {}).get("status") != "Accepted":
            raise WrongReply(f"{self.station_id}: the start was answered with {answer}")
        self.transaction_id = answer["transactionId"]

    def say(self) -> None:
        """Send the next call of the load."""
        assert self.load is not None
        text, message_id = self.load.text(self, time.time_ns() // 1_000_000)
        self._expected = text if self.is_echoed else b'[3,"%b",' % message_id
        self._write(text)

    @property
    def is_waiting(self) -> bool:
        """Whether a call of its own is without an answer."""
        return self._expected is not _NOTHING

    # --- What it is told -----------------------------------------------------------------------

    def _take(self, frame: websocket.Frame) -> None:
        if frame.opcode == websocket.TEXT:
            if frame.payload.startswith(self._expected):
                self._take_reply(frame.payload)
            else:
                self._take_other(frame.payload)
        elif frame.opcode == websocket.PING:
            self._write(frame.payload, websocket.PONG)
        elif frame.opcode != websocket.CLOSE:
            self._watch.fault(f"{self.station_id}: a frame of kind {frame.opcode}")

    def _take_reply(self, payload: bytes) -> None:
        self._expected = _NOTHING
        if self._answer is not None:
            answer, self._answer = self._answer, None
            answer.set_result(payload)
            return
        self._watch.replies += 1
        if self.load is not None:
            self.say()

    def _take_other(self, payload: bytes) -> None:
        """Answer a call of the server; anything else is a fault."""
        message = json.loads(payload)
        if message[0] != 2:
            self._watch.fault(f"{self.station_id}: {payload.decode()}")
            if self.is_waiting:
                self._take_reply(payload)
            return
        _, message_id, action, asked = message
        answer = json.dumps([3, message_id, self._answer_to(action)], separators=(",", ":"))
        self._watch.called_at = time.monotonic()
        if self._watch.on_call is not None:
            self._watch.on_call(self, action)
        self._write(answer.encode())
        if action == "RemoteStartTransaction":
            self._start = asyncio.ensure_future(self._begin_asked(asked["idTag"]))

    async def _begin_asked(self, id_tag: str) -> None:
        try:
            await self.begin(id_tag)
        except (Lost, WrongReply) as error:
            self._watch.fault(str(error))

    def _answer_to(self, action: str) -> dict[str, Any]:
        if action == "RemoteStopTransaction":
            self._watch.fault(f"{self.station_id}: was asked to stop")
        if action != "GetConfiguration":
            return {"status": "Accepted"}
        keys = [
            {"key": key, "value": value, "readonly": False} for key, value in CONFIGURATION.items()
        ]
        return {"configurationKey": keys, "unknownKey": []}
