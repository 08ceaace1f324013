"""The back office of stations: what they are, what they said, what they were asked."""

from . import alert, assignment, charging_profile, command, connector, frame, process, site, station

__all__ = [
    "alert",
    "assignment",
    "charging_profile",
    "command",
    "connector",
    "frame",
    "process",
    "site",
    "station",
]
