"""The back office of stations: what they are, what they said, what they were asked."""

from . import (
    alert,
    assignment,
    command,
    connector,
    firmware,
    frame,
    process,
    site,
    station,
    upload,
    wish,
)

__all__ = [
    "alert",
    "assignment",
    "command",
    "connector",
    "firmware",
    "frame",
    "process",
    "site",
    "station",
    "upload",
    "wish",
]
