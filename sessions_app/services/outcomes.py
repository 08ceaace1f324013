"""Who acts on the end of a command, in the transaction that ends it.

A hearer gets every command of its action, also those that staff sent by hand: what it did not ask
for itself (`reference` says so) is only something that a station told. Sessions hear of their own
commands in `calls`, which locks them first.
"""

from collections.abc import Callable

from stations import charging_profiles, configuration
from stations.models import Command

HEARERS: dict[str, Callable[[Command], None]] = {
    "ChangeConfiguration": configuration.absorb,
    "ClearChargingProfile": charging_profiles.absorb_clearing,
    "GetConfiguration": configuration.absorb,
    "SetChargingProfile": charging_profiles.absorb_installing,
}


def hear(command: Command) -> None:
    """Let the hearer of its action act on a command that has just ended, if there is one."""
    hearer = HEARERS.get(command.action)
    if hearer is not None:
        hearer(command)
