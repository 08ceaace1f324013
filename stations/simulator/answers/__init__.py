"""How a simulated station answers the calls of the central system, one module a profile."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import CallRefused
from ..wire import Answer, Payload
from . import (
    core,
    local_list,
    maintenance,
    remote_trigger,
    reservation,
    security,
    smart_charging,
)
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation

Handler = Callable[["SimulatedStation", Payload], Answer]


def answer(station: "SimulatedStation", action: str, payload: Payload) -> Answer | None:
    """Answer one call, or with None say nothing at all.

    Raises CallRefused, with the code that the CALLERROR gets.
    """
    station.heard.append(action)
    station.changed()
    if action in station.quirks.mute:
        station.report(f"{action} stays without an answer")
        return None
    if action in station.quirks.refused:
        station.report(f"{action} Rejected")
        return status("Rejected")
    handler = HANDLERS.get(action)
    if handler is None:
        raise CallRefused("NotImplemented", f"a simulated station knows no {action}")
    try:
        reply = handler(station, payload)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise CallRefused("FormationViolation", f"{action}: {error!r}") from error
    station.report(f"{action} {reply.payload.get('status', 'answered')}")
    if action in station.quirks.ignored:
        return Answer(reply.payload)
    if action in station.quirks.crossed and reply.then:
        reply.then()
        return Answer(reply.payload, waits_for=station.until(lambda: station.is_silent))
    return reply


HANDLERS: dict[str, Handler] = {
    "CancelReservation": reservation.cancel,
    "CertificateSigned": security.certificate_signed,
    "ChangeAvailability": core.change_availability,
    "ChangeConfiguration": core.change_configuration,
    "ClearCache": local_list.clear_cache,
    "ClearChargingProfile": smart_charging.clear_charging_profile,
    "DataTransfer": lambda station, payload: status("UnknownVendorId"),
    "DeleteCertificate": security.delete_certificate,
    "ExtendedTriggerMessage": security.extended_trigger,
    "GetCompositeSchedule": smart_charging.get_composite_schedule,
    "GetConfiguration": core.get_configuration,
    "GetDiagnostics": maintenance.get_diagnostics,
    "GetInstalledCertificateIds": security.installed_ids,
    "GetLocalListVersion": local_list.get_version,
    "GetLog": maintenance.get_log,
    "InstallCertificate": security.install_certificate,
    "RemoteStartTransaction": core.remote_start,
    "RemoteStopTransaction": core.remote_stop,
    "ReserveNow": reservation.reserve,
    "Reset": core.reset,
    "SendLocalList": local_list.send_local_list,
    "SetChargingProfile": smart_charging.set_charging_profile,
    "SignedUpdateFirmware": maintenance.signed_update_firmware,
    "TriggerMessage": remote_trigger.trigger,
    "UnlockConnector": core.unlock,
    "UpdateFirmware": maintenance.update_firmware,
}
