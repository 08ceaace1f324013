"""Certificates for tests, made on the spot."""

import datetime as dt
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Root:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def certify(self, name, public_key):
        return _build(name, public_key, issuer=self.certificate.subject, key=self.key)


def make_root(name):
    key = ec.generate_private_key(ec.SECP256R1())
    return Root(key, _build(name, key.public_key(), issuer=_name(name), key=key))


def pem_of(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _name(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _build(name, public_key, *, issuer, key):
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=_name(name),
        public_key=public_key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(days=1),
        not_valid_after=now + dt.timedelta(days=30),
    )
    return builder.sign(key, hashes.SHA256())
