"""What a proxy needs to end TLS: its own certificate, and the root that judges stations'.

Where nobody has brought a certificate, ours is signed by the authority of this installation, so
that stations which hold its root trust it. Its key is made here and never leaves the directory.
"""

import datetime as dt
import ipaddress
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from . import authority

CERTIFICATE, KEY, STATIONS = "server.pem", "server.key", "stations.pem"
RENEW_BEFORE = dt.timedelta(days=90)


def prepare(directory: Path, names: Sequence[str]) -> bool:
    """Write what is missing or out of date; return whether the certificate is a new one.

    A certificate that our root has not signed is somebody's own, and stays. Ours is replaced when
    it ends within 90 days or lacks one of `names`, host names or addresses.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = authority.load()
    _trust(directory / STATIONS, root)
    if not _is_wanted(directory, root, names):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = root.issue_for_server(key.public_key(), [_name(each) for each in names])
    _write(directory / KEY, _private_pem(key))
    _write(directory / CERTIFICATE, certificate + root.pem)
    return True


def _trust(path: Path, root: authority.Authority) -> None:
    """Add our root to those that stations' certificates are judged by; the others stay."""
    trusted = path.read_text() if path.exists() else ""
    if root.pem not in trusted:
        _write(path, root.pem + trusted)


def _is_wanted(directory: Path, root: authority.Authority, names: Sequence[str]) -> bool:
    """Whether a certificate of ours must be made. Raises ValueError where it cannot be read."""
    path = directory / CERTIFICATE
    if not path.exists() or not (directory / KEY).exists():
        return True
    present = x509.load_pem_x509_certificates(path.read_bytes())[0]
    if not root.has_signed(present):
        return False
    named = present.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    ends_soon = present.not_valid_after_utc < timezone.now() + RENEW_BEFORE
    return ends_soon or not {_name(each) for each in names} <= set(named)


def _name(text: str) -> x509.GeneralName:
    """A host name or an address, as certificates bear it; `.example.org` is `*.example.org`."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return x509.DNSName(f"*{text}" if text.startswith(".") else text)


def _write(path: Path, content: str) -> None:
    """Replace a file whole, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    draft.replace(path)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
