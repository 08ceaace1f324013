"""A small certificate authority: one root, kept in files that never enter the database.

Every process that answers stations must see the same directory (CSMS_CA_DIR). What is issued is
kept in rows; only here is anything signed (docs/adr/0040-a-root-in-files.md).
"""

import contextlib
import datetime as dt
import functools
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings
from django.utils import timezone

ROOT_LIFE = dt.timedelta(days=365 * 20)
SERVER_LIFE = dt.timedelta(days=825)
"""The longest that browsers take, also from a root that their owner has added."""
ALLOWED_SKEW = dt.timedelta(hours=1)
"""Certificates begin a little earlier: the clock of a station may be behind."""
CRL_LIFE = dt.timedelta(days=7)
_CERTIFICATE, _KEY = "root.pem", "root.key"


@dataclass(frozen=True, slots=True)
class Authority:
    """The root certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return pem_of(self.certificate)

    def has_signed(self, certificate: x509.Certificate) -> bool:
        """Whether this root's key signed a certificate, whatever name it bears."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def issue(self, request: x509.CertificateSigningRequest, *, subject: x509.Name) -> str:
        """Sign the key of a request for this subject; return the certificate as PEM (RFC 5280)."""
        now = timezone.now()
        until = now + dt.timedelta(days=settings.CSMS_CERTIFICATE_DAYS)
        certificate = (
            _builder(subject, self.certificate.subject, request.public_key(), now, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(_issuer_key(self.certificate), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return pem_of(certificate)

    def issue_for_server(
        self, key: ec.EllipticCurvePublicKey, names: Sequence[x509.GeneralName]
    ) -> str:
        """Sign the key of a server that is reached under these names; return it as PEM."""
        now = timezone.now()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kubat")])
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = (
            _builder(subject, self.certificate.subject, key, now, now + SERVER_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(is_authority=False), critical=True)
            .add_extension(server, critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(_issuer_key(self.certificate), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return pem_of(certificate)

    def revocations(self, revoked: Iterable[tuple[int, dt.datetime]]) -> bytes:
        """The revocation list in DER: serial numbers, and since when (RFC 5280 §5)."""
        now = timezone.now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now)
            .next_update(now + CRL_LIFE)
        )
        for serial, since in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def load() -> Authority:
    """The authority of this installation, made when there is none yet."""
    return _load(settings.CSMS_CA_DIR)


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def fingerprint_of(certificate: x509.Certificate) -> str:
    """The SHA-256 of a certificate, in hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


@functools.cache
def _load(directory: str) -> Authority:
    folder = Path(directory)
    if not (folder / _CERTIFICATE).exists():
        _make(folder)
    key = serialization.load_pem_private_key((folder / _KEY).read_bytes(), password=None)
    certificate = x509.load_pem_x509_certificate((folder / _CERTIFICATE).read_bytes())
    public: object = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != public:
        raise ValueError(f"{folder}: the key is not that of the certificate.")
    return Authority(certificate, key)


def _make(folder: Path) -> None:
    """Make a root. Of several processes that do so at once one wins, the others take its files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        _write(folder / _KEY, _private_pem(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key((folder / _KEY).read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    with contextlib.suppress(FileExistsError):
        _write(folder / _CERTIFICATE, pem_of(_root(key)).encode())


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner alone. Raises FileExistsError."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    finally:
        draft.unlink()


def _root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    now = timezone.now()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, settings.CSMS_SELLER_NAME[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Stations {x509.random_serial_number():x}"),
        ]
    )
    public = key.public_key()
    return (
        _builder(name, name, public, now, now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: object, since: dt.datetime, until: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)  # type: ignore[arg-type]  # any key that a request may hold
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - ALLOWED_SKEW)
        .not_valid_after(until)
    )


def _issuer_key(root: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    key = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key.value)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
