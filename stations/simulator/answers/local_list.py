"""Local Auth List (OCPP 1.6 §5.10, §5.15) and the cache of tags (§5.4)."""

from typing import TYPE_CHECKING

from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation

SWITCHED_OFF, EMPTY = -1, 0


def send_local_list(station: "SimulatedStation", payload: Payload) -> Answer:
    version, rows = payload["listVersion"], payload.get("localAuthorizationList", [])
    tags = station.tags
    if not tags.has_list:
        return status("NotSupported")
    if version <= EMPTY or len(rows) > station.configuration.number("SendLocalListMaxLength"):
        return status("Failed")
    is_full = payload["updateType"] == "Full"
    verdict = tags.replace(version, rows) if is_full else tags.update(version, rows)
    station.changed()
    return status(verdict)


def get_version(station: "SimulatedStation", payload: Payload) -> Answer:
    version = station.memory.list_version if station.tags.has_list else SWITCHED_OFF
    return Answer({"listVersion": version})


def clear_cache(station: "SimulatedStation", payload: Payload) -> Answer:
    if not station.configuration.is_on("AuthorizationCacheEnabled"):
        return status("Rejected")
    station.tags.forget()
    station.changed()
    return status("Accepted")
