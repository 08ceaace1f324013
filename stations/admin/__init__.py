"""The back office of stations: what they are, what they said, what they were asked."""

from . import alert, assignment, command, connector, frame, meter_profile, process, site, station

__all__ = [
    "alert",
    "assignment",
    "command",
    "connector",
    "frame",
    "meter_profile",
    "process",
    "site",
    "station",
]
