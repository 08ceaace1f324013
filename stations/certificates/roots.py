"""Roots at stations: installed, listed and removed (security whitepaper, edition 3, M03 to M05)."""

from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from django.db import transaction

from billing.errors import Invalid
from billing.models import User

from .. import commands, registry
from ..models import Command, InstalledRoot, Station

LIST, INSTALL, REMOVE = "GetInstalledCertificateIds", "InstallCertificate", "DeleteCertificate"
REFERENCE = "root"
KINDS = ("CentralSystemRootCertificate", "ManufacturerRootCertificate")
MAX_LENGTH = 5500
"""InstallCertificate.req, certificate."""
MAX_KEPT = 100
_ALGORITHMS: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}


def hash_data(root: x509.Certificate, algorithm: str = "SHA256") -> dict[str, str]:
    """How a station names a root (CertificateHashDataType; the CertID of RFC 6960 §4.1.1)."""
    hashed = ocsp.OCSPRequestBuilder().add_certificate(root, root, _ALGORITHMS[algorithm]).build()
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": hashed.issuer_name_hash.hex(),
        "issuerKeyHash": hashed.issuer_key_hash.hex(),
        "serialNumber": f"{root.serial_number:x}",
    }


def is_of(row: InstalledRoot, root: x509.Certificate) -> bool:
    """Whether a root that a station told of is this one."""
    return row.hash_algorithm in _ALGORITHMS and _same(
        wire_of(row), hash_data(root, row.hash_algorithm)
    )


def wire_of(row: InstalledRoot) -> dict[str, str]:
    return {
        "hashAlgorithm": row.hash_algorithm,
        "issuerNameHash": row.issuer_name_hash,
        "issuerKeyHash": row.issuer_key_hash,
        "serialNumber": row.serial_number,
    }


def install(*, station: Station, kind: str, pem: str, by: User, reason: str) -> Command:
    """Ask a station to trust a root. Raises Invalid, StationOffline."""
    try:
        x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise Invalid(fields={"certificate": ["This is no certificate in PEM."]}) from None
    if len(pem) > MAX_LENGTH:
        raise Invalid(fields={"certificate": [f"OCPP takes {MAX_LENGTH} characters at most."]})
    payload = {"certificateType": kind, "certificate": pem}
    return registry.ask_station(
        station=station,
        action=INSTALL,
        payload=payload,
        by=by,
        reason=reason,
        reference=REFERENCE,
    )


def remove(*, root: InstalledRoot, by: User, reason: str) -> Command:
    """Ask a station to forget a root. Raises StationOffline."""
    return registry.ask_station(
        station=root.station,
        action=REMOVE,
        payload={"certificateHashData": wire_of(root)},
        by=by,
        reason=reason,
    )


def ask(*, station: Station, kind: str, by: User, reason: str) -> Command:
    """Ask a station which roots it holds. Raises StationOffline."""
    return registry.ask_station(
        station=station, action=LIST, payload={"certificateType": kind}, by=by, reason=reason
    )


def hear(command: Command) -> None:
    """Keep what a station told of its roots, whoever asked, in the transaction of its answer."""
    answer = command.response or {}
    if command.action == LIST and answer:
        _keep_list(command, answer)
    elif command.action == REMOVE and answer.get("status") in ("Accepted", "NotFound"):
        _forget(command)
    elif command.reference == REFERENCE and answer.get("status") == "Accepted":
        _ask_again(command)  # what staff sent by hand is theirs to look after


def _keep_list(command: Command, answer: Mapping[str, Any]) -> None:
    kind = command.payload["certificateType"]
    with transaction.atomic():
        InstalledRoot.objects.filter(station=command.station, kind=kind).delete()
        InstalledRoot.objects.bulk_create(
            InstalledRoot(
                station=command.station,
                kind=kind,
                hash_algorithm=item["hashAlgorithm"],
                issuer_name_hash=item["issuerNameHash"],
                issuer_key_hash=item["issuerKeyHash"],
                serial_number=item["serialNumber"],
            )
            for item in (answer.get("certificateHashData") or [])[:MAX_KEPT]
        )


def _forget(command: Command) -> None:
    asked = command.payload["certificateHashData"]
    for row in InstalledRoot.objects.filter(station=command.station):
        if _same(wire_of(row), asked):
            row.delete()


def _ask_again(command: Command) -> None:
    commands.send(
        station=command.station,
        action=LIST,
        payload={"certificateType": command.payload["certificateType"]},
        lane=Command.Lane.OWN,
        is_bound=True,
        timeout_s=3,
    )


def _same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Stations write hexadecimal digits in either case, and serial numbers with zeros before."""
    return all(
        one[name].casefold().lstrip("0") == other[name].casefold().lstrip("0") for name in one
    )
