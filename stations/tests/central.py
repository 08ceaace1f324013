"""A small central system on plain WebSockets, for tests of the simulator."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve


class Central:
    """Confirms what stations say, gives one id to one start, and keeps all it received."""

    def __init__(self):
        self.received = []  # (action, payload, message id, number of the connection)
        self.connections = []
        self.credentials = []
        self.refused = {}  # action -> how often to answer a CALLERROR
        self.verdicts = {}  # tag -> idTagInfo.status
        self.handshake_status = None
        self.started = {}
        self._answers = {}
        self._news = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with serve(
            self._talk, "127.0.0.1", 0, subprotocols=["ocpp1.6"], process_request=self._admit
        ) as server:
            port = server.sockets[0].getsockname()[1]
            yield f"ws://127.0.0.1:{port}"

    async def call(self, action, payload):
        """Send a call over the newest connection and return the answer's frame."""
        message_id = f"c{len(self._answers)}"
        self._answers[message_id] = asyncio.get_running_loop().create_future()
        await self.connections[-1].send(json.dumps([2, message_id, action, payload]))
        return await asyncio.wait_for(self._answers[message_id], 5)

    async def until(self, is_true):
        async with asyncio.timeout(10):
            while not is_true(self):
                self._news.clear()
                await self._news.wait()

    def payloads(self, action):
        return [payload for name, payload, *_ in self.received if name == action]

    def actions(self, connection):
        """The actions of one connection in order, samples and their like left out."""
        return [
            f"{name} {payload['status']}" if name == "StatusNotification" else name
            for name, payload, _, number in self.received
            if number == connection and payload.get("connectorId") != 0
        ]

    def _admit(self, connection, request):
        self.credentials.append(request.headers.get("Authorization"))
        if self.handshake_status:
            return connection.respond(HTTPStatus(self.handshake_status), "no\n")
        return None

    async def _talk(self, socket: ServerConnection):
        self.connections.append(socket)
        number = len(self.connections)
        async for text in socket:
            kind, message_id, *rest = json.loads(text)
            if kind == 2:
                action, payload = rest
                self.received.append((action, payload, message_id, number))
                await socket.send(json.dumps(self._answer(message_id, action, payload)))
            else:
                self._answers[message_id].set_result([kind, *rest])
            self._news.set()

    def _answer(self, message_id, action, payload):
        if self.refused.get(action):
            self.refused[action] -= 1
            return [4, message_id, "InternalError", "", {}]
        return [3, message_id, self._confirmation(action, payload)]

    def _confirmation(self, action, payload):
        now = dt.datetime.now(dt.UTC).isoformat()
        verdict = {"status": self.verdicts.get(payload.get("idTag"), "Accepted")}
        match action:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": now, "interval": 300}
            case "Heartbeat":
                return {"currentTime": now}
            case "Authorize" | "StopTransaction":
                return {"idTagInfo": verdict}
            case "StartTransaction":
                key = json.dumps(payload, sort_keys=True)
                number = self.started.setdefault(key, len(self.started) + 1)
                return {"transactionId": number, "idTagInfo": verdict}
            case _:
                return {}
