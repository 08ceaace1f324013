"""What the operator asks of a station beside charging."""

import dataclasses

from ..connector import Connector
from ..errors import ScenarioFailed
from ..station import SimulatedStation
from .steps import has_status, need_tag, until_called, until_delivered

UPDATES = ("UpdateFirmware", "SignedUpdateFirmware")
LOGS = ("GetDiagnostics", "GetLog")


async def reservation(station: SimulatedStation, id_tag: str) -> None:
    """A connector is reserved, and whoever holds the reservation charges there."""
    async with station.powered():
        await _until_reserved(station)
        if id_tag:
            await station.present_tag(_reserved(station), id_tag)
        await until_delivered(station)


async def reservation_taken(station: SimulatedStation, id_tag: str) -> None:
    """A connector is reserved for another; the card must not charge there."""
    need_tag(id_tag)
    async with station.powered():
        await _until_reserved(station)
        try:
            await station.present_tag(_reserved(station), id_tag)
        except ScenarioFailed as refusal:
            station.report(str(refusal))
        else:
            raise ScenarioFailed(f"the tag {id_tag} charges where another has reserved")
        await station.until(lambda: station.is_silent)


async def firmware(station: SimulatedStation, id_tag: str) -> None:
    """An update is fetched, installed and booted with. Its first line is its version."""
    old = station.memory.firmware_version
    async with station.powered():
        await _until_updated(station, "Installed")
        await station.until(lambda: station.connections > 1 and station.is_ready)
    if station.memory.firmware_version == old:
        raise ScenarioFailed(f"the firmware is still {old}")


async def firmware_fails(station: SimulatedStation, id_tag: str) -> None:
    """An update is fetched, and cannot be installed."""
    station.quirks = dataclasses.replace(station.quirks, breaks_firmware=True)
    async with station.powered():
        await _until_updated(station, "InstallationFailed")
        await station.until(lambda: station.is_silent)


async def diagnostics(station: SimulatedStation, id_tag: str) -> None:
    """The station is asked for diagnostics or a log, and hands it in."""
    async with station.powered():
        await until_called(station, *LOGS)
        ends = {"Uploaded", "UploadFailed", "UploadFailure"}
        await station.until(lambda: not ends.isdisjoint(_log_statuses(station)))
        await station.until(lambda: station.is_silent)
        if "Uploaded" not in _log_statuses(station):
            raise ScenarioFailed("nobody took the log")


async def _until_reserved(station: SimulatedStation) -> None:
    await until_called(station, "ReserveNow")
    await station.until(lambda: has_status(station, "Reserved"))


def _reserved(station: SimulatedStation) -> Connector:
    return next(c for c in station.connectors.values() if c.status == "Reserved")


async def _until_updated(station: SimulatedStation, wanted: str) -> None:
    """Raises ScenarioFailed where the update ends otherwise."""
    await until_called(station, *UPDATES)
    ends = {"Installed", "DownloadFailed", "InstallationFailed", "InvalidSignature"}
    await station.until(lambda: station.maintenance.firmware_status in ends)
    told = station.maintenance.firmware_status
    if told != wanted:
        raise ScenarioFailed(f"the update ended with {told}")


def _log_statuses(station: SimulatedStation) -> set[str]:
    return {station.maintenance.diagnostics_status, station.maintenance.log_status["status"]}
