"""Charges as they should be."""

from ..station import SimulatedStation
from .steps import START, need_tag, until_called, until_delivered


async def plain(station: SimulatedStation, id_tag: str) -> None:
    """Wait for a RemoteStart and charge until it is stopped or the car is full."""
    async with station.powered():
        await until_called(station, START)
        await until_delivered(station)


async def stay(station: SimulatedStation, id_tag: str) -> None:
    """Stay connected and charge whenever it is asked to, until interrupted."""
    async with station.powered():
        await station.until(lambda: False)


async def local_start(station: SimulatedStation, id_tag: str) -> None:
    """A driver holds a card to the station and charges until it is stopped or the car is full."""
    need_tag(id_tag)
    async with station.powered():
        await station.until(lambda: station.is_ready)
        await station.present_tag(station.connectors[1], id_tag)
        await until_delivered(station)


async def cached_tag(station: SimulatedStation, id_tag: str) -> None:
    """The station knows the card and starts at once, without Authorize (OCPP 1.6 §3.5.1)."""
    need_tag(id_tag)
    async with station.powered():
        await station.until(lambda: station.is_ready)
        station.configuration.change("LocalPreAuthorize", "true")
        station.tags.learn(id_tag, {"status": "Accepted"})
        await station.present_tag(station.connectors[1], id_tag)
        await until_delivered(station)
