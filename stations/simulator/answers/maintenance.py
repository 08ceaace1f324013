"""Firmware Management (OCPP 1.6 §6) and its signed kind, and logs (whitepaper L01, N01)."""

import datetime as dt
import urllib.parse
from typing import TYPE_CHECKING

from cryptography import x509

from ..firmware import Order
from ..transfer import Place
from ..wire import Answer, Payload
from .reply import status

if TYPE_CHECKING:
    from ..station import SimulatedStation


def update_firmware(station: "SimulatedStation", payload: Payload) -> Answer:
    order = Order(
        _place(payload["location"], payload), dt.datetime.fromisoformat(payload["retrieveDate"])
    )
    return Answer({}, lambda: station.maintenance.install(order))


def signed_update_firmware(station: "SimulatedStation", payload: Payload) -> Answer:
    wanted = payload["firmware"]
    try:
        certificate = x509.load_pem_x509_certificate(wanted["signingCertificate"].encode())
    except ValueError:
        return status("InvalidCertificate")
    if not station.certificates.is_of_maker(certificate):
        return status("InvalidCertificate")
    order = Order(
        _place(wanted["location"], payload),
        dt.datetime.fromisoformat(wanted["retrieveDateTime"]),
        request_id=payload["requestId"],
        certificate=certificate,
        signature=wanted["signature"],
    )
    verdict = "AcceptedCanceled" if station.maintenance.is_installing else "Accepted"
    return status(verdict, lambda: station.maintenance.install(order))


def get_diagnostics(station: "SimulatedStation", payload: Payload) -> Answer:
    name = f"{station.setup.station_id}.log"
    place = _place(_under(payload["location"], name), payload)
    return Answer({"fileName": name}, lambda: station.maintenance.hand_in(place))


def get_log(station: "SimulatedStation", payload: Payload) -> Answer:
    name = f"{station.setup.station_id}-{payload['logType']}.log"
    place = _place(_under(payload["log"]["remoteLocation"], name), payload)
    return Answer(
        {"status": "Accepted", "filename": name},
        lambda: station.maintenance.hand_in(place, payload["requestId"]),
    )


def _under(location: str, name: str) -> str:
    return f"{location.rstrip('/')}/{urllib.parse.quote(name, safe='')}"


def _place(url: str, payload: Payload) -> Place:
    return Place(url, payload.get("retries", 0), payload.get("retryInterval", 0))
