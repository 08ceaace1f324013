"""A charge: the wait for its cable, then energy flows, is reported, and the car is full."""

import asyncio
from typing import TYPE_CHECKING

from .connector import Connector
from .memory import Transaction

if TYPE_CHECKING:
    from .station import SimulatedStation


async def await_cable(station: "SimulatedStation", connector: Connector) -> None:
    await asyncio.sleep(station.configuration.number("ConnectionTimeOut"))
    if connector.status == "Preparing":
        station.set_status(connector, "Available")


async def charge(
    station: "SimulatedStation", connector: Connector, transaction: Transaction
) -> None:
    loop = asyncio.get_running_loop()
    sample_at = loop.time()
    while connector.transaction is transaction:
        interval_s = station.configuration.number("MeterValueSampleInterval")
        sample_at += interval_s or 1  # on the beat, however long a round takes
        await _flow(station, connector, transaction, sample_at)
        if connector.transaction is not transaction:
            return
        if interval_s:
            station.sample(connector)
        station.report(connector.describe())
        if connector.is_full:
            await _leave(station, connector, transaction)


async def _flow(
    station: "SimulatedStation", connector: Connector, transaction: Transaction, until_s: float
) -> None:
    """Let energy flow until then, and meter at each moment at which a profile changes its limit."""
    loop = asyncio.get_running_loop()
    while connector.transaction is transaction and (left_s := until_s - loop.time()) > 0:
        await asyncio.sleep(min(left_s, station.profiles.steady_s(transaction)))
        meter(station, connector)


def meter(station: "SimulatedStation", connector: Connector) -> None:
    """Count what flowed until now, and obey the limit that is in force from now on."""
    transaction = connector.transaction
    if transaction is None:
        return
    connector.meter()
    connector.obey(station.profiles.limit_w(connector.connector_id, transaction))
    if connector.limit_w == 0 and connector.status == "Charging":
        station.set_status(connector, "SuspendedEVSE")
    elif connector.limit_w != 0 and connector.status == "SuspendedEVSE":
        station.set_status(connector, "Charging")


async def _leave(
    station: "SimulatedStation", connector: Connector, transaction: Transaction
) -> None:
    """The car is full; its driver comes back and unplugs it after a while."""
    station.set_status(connector, "SuspendedEV")
    await asyncio.sleep(station.setup.parking_s)
    if connector.transaction is transaction:
        station.end(connector, "EVDisconnected")
