"""The station does not do what it is asked, or does what nobody asked."""

import dataclasses

from ..clock import stamp
from ..errors import ScenarioFailed
from ..quirks import Quirks
from ..station import SimulatedStation
from .steps import START, ask, begin, has_status, until_asked, until_called, until_delivered

STOP = "RemoteStopTransaction"
NOBODYS_TRANSACTION = 2_000_000_000


async def unplugged_cable(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStart is accepted and nobody plugs in: Available after ConnectionTimeOut."""
    station.has_cable = False
    async with station.powered():
        await until_called(station, START)
        await station.until(lambda: has_status(station, "Preparing"))
        await station.until(lambda: not has_status(station, "Preparing") and station.is_silent)


async def silent(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStart is never answered, and the station goes on talking."""
    await _decline_start(station, Quirks(mute=frozenset({START})))


async def refused_start(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStart is rejected."""
    await _decline_start(station, Quirks(refused=frozenset({START})))


async def ignored_start(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStart is accepted, and then nothing happens at all."""
    await _decline_start(station, Quirks(ignored=frozenset({START})))


async def silent_stop(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStop is never answered; the driver unplugs in the end."""
    await _decline_stop(station, id_tag, Quirks(mute=frozenset({STOP})))


async def refused_stop(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStop is rejected; the driver unplugs in the end."""
    await _decline_stop(station, id_tag, Quirks(refused=frozenset({STOP})))


async def ignored_stop(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStop is accepted and the charge goes on; the driver unplugs in the end."""
    await _decline_stop(station, id_tag, Quirks(ignored=frozenset({STOP})))


async def stubborn_stop(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStop and a profile are accepted and ignored; only an unlock or a reset helps."""
    station.quirks = Quirks(ignored=frozenset({STOP, "SetChargingProfile"}))
    async with station.powered():
        await begin(station, id_tag)
        await until_asked(station, STOP)
        await until_delivered(station)


async def double_stop(station: SimulatedStation, id_tag: str) -> None:
    """StopTransaction is sent twice, with two message ids; both must be confirmed."""
    station.quirks = dataclasses.replace(station.quirks, repeated=frozenset({"StopTransaction"}))
    async with station.powered():
        await begin(station, id_tag)
        await until_delivered(station)


async def stop_without_start(station: SimulatedStation, id_tag: str) -> None:
    """StopTransaction of a transaction that nobody started; it must be confirmed all the same."""
    async with station.powered():
        await station.until(lambda: station.is_ready)
        stop = {
            "transactionId": NOBODYS_TRANSACTION,
            "meterStop": 1000,
            "timestamp": stamp(station.clock.now()),
        }
        await ask(station, "StopTransaction", stop)


async def _decline_start(station: SimulatedStation, quirks: Quirks) -> None:
    """Be asked to start, start nothing, and still be heard by the server."""
    station.quirks = quirks
    async with station.powered():
        await until_called(station, START)
        await ask(station, "Heartbeat", {})
        if station.memory.transactions:
            raise ScenarioFailed("a charge began")


async def _decline_stop(station: SimulatedStation, id_tag: str, quirks: Quirks) -> None:
    station.quirks = quirks
    async with station.powered():
        connector = await begin(station, id_tag)
        await until_asked(station, STOP)
        station.end(connector, "EVDisconnected")
        await until_delivered(station)
