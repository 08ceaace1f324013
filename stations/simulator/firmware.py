"""Fetch an image, install it and boot with it, telling each step (OCPP 1.6 §6.19, whitepaper L01).

An image for a simulated station is a text, whose first line is its version.
"""

import asyncio
import base64
import binascii
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from .transfer import Place, TransferFailed, fetch

if TYPE_CHECKING:
    from .station import SimulatedStation

MAX_VERSION = 50


class ImageRefused(Exception):
    """Its text is the status that is told."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an image is fetched by. With `request_id` it is a signed one."""

    place: Place
    not_before: dt.datetime
    request_id: int | None = None
    certificate: x509.Certificate | None = None
    signature: str = ""


async def install(station: "SimulatedStation", order: Order) -> None:
    """Carry an order out; a charge that runs is not disturbed."""
    try:
        await _sleep_until(station, order.not_before)
        _tell(station, order, "Downloading")
        image = await fetch(order.place)
        _tell(station, order, "Downloaded")
        if order.certificate is not None:
            check_signature(order.certificate, order.signature, image)
            _tell(station, order, "SignatureVerified")
        await station.until(lambda: not any(c.transaction for c in station.connectors.values()))
        _tell(station, order, "Installing")
        version = version_of(image)
        if station.quirks.breaks_firmware:
            raise ImageRefused("InstallationFailed")
    except TransferFailed:
        _tell(station, order, "DownloadFailed")
        return
    except ImageRefused as refusal:
        _tell(station, order, str(refusal))
        return
    station.memory.firmware_version = version
    _tell(station, order, "Installed")
    await station.until(lambda: station.is_silent)
    station.reboot("Reboot")


def version_of(image: bytes) -> str:
    """Raises ImageRefused for what is no image of ours."""
    version = image.partition(b"\n")[0].decode("ascii", "replace").strip()
    if (
        not version
        or len(version) > MAX_VERSION
        or not (version.isascii() and version.isprintable())
    ):
        raise ImageRefused("InstallationFailed")
    return version


def check_signature(certificate: x509.Certificate, signature: str, image: bytes) -> None:
    """Raises ImageRefused where the image is not signed by the key of this certificate."""
    key = certificate.public_key()
    try:
        signed = base64.b64decode(signature, validate=True)
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signed, image, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signed, image, padding.PKCS1v15(), hashes.SHA256())
        else:
            raise ImageRefused("InvalidSignature")
    except (InvalidSignature, binascii.Error):
        raise ImageRefused("InvalidSignature") from None


async def _sleep_until(station: "SimulatedStation", moment: dt.datetime) -> None:
    await asyncio.sleep(max((moment - station.clock.now()).total_seconds(), 0))


def _tell(station: "SimulatedStation", order: Order, status: str) -> None:
    station.maintenance.firmware_status = status
    station.report(f"firmware {status}")
    station.changed()
    if order.request_id is None:
        station.announce("FirmwareStatusNotification", {"status": status})
        return
    said = {"status": status, "requestId": order.request_id}
    station.announce("SignedFirmwareStatusNotification", said)
