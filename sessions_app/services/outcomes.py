"""Who acts on the end of a command, in the transaction that ends it.

A hearer gets every command of its action, also those that staff sent by hand: what it did not ask
for itself (`reference` says so) is only something that a station told. Sessions hear of their own
commands in `calls`, which locks them first.
"""

from collections.abc import Callable

from stations import configuration
from stations.models import Command, Station

from . import reserve

HEARERS: dict[str, Callable[[Command], None]] = {
    "ChangeConfiguration": configuration.absorb,
    "GetConfiguration": configuration.absorb,
    "ReserveNow": reserve.hear,
    "CancelReservation": reserve.hear,
}


def hear(command: Command) -> None:
    """Let the hearer of its action act on a command that has just ended, if there is one."""
    hearer = HEARERS.get(command.action)
    if hearer is not None:
        hearer(command)


def lock_first(command: Command) -> None:
    """Lock what the hearer changes, where its use cases lock that before their commands."""
    if command.reference.startswith("reservation:"):
        Station.objects.select_for_update(no_key=True).get(pk=command.station_id)
