"""What a station does for its maker and its operator: one update at a time, and logs."""

import asyncio
from typing import TYPE_CHECKING

from . import firmware, logs
from .transfer import Place
from .wire import Payload

if TYPE_CHECKING:
    from .station import SimulatedStation


class Maintenance:
    """The statuses are the last that were told."""

    def __init__(self, station: "SimulatedStation") -> None:
        self._station = station
        self._installing: asyncio.Task[None] | None = None
        self.firmware_status, self.diagnostics_status = "Idle", "Idle"
        self.log_status: Payload = {"status": "Idle"}

    @property
    def is_installing(self) -> bool:
        return self._installing is not None and not self._installing.done()

    def install(self, order: firmware.Order) -> None:
        """Begin an update; one that is under way gives way to it."""
        if self._installing is not None:
            self._installing.cancel()
        self._installing = self._station.spawn(firmware.install(self._station, order))

    def hand_in(self, place: Place, request_id: int | None = None) -> None:
        self._station.spawn(logs.hand_in(self._station, place, request_id))
