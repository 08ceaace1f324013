"""The network or the power goes, and what was missed is told late."""

import dataclasses
import datetime as dt
import itertools

from ..errors import ScenarioFailed
from ..station import SimulatedStation
from ..wire import dial
from .steps import (
    START,
    begin,
    known_id,
    lose_network,
    lost_id,
    need_tag,
    until_called,
    until_delivered,
    until_sampled,
)

MANY = 3
FLOOD = 300
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
        else:
            await until_called(station, START)
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
            await until_called(station, START)
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


async def clock_set_by_boot(station: SimulatedStation, id_tag: str) -> None:
    """A charge begins in 1970, without a network; the boot sets the clock in its midst."""
    need_tag(id_tag)
    station.clock.set(EPOCH)
    station.cut_network()
    async with station.powered():
        await station.present_tag(station.connectors[1], id_tag)
        await until_sampled(station)
        station.restore_network()
        await until_delivered(station)


async def message_id_restart(station: SimulatedStation, id_tag: str) -> None:
    """The connection breaks in mid-charge, and the message ids begin at 1 again with the next."""
    async with station.powered():
        await begin(station, id_tag)
        station.message_ids = itertools.count(1)
        station.cut_socket()
        await until_delivered(station)


async def crossing_calls(station: SimulatedStation, id_tag: str) -> None:
    """A RemoteStart and a RemoteStop are answered after the transaction is told."""
    crossed = frozenset({START, "RemoteStopTransaction"})
    station.quirks = dataclasses.replace(station.quirks, crossed=crossed)
    async with station.powered():
        await begin(station, id_tag)
        await until_delivered(station)
        if station.wire is not None:
            await station.wire.until_answered()


async def half_open(station: SimulatedStation, id_tag: str) -> None:
    """An old socket of the station is still open, and dies only after the new one charges."""
    old = await dial(station.setup.url, station.setup.station_id, station.memory.key)
    async with station.powered():
        await begin(station, id_tag)
        old.transport.abort()
        await until_delivered(station)
    if station.connections > 1:
        raise ScenarioFailed("the old socket took the new one with it")


async def flood(station: SimulatedStation, id_tag: str) -> None:
    """Hundreds of samples and statuses wait at once in a charge; all must be confirmed."""
    async with station.powered():
        connector = await begin(station, id_tag)
        for _ in range(FLOOD):
            station.sample(connector)
            station.announce_status(connector.connector_id)
        await until_delivered(station)
    if station.refusals:
        raise ScenarioFailed(f"{station.refusals[0]} was refused for good")


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
