"""The security extension: certificates and its own triggers (whitepaper A02, F06, M03-M05)."""

from typing import TYPE_CHECKING

from ..clock import stamp
from ..wire import Answer, Payload
from .remote_trigger import REPORTS, trigger
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation

SIGN = "SignChargePointCertificate"


def extended_trigger(station: "SimulatedStation", payload: Payload) -> Answer:
    wanted = payload["requestedMessage"]
    if wanted == SIGN:
        return status("Accepted", lambda: sign(station))
    if wanted == "LogStatusNotification":
        return status("Accepted", lambda: station.announce(wanted, station.maintenance.log_status))
    return trigger(station, payload) if wanted in REPORTS else status("NotImplemented")


def sign(station: "SimulatedStation") -> None:
    """Ask for a certificate for a new key."""
    csr = station.certificates.make_request(
        station.setup.station_id, station.configuration.text("CpoName")
    )
    station.announce("SignCertificate", {"csr": csr})


def certificate_signed(station: "SimulatedStation", payload: Payload) -> Answer:
    if station.certificates.take(payload["certificateChain"]):
        station.changed()
        return status("Accepted")
    event = {"type": "InvalidChargePointCertificate", "timestamp": stamp(station.clock.now())}
    return status("Rejected", lambda: station.announce("SecurityEventNotification", event))


def install_certificate(station: "SimulatedStation", payload: Payload) -> Answer:
    verdict = station.certificates.install(payload["certificateType"], payload["certificate"])
    station.changed()
    return status(verdict)


def delete_certificate(station: "SimulatedStation", payload: Payload) -> Answer:
    verdict = station.certificates.delete(payload["certificateHashData"])
    station.changed()
    return status(verdict)


def installed_ids(station: "SimulatedStation", payload: Payload) -> Answer:
    named = station.certificates.named(payload["certificateType"])
    if not named:
        return status("NotFound")
    return Answer({"status": "Accepted", "certificateHashData": named})
