"""Keep and remove firmware images."""

import base64
import binascii
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError

from billing.errors import Invalid
from billing.models import User

from .. import audit, storage
from ..errors import ImageInUse
from ..models import FirmwareImage

FOLDER = "firmware"
SCHEMES = ("http", "https", "ftp")
MAX_SIGNATURE, MAX_CERTIFICATE = 800, 5500
"""What SignedUpdateFirmware has room for."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it comes in."""

    name: str
    chunks: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Make:
    """What an image is of; an empty vendor or model means any."""

    version: str
    vendor: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Seal:
    """What a signed update needs: the base64 signature, and the PEM certificate of its key."""

    signature: str = ""
    certificate: str = ""


def add_image(
    *,
    make: Make,
    by: User,
    reason: str,
    file: Upload | None = None,
    uri: str = "",
    seal: Seal | None = None,
) -> FirmwareImage:
    """Keep an image: a file, or the address of one. Raises Invalid, FileTooLarge, StorageFailed.

    The signature is carried, not judged: the station has the root certificate, and judges.
    """
    seal = seal or Seal()
    _check(make, file, uri, seal)
    image = FirmwareImage(
        vendor=make.vendor.strip(),
        model=make.model.strip(),
        version=make.version.strip(),
        uri=uri,
        signature=seal.signature.strip(),
        signing_certificate=seal.certificate.strip(),
    )
    if file is not None:
        stored = storage.store(FOLDER, file.chunks, limit_mb=settings.CSMS_FIRMWARE_MAX_MB)
        image.file_name = safe_name(file.name)
        image.path, image.size_bytes, image.sha256 = stored.path, stored.size_bytes, stored.sha256
    try:
        with transaction.atomic():
            image.save(force_insert=True)
            audit.record(by, audit.ADDITION, image, reason=reason)
    except BaseException:
        storage.remove(image.path)
        raise
    return image


@transaction.atomic
def remove_image(*, image: FirmwareImage, by: User, reason: str) -> None:
    """Remove an image and its file. Raises ImageInUse once a campaign has used it."""
    audit.record(by, audit.DELETION, image, reason=reason)
    path = image.path
    try:
        image.delete()
    except ProtectedError:
        raise ImageInUse from None
    transaction.on_commit(lambda: storage.remove(path))


def safe_name(name: str) -> str:
    """A file name that every station can ask for: its last part, in plain characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _UNSAFE.sub("_", last).lstrip(".")[-100:] or "firmware.bin"


def _check(make: Make, file: Upload | None, uri: str, seal: Seal) -> None:
    if not make.version.strip():
        raise _refused("version", "Stations are recognised by it: it is required.")
    if (file is None) == (not uri):
        raise _refused("uri", "Give either a file or an address.")
    if uri and not _is_fetchable(uri):
        raise _refused("uri", "An address begins with http, https or ftp.")
    if bool(seal.signature.strip()) != bool(seal.certificate.strip()):
        raise _refused("signature", "A signed image has a signature and a certificate.")
    if seal.signature.strip():
        _check_seal(seal)


def _check_seal(seal: Seal) -> None:
    if len(seal.signature) > MAX_SIGNATURE or not _is_base64(seal.signature):
        raise _refused("signature", "It is base64, of 800 characters at most.")
    try:
        x509.load_pem_x509_certificate(seal.certificate.encode())
    except ValueError:
        raise _refused("signing_certificate", "It is a certificate in PEM.") from None
    if len(seal.certificate) > MAX_CERTIFICATE:
        raise _refused("signing_certificate", "It has 5500 characters at most.")


def _is_fetchable(uri: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(uri)
        return parts.scheme in SCHEMES and bool(parts.hostname) and uri.isprintable()
    except ValueError:
        return False


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError):
        return False


def _refused(field: str, why: str) -> Invalid:
    return Invalid(fields={field: [why]})
