"""What staff ask of one station's configuration: read it, change one key, change it back."""

from collections.abc import Sequence

from billing.errors import Invalid
from billing.models import User

from . import configuration, configuration_keys, registry
from .errors import NothingToUndo
from .masking import SECRET_KEYS
from .models import Command, Station


def read_keys(
    *, station: Station, keys: Sequence[str], by: User, reason: str = ""
) -> list[Command]:
    """Ask for these keys, or for all when none is named, in as many calls as the station needs.

    Raises StationOffline.
    """
    most = configuration.most_keys(station)
    portions = [list(keys[at : at + most]) for at in range(0, len(keys), most)]
    return [
        registry.ask_station(
            station=station,
            action=configuration.READ,
            payload={"key": portion} if portion else {},
            by=by,
            reason=reason,
        )
        for portion in portions or [[]]
    ]


def change_key(*, station: Station, key: str, value: str, by: User, reason: str = "") -> Command:
    """Ask for one value, of any key but the secret one. Raises Invalid, StationOffline."""
    if key.casefold() in SECRET_KEYS:
        raise Invalid(fields={"key": ["A key of its own is sent by the button for a new key."]})
    name = configuration_keys.name_in(station.configuration, key)
    spelled = station.configuration.get(name, {}).get("spelled", key)
    return registry.ask_station(
        station=station,
        action=configuration.CHANGE,
        payload={"key": spelled, "value": value},
        by=by,
        reason=reason,
    )


def undo_change(*, station: Station, key: str, by: User, reason: str = "") -> Command:
    """Ask for the value that a key had before. Raises NothingToUndo, StationOffline."""
    before = station.configuration.get(key, {}).get("before")
    if before is None:
        raise NothingToUndo
    return change_key(station=station, key=key, value=before, by=by, reason=reason)
