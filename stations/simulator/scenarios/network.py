"""The network or the power goes, and what was missed is told late."""

import dataclasses
import datetime as dt

from ..errors import ScenarioFailed
from ..station import SimulatedStation
from .steps import (
    begin,
    known_id,
    lose_network,
    lost_id,
    need_tag,
    until_delivered,
    until_sampled,
)

MANY = 3
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


async def reply_lost(station: SimulatedStation, id_tag: str) -> None:
    """The connection breaks under the replies to StartTransaction and StopTransaction.

    Both are sent again, and the start must get the same transaction id (field notes, 2).
    """
    async with station.powered():
        await station.until(lambda: station.is_ready)
        station.lose_reply_to("StartTransaction")
        if id_tag:
            await station.present_tag(station.connectors[1], id_tag)
        await station.until(lambda: known_id(station) is not None)
        lost, again = lost_id(station), known_id(station)
        if lost != again:
            raise ScenarioFailed(f"the start got {lost} at first and {again} when it was resent")
        station.lose_reply_to("StopTransaction")
        await until_delivered(station)
    if station.lost_reply is None:
        raise ScenarioFailed("no reply to StopTransaction came that could be lost")


async def power_failure(station: SimulatedStation, id_tag: str) -> None:
    """The network goes as a charge begins, then the power; back again, all is told late.

    Boot, the old status, then what was queued: StartTransaction, MeterValues, StopTransaction.
    """
    async with station.powered():
        await station.until(lambda: station.is_ready)
        if id_tag:
            await lose_network(station)
            await station.present_tag(station.connectors[1], id_tag)
        else:
            station.lose_reply_to("StartTransaction")
            await station.until(lambda: station.lost_reply)
            station.cut_network()
        await until_sampled(station)
        station.report("the power fails")
    station.restore_network()
    async with station.powered():
        await until_delivered(station)


async def reconnect(station: SimulatedStation, id_tag: str) -> None:
    """The network goes in mid-charge and comes back, without a boot; the charge goes on."""
    async with station.powered():
        await begin(station, id_tag)
        await lose_network(station)
        await until_sampled(station)
        station.restore_network()
        await until_delivered(station)


async def offline(station: SimulatedStation, id_tag: str) -> None:
    """A charge begins and ends by card without a network, and is told when it is back."""
    await _charge_offline(station, id_tag, charges=1)


async def offline_many(station: SimulatedStation, id_tag: str) -> None:
    """Three charges, one after the other, begin and end without a network."""
    await _charge_offline(station, id_tag, charges=MANY)


async def state_before_money(station: SimulatedStation, id_tag: str) -> None:
    """A charge ends without a network; then every status comes first, and the money after it."""
    station.quirks = dataclasses.replace(station.quirks, keeps_states=True)
    async with station.powered():
        connector = await begin(station, id_tag)
        await lose_network(station)
        await until_sampled(station)
        station.end(connector, "Local")
        station.set_status(connector, "Preparing")
        station.restore_network()
        await until_delivered(station)


async def clock_1970(station: SimulatedStation, id_tag: str) -> None:
    """The station's clock begins at 1970 and nothing ever sets it."""
    need_tag(id_tag)
    station.clock.set(EPOCH)
    station.quirks = dataclasses.replace(station.quirks, ignores_time=True)
    async with station.powered():
        await station.until(lambda: station.is_ready)
        await station.present_tag(station.connectors[1], id_tag)
        await until_delivered(station)


async def _charge_offline(station: SimulatedStation, id_tag: str, *, charges: int) -> None:
    need_tag(id_tag)
    async with station.powered():
        await station.until(lambda: station.is_ready)
        await lose_network(station)
        connector = station.connectors[1]
        for _ in range(charges):
            await station.present_tag(connector, id_tag)
            await station.until(lambda: connector.transaction is None)
        station.restore_network()
        await until_delivered(station, charges)
