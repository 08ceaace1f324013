"""What several scenarios do."""

import asyncio

from ..connector import Connector
from ..errors import Disconnected, ScenarioFailed
from ..memory import Transaction
from ..station import SimulatedStation
from ..wire import Payload

SAMPLES = 3
PATIENCE_S = 600
START = "RemoteStartTransaction"


def need_tag(id_tag: str) -> None:
    if not id_tag:
        raise ScenarioFailed("this scenario needs a tag")


async def begin(station: SimulatedStation, id_tag: str) -> Connector:
    """Wait until a charge runs and has its id: by the card, or by a RemoteStart if there is none.

    Raises ScenarioFailed when the server refused the card.
    """
    await station.until(lambda: station.is_ready)
    if id_tag:
        await station.present_tag(station.connectors[1], id_tag)
    else:
        await until_called(station, START)
    await station.until(lambda: known_id(station) is not None)
    running = [c for c in station.connectors.values() if c.transaction]
    if not running:
        raise ScenarioFailed("the charge was over before it could be played")
    return running[0]


async def until_delivered(station: SimulatedStation, charges: int = 1) -> None:
    """Wait until charges are told to their end. Raises ScenarioFailed when one was refused.

    A sample that is refused is given up: what must be confirmed is what costs money.
    """
    await station.until(
        lambda: refused_money(station) or (len(station.delivered) >= charges and station.is_silent)
    )
    if refused := refused_money(station):
        raise ScenarioFailed(f"{refused[0]} was refused for good")
    for transaction in station.delivered:
        if transaction.verdict != "Accepted":
            raise ScenarioFailed(f"the tag {transaction.id_tag} is {transaction.verdict}")


def refused_money(station: SimulatedStation) -> list[str]:
    return [action for action in station.refusals if action != "MeterValues"]


async def until_called(station: SimulatedStation, *actions: str) -> None:
    """Wait for a call of the central system. Raises ScenarioFailed when none comes for long."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await station.until(lambda: not set(actions).isdisjoint(station.heard))
    except TimeoutError:
        named = " or ".join(actions)
        raise ScenarioFailed(f"no {named} came in {PATIENCE_S / 60:g} minutes") from None


async def until_asked(station: SimulatedStation, action: str) -> None:
    """Wait for a call of the central system. Raises ScenarioFailed when the charge ends before."""
    await station.until(lambda: action in station.heard or station.delivered)
    if action not in station.heard:
        raise ScenarioFailed(f"the charge was over and no {action} came")


async def until_sampled(station: SimulatedStation) -> None:
    """Wait until some samples of a charge could not be sent."""
    await station.until(lambda: len(station.memory.queue) > SAMPLES)


async def lose_network(station: SimulatedStation) -> None:
    station.cut_network()
    await station.until(lambda: station.wire is None)


def known_id(station: SimulatedStation) -> int | None:
    transactions: list[Transaction] = [*station.memory.transactions.values(), *station.delivered]
    return transactions[-1].transaction_id if transactions else None


def lost_id(station: SimulatedStation) -> int | None:
    return station.lost_reply["transactionId"] if station.lost_reply else None


async def ask(station: SimulatedStation, action: str, payload: Payload) -> Payload:
    """Say something now and return the answer. Raises Disconnected, CallRefused, NoAnswer."""
    if station.wire is None:
        raise Disconnected("the network is gone")
    return await station.wire.call(action, payload)


def has_status(station: SimulatedStation, status: str) -> bool:
    return any(connector.status == status for connector in station.connectors.values())
