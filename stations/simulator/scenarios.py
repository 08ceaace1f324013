"""The stories that a simulated station plays, each from power on to the last confirmation."""

from collections.abc import Awaitable, Callable

from .errors import ScenarioFailed
from .memory import Transaction
from .station import SimulatedStation

Scenario = Callable[[SimulatedStation, str], Awaitable[None]]
OFFLINE_SAMPLES = 3


async def plain(station: SimulatedStation, id_tag: str) -> None:
    """Wait for a RemoteStart and charge until it is stopped or the car is full."""
    async with station.powered():
        await _until_delivered(station)


async def stay(station: SimulatedStation, id_tag: str) -> None:
    """Stay connected and charge whenever it is asked to, until interrupted."""
    async with station.powered():
        await station.until(lambda: False)


async def local_start(station: SimulatedStation, id_tag: str) -> None:
    """A driver holds a card to the station and charges until it is stopped or the car is full."""
    _need_tag(id_tag)
    async with station.powered():
        await station.until(lambda: station.is_ready)
        await station.present_tag(station.connectors[1], id_tag)
        await _until_delivered(station)


async def reply_lost(station: SimulatedStation, id_tag: str) -> None:
    """The connection breaks under the replies to StartTransaction and StopTransaction.

    Both are sent again, and the start must get the same transaction id (field notes, 2).
    """
    async with station.powered():
        await station.until(lambda: station.is_ready)
        station.lose_reply_to("StartTransaction")
        if id_tag:
            await station.present_tag(station.connectors[1], id_tag)
        await station.until(lambda: _known_id(station) is not None)
        lost, again = _lost_id(station), _known_id(station)
        if lost != again:
            raise ScenarioFailed(f"the start got {lost} at first and {again} when it was resent")
        station.lose_reply_to("StopTransaction")
        await _until_delivered(station)
    if station.lost_reply is None:
        raise ScenarioFailed("no reply to StopTransaction came that could be lost")


async def power_failure(station: SimulatedStation, id_tag: str) -> None:
    """The network goes as a charge begins, then the power; back again, all is told late.

    Boot, the old status, then what was queued: StartTransaction, MeterValues, StopTransaction.
    """
    async with station.powered():
        await station.until(lambda: station.is_ready)
        if id_tag:
            station.cut_network()
            await station.until(lambda: station.wire is None)
            await station.present_tag(station.connectors[1], id_tag)
        else:
            station.lose_reply_to("StartTransaction")
            await station.until(lambda: station.lost_reply)
            station.cut_network()
        await station.until(lambda: len(station.memory.queue) > OFFLINE_SAMPLES)
        station.report("the power fails")
    station.restore_network()
    async with station.powered():
        await _until_delivered(station)


SCENARIOS: dict[str, Scenario] = {
    "plain": plain,
    "stay": stay,
    "local-start": local_start,
    "reply-lost": reply_lost,
    "power-failure": power_failure,
}


def _need_tag(id_tag: str) -> None:
    if not id_tag:
        raise ScenarioFailed("this scenario needs a tag")


async def _until_delivered(station: SimulatedStation) -> None:
    """Wait until a charge is told to its end. Raises ScenarioFailed when it was refused."""
    await station.until(lambda: station.refusals or (station.delivered and station.is_silent))
    if station.refusals:
        raise ScenarioFailed(f"{station.refusals[0]} was refused for good")
    transaction = station.delivered[0]
    if transaction.verdict != "Accepted":
        raise ScenarioFailed(f"the tag {transaction.id_tag} is {transaction.verdict}")


def _known_id(station: SimulatedStation) -> int | None:
    transactions: list[Transaction] = [*station.memory.transactions.values(), *station.delivered]
    return transactions[-1].transaction_id if transactions else None


def _lost_id(station: SimulatedStation) -> int | None:
    return station.lost_reply["transactionId"] if station.lost_reply else None
