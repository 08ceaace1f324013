"""python-ocpp's ChargePoint behind Channels' AsyncWebsocketConsumer."""

import asyncio
import datetime as dt
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action, RegistrationStatus

from .models import MeterMessage
from .settings import STORES


class Station(ChargePoint):
    """A charge point that reports its boot, its state, its life and its meter."""

    @on(Action.boot_notification)
    async def on_boot(self, **told: Any) -> call_result.BootNotification:
        return call_result.BootNotification(
            current_time=dt.datetime.now(dt.UTC).isoformat(),
            interval=300,
            status=RegistrationStatus.accepted,
        )

    @on(Action.status_notification)
    async def on_status(self, **told: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @on(Action.heartbeat)
    async def on_heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=dt.datetime.now(dt.UTC).isoformat())

    @on(Action.meter_values)
    async def on_meter_values(
        self,
        connector_id: int,
        meter_value: list[Any],
        transaction_id: int | None = None,
        **told: Any,
    ) -> call_result.MeterValues:
        if STORES:
            row = MeterMessage(
                station_id=self.id,
                connector_id=connector_id,
                transaction_id=transaction_id,
                meter_value=meter_value,
            )
            await row.asave()
        return call_result.MeterValues()


class StationConsumer(AsyncWebsocketConsumer):
    """A socket; it is also the connection that the charge point reads and writes."""

    async def connect(self) -> None:
        self._texts: asyncio.Queue[str] = asyncio.Queue()
        station_id = self.scope["url_route"]["kwargs"]["station_id"]
        await self.accept("ocpp1.6")
        self._serving = asyncio.create_task(Station(station_id, self).start())

    async def receive(self, text_data: str = "", bytes_data: bytes | None = None) -> None:
        self._texts.put_nowait(text_data)

    async def disconnect(self, code: int) -> None:
        self._serving.cancel()

    async def recv(self) -> str:
        return await self._texts.get()
