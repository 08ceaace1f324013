"""What a station says over one socket: Boot, its statuses, then what waits, in order."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from .errors import CallRefused, NoAnswer
from .memory import Message
from .wire import Payload, Wire

if TYPE_CHECKING:
    from .station import SimulatedStation

BOOT_RETRY_S = 10


async def _race(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run these side by side until the first fails; end the others, and raise what it raised.

    A TaskGroup would prefer that failure to a cancellation that comes at the same moment, and the
    station would go on without power.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def hold(station: "SimulatedStation", wire: Wire) -> None:
    """Talk over this socket until it is gone. Raises Disconnected."""
    await _race(wire.listen(), _speak(station, wire))


async def _speak(station: "SimulatedStation", wire: Wire) -> None:
    # Only a reboot boots: after a mere loss of the network a station goes on where it was.
    if not station.is_accepted:
        await _boot(station, wire)
    missed, station.missed_states = station.missed_states, []
    for state in missed:
        await _say(station, wire, Message("StatusNotification", state))
    for connector_id in (0, *station.connectors):
        await _say(station, wire, Message("StatusNotification", station.status_of(connector_id)))
    station.end_interrupted()
    station.is_ready = True
    station.changed()
    await _race(_beat(station, wire), _deliver(station, wire))


def boot_of(station: "SimulatedStation") -> Payload:
    return {
        "chargePointVendor": "Kubat",
        "chargePointModel": "Simulator",
        "firmwareVersion": station.memory.firmware_version,
    }


async def _boot(station: "SimulatedStation", wire: Wire) -> None:
    """Ask to be accepted until it is (OCPP 1.6 §4.2)."""
    while True:
        reply = await _ask(station, wire, Message("BootNotification", boot_of(station)))
        station.report(f"boot {reply['status']}")
        station.heed_time(reply["currentTime"])
        if reply["status"] == "Accepted":
            station.heartbeat_s = reply["interval"] or station.heartbeat_s
            station.is_accepted = True
            return
        await asyncio.sleep(reply["interval"] or BOOT_RETRY_S)


async def _beat(station: "SimulatedStation", wire: Wire) -> None:
    while True:
        await asyncio.sleep(station.heartbeat_s)
        await _say(station, wire, Message("Heartbeat", {}))


async def _deliver(station: "SimulatedStation", wire: Wire) -> None:
    """Send what waits, one by one; the next goes out when this one is confirmed or given up."""
    queue = station.memory.queue
    while True:
        await station.until(lambda: queue)
        message = queue[0]
        reply = await _say(station, wire, message)
        if message.action in station.quirks.repeated:
            await _say(station, wire, message)
        queue.remove(message)
        if reply is not None and message.number:
            station.learn(message, reply)
        station.changed()


async def _say(station: "SimulatedStation", wire: Wire, message: Message) -> Payload | None:
    """Return the reply, or None when the server refused it for good.

    A message about a transaction is tried TransactionMessageAttempts times (OCPP 1.6 §9.1.30);
    silence is no refusal, and is asked again for ever.
    """
    attempts = int(station.configuration.number("TransactionMessageAttempts"))
    for attempt in range(1, attempts + 1):
        try:
            return await _ask(station, wire, message)
        except CallRefused as refusal:
            station.report(f"{message.action} refused: {refusal}")
        if not message.number:
            return None
        if attempt < attempts:
            pause_s = station.configuration.number("TransactionMessageRetryInterval")
            await asyncio.sleep(pause_s * attempt)
    station.refusals.append(message.action)
    return None


async def _ask(station: "SimulatedStation", wire: Wire, message: Message) -> Payload:
    while True:
        try:
            return await wire.call(message.action, _addressed(station, message))
        except NoAnswer as silence:
            station.report(str(silence))


def _addressed(station: "SimulatedStation", message: Message) -> Payload:
    """Fill in the transaction id, which an offline start learns late, and a refused one never."""
    if not message.number or message.action == "StartTransaction":
        return message.payload
    says = station.setup.meter.transaction_id if message.action == "MeterValues" else "own"
    if says == "none":
        return message.payload
    if says == "zero":
        return {**message.payload, "transactionId": 0}
    transaction_id = station.memory.transactions[message.number].transaction_id
    return {
        **message.payload,
        "transactionId": -1 if transaction_id is None else transaction_id,
    }
