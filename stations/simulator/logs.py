"""Hand a log in by HTTP PUT, and tell how it goes (OCPP 1.6 §6.7, whitepaper N01)."""

from typing import TYPE_CHECKING

from .transfer import Place, TransferFailed, put

if TYPE_CHECKING:
    from .station import SimulatedStation


async def hand_in(station: "SimulatedStation", place: Place, request_id: int | None) -> None:
    """Put what was reported there. `request_id` is that of a GetLog; GetDiagnostics has none."""
    _tell(station, "Uploading", request_id)
    try:
        await put(place, "\n".join(station.lines).encode())
    except TransferFailed as failure:
        station.report(str(failure))
        _tell(station, "UploadFailed" if request_id is None else "UploadFailure", request_id)
    else:
        _tell(station, "Uploaded", request_id)


def _tell(station: "SimulatedStation", status: str, request_id: int | None) -> None:
    station.report(f"log {status}")
    if request_id is None:
        station.maintenance.diagnostics_status = status
        station.announce("DiagnosticsStatusNotification", {"status": status})
        return
    station.maintenance.log_status = {"status": status, "requestId": request_id}
    station.announce("LogStatusNotification", station.maintenance.log_status)
