"""How a station gets a new key over its socket, and when that becomes the key (design section 5).

From the moment that a new key may arrive it is good beside the present one. Only an answer settles
which of them it is, or staff who set a key; where none comes all stay good, also when the next
rotation begins. A key never changes an open socket.
"""

from dataclasses import dataclass

from billing.models import User

from . import keys, registry
from .commands import INVALID_RESPONSE, error_code
from .errors import KeyNotUsed
from .masking import SECRET_KEYS, mask
from .models import Command, PendingKey, Station

CHANGE, KEY = "ChangeConfiguration", "AuthorizationKey"
TAKEN = ("Accepted", "RebootRequired")
UNKNOWN_OUTCOME = frozenset({"disconnected", INVALID_RESPONSE})
"""Ends of a command that leave open whether the station has obeyed."""
MAX_PENDING = 10
"""Rotations whose answers were lost, one after the other on one socket: a station that took an
older one than these would have come back with it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key on its way to a station; `key` may be told to who asked for it, and to no one else."""

    command: Command
    key: str


def send_new_key(*, station: Station, by: User, reason: str = "") -> Rotation:
    """Make a key and send it to a connected station. Raises KeyNotUsed, StationOffline."""
    if station.security_profile not in keys.KEYED_PROFILES:
        raise KeyNotUsed
    key = keys.make()
    command = registry.ask_station(
        station=station,
        action=CHANGE,
        payload={"key": KEY, "value": key},
        by=by,
        reason=reason,
    )
    return Rotation(command, key)


def expect(command: Command) -> None:
    """Before a command goes out: a new key is good from the moment that it may arrive.

    The caller holds the lock of the station.
    """
    key = _new_key(command)
    if key is None:
        return
    pending = PendingKey.objects.filter(station_id=command.station_id)
    digest = keys.digest(key)
    pending.filter(digest=digest).delete()
    PendingKey.objects.create(station_id=command.station_id, digest=digest)
    kept = pending.order_by("-pk").values_list("pk", flat=True)[:MAX_PENDING]
    pending.exclude(pk__in=list(kept)).delete()


def settle(station: Station, command: Command) -> None:
    """Act on the end of a command: taken, its key is the key; refused, it never was.

    The row of the command forgets the key, which nothing needs any more.
    """
    key = _new_key(command)
    if key is None:
        return
    digest = keys.digest(key)
    pending = PendingKey.objects.filter(station=station)
    if (command.response or {}).get("status") in TAKEN:
        station.key_digest = digest
        station.save(update_fields=["key_digest"])
        pending.delete()
    elif command.response is not None or _is_refused(command):
        pending.filter(digest=digest).delete()
    Command.objects.filter(pk=command.pk).update(payload=mask(command.payload))


def _is_refused(command: Command) -> bool:
    is_known = error_code(command) not in UNKNOWN_OUTCOME
    return command.status == Command.Status.FAILED and is_known


def _new_key(command: Command) -> str | None:
    """The key that a command gives to the station, if it is one that does."""
    name, value = command.payload.get("key"), command.payload.get("value")
    is_key = isinstance(name, str) and name.casefold() in SECRET_KEYS
    is_change = command.action == CHANGE and is_key and isinstance(value, str)
    return value if is_change else None
