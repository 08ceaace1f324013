"""How far a station is with what it was asked to do in its own time: firmware and logs. Pure."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """One status of a station; `request_id` is None where it does not say for what."""

    status: str
    received_at: dt.datetime
    request_id: int | None = None
