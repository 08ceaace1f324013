"""The Channels consumer at /ws/{station_id}: from handshake to close."""

from http import HTTPStatus
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer

from ..measures import HANDSHAKES
from .connection import Connection, Receive, Send
from .handshake import Refused
from .process import Gateway

DENIAL = "websocket.http.response"


class StationConsumer(AsyncWebsocketConsumer):
    """One station's socket.

    It takes the place of Channels' own loop, which hops through one shared thread before every
    message: there one slow query stalls every socket of the process.
    """

    def __init__(self, *, gateway: Gateway) -> None:
        super().__init__()
        self.gateway = gateway

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scope, self.base_send = scope, send
        await receive()  # websocket.connect
        try:
            admission = await self.gateway.admit(scope)
        except Refused as refused:
            HANDSHAKES.add(str(refused.status.value))
            await self._refuse(refused)
            return
        HANDSHAKES.add(str(HTTPStatus.SWITCHING_PROTOCOLS.value))
        connection = Connection(
            admission,
            frames=self.gateway.frames,
            writer=self.gateway.writer,
            arrivals=self.gateway.arrivals,
            agenda=self.gateway.agenda,
            turns=self.gateway.turns,
            on_heard=self.gateway.heard,
            send=send,
            peer=(scope["client"] or ("",))[0],
        )
        try:
            await self.accept(admission.answered)
            scope["headers"] = []  # nobody reads them now, and the scope lives with the socket
            del admission
            await self.gateway.enter(connection)
            await connection.run(receive)
        finally:
            await self.gateway.leave(connection)

    async def _refuse(self, refused: Refused) -> None:
        """Answer the handshake with a status, where the server knows how (ASGI extension)."""
        if DENIAL in self.scope.get("extensions", {}):
            await self.base_send(
                {
                    "type": f"{DENIAL}.start",
                    "status": refused.status.value,
                    "headers": refused.headers,
                }
            )
            await self.base_send({"type": f"{DENIAL}.body", "body": b""})
        else:
            await self.close()
