"""Certificate signing requests and certificates as stations and strangers make them."""

import datetime as dt
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PEM = serialization.Encoding.PEM


def name_of(*common_names):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in common_names])


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def request_of(*common_names, key=None):
    """A request in PEM, signed by its own key."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name_of(*common_names))
    return builder.sign(key or new_key(), hashes.SHA256()).public_bytes(PEM).decode()


def self_signed(common_name, *, days=(-1, 30), issuer=None):
    """A certificate that nobody but its owner has signed, good from and to these days from now."""
    key, now = new_key(), dt.datetime.now(dt.UTC)
    since, until = (now + dt.timedelta(days=day) for day in days)
    return (
        x509.CertificateBuilder()
        .subject_name(name_of(common_name))
        .issuer_name(issuer or name_of(common_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )


def pem_of(certificate):
    return certificate.public_bytes(PEM).decode()


def header_of(certificate):
    """X-Client-Cert as the proxy writes it: percent-encoded PEM."""
    return urllib.parse.quote(pem_of(certificate))
