"""The certificates of a station: its own, and the roots it trusts (whitepaper A02, M03-M05)."""

import hashlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from .memory import Memory
from .wire import Payload

MAKER = "ManufacturerRootCertificate"
MAX_ROOTS = 10
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM


class Certificates:
    """All of it is in the memory; a private key never leaves the station."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._pending: ec.EllipticCurvePrivateKey | None = None

    def make_request(self, station_id: str, organisation: str) -> str:
        """Make a new key and return a certificate signing request for it, in PEM."""
        self._pending = ec.generate_private_key(ec.SECP256R1())
        names = [x509.NameAttribute(NameOID.COMMON_NAME, station_id)]
        if organisation:
            names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
        return builder.sign(self._pending, hashes.SHA256()).public_bytes(PEM).decode()

    def take(self, chain: str) -> bool:
        """Keep a chain whose first certificate is of the key that was asked for, and that key."""
        if self._pending is None:
            return False
        try:
            own, *_ = x509.load_pem_x509_certificates(chain.encode())
        except ValueError:
            return False
        if own.public_key() != self._pending.public_key():
            return False
        self._memory.certificate_chain = chain
        self._memory.private_key = self._pending.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self._pending = None
        return True

    def install(self, use: str, pem: str) -> str:
        """Answer InstallCertificate with its status: Rejected is no root, Failed is no room."""
        try:
            x509.load_pem_x509_certificate(pem.encode())
        except ValueError:
            return "Rejected"
        if (use, pem) in self._memory.roots:
            return "Accepted"
        if len(self._memory.roots) >= MAX_ROOTS:
            return "Failed"
        self._memory.roots.append((use, pem))
        return "Accepted"

    def delete(self, wanted: Payload) -> str:
        """Answer DeleteCertificate with its status."""
        left = [
            (use, pem)
            for use, pem in self._memory.roots
            if hash_data(_load(pem), wanted["hashAlgorithm"]) != _folded(wanted)
        ]
        if len(left) == len(self._memory.roots):
            return "NotFound"
        self._memory.roots = left
        return "Accepted"

    def named(self, use: str) -> list[Payload]:
        """Return the hashes of the roots of one use."""
        return [hash_data(root) for root in self._roots(use)]

    def is_of_maker(self, certificate: x509.Certificate) -> bool:
        """Whether a root of its maker signed this; a station without such a root asks for none."""
        roots = self._roots(MAKER)
        return not roots or any(_is_issued_by(certificate, root) for root in roots)

    def _roots(self, use: str) -> list[x509.Certificate]:
        return [_load(pem) for held_use, pem in self._memory.roots if held_use == use]


def hash_data(root: x509.Certificate, algorithm: str = "SHA256") -> Payload:
    """Return the CertificateHashDataType of a root, which is its own issuer (RFC 6960 §4.1.1)."""
    make = {"SHA256": hashlib.sha256, "SHA384": hashlib.sha384, "SHA512": hashlib.sha512}[algorithm]
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": make(root.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": make(_key_bits(root.public_key())).hexdigest(),
        "serialNumber": f"{root.serial_number:x}",
    }


def _key_bits(key: CertificatePublicKeyTypes) -> bytes:
    """The value of the key's BIT STRING, without tag, length and count of unused bits."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    return key.public_bytes(DER, serialization.PublicFormat.PKCS1)


def _folded(wanted: Payload) -> Payload:
    return {
        "hashAlgorithm": wanted["hashAlgorithm"],
        "issuerNameHash": wanted["issuerNameHash"].lower(),
        "issuerKeyHash": wanted["issuerKeyHash"].lower(),
        "serialNumber": wanted["serialNumber"].lower().lstrip("0") or "0",
    }


def _is_issued_by(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _load(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())
