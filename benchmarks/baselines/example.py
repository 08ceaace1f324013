"""A central system as python-ocpp's documentation shows it, on `websockets`.

`python -m benchmarks.baselines.example PORT`. It validates each call and stores nothing.
"""

import asyncio
import datetime as dt
import sys
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action, RegistrationStatus
from websockets.asyncio.server import ServerConnection, serve


class Station(ChargePoint):
    """A charge point that reports its boot, its state, its life and its meter."""

    @on(Action.boot_notification)
    def on_boot(self, **told: Any) -> call_result.BootNotification:
        return call_result.BootNotification(
            current_time=dt.datetime.now(dt.UTC).isoformat(),
            interval=300,
            status=RegistrationStatus.accepted,
        )

    @on(Action.status_notification)
    def on_status(self, **told: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @on(Action.heartbeat)
    def on_heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(current_time=dt.datetime.now(dt.UTC).isoformat())

    @on(Action.meter_values)
    def on_meter_values(self, **told: Any) -> call_result.MeterValues:
        return call_result.MeterValues()


async def take(connection: ServerConnection) -> None:
    assert connection.request is not None
    await Station(connection.request.path.strip("/"), connection).start()


async def main(port: int) -> None:
    async with serve(take, "127.0.0.1", port, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
