"""The back office of stations: what they are, what they said, what they were asked."""

from . import (
    alert,
    assignment,
    certificate,
    charging_profile,
    command,
    connector,
    firmware,
    frame,
    ignored,
    meter_profile,
    process,
    security_event,
    site,
    station,
    upload,
    wish,
)

__all__ = [
    "alert",
    "assignment",
    "certificate",
    "charging_profile",
    "command",
    "connector",
    "firmware",
    "frame",
    "ignored",
    "meter_profile",
    "process",
    "security_event",
    "site",
    "station",
    "upload",
    "wish",
]
