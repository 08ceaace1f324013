"""Judge a certificate signing request of a station (security whitepaper, edition 3, A02). Pure."""

import base64
import binascii

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

LEAST_RSA_BITS, LEAST_CURVE_BITS = 2048, 224
"""Whitepaper, 2.5: RSA or DSA of 2,048 bits, elliptic curves of 224."""
MAX_RSA_BITS = 8192


class RequestRefused(Exception):
    """A request that is not signed; the text says why."""


def read(text: str, *, names: set[str]) -> x509.CertificateSigningRequest:
    """Read a request, in PEM or as bare base64 of DER, for a station that is called by `names`.

    Its key must be strong enough and its own; a subject that names another is refused, one
    without a common name is taken: we write the subject ourselves. Raises RequestRefused.
    """
    request = _parse(text)
    if not request.is_signature_valid:
        raise RequestRefused("it is not signed by its own key")
    _check_key(request)
    told = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if any(str(name.value).casefold() not in names for name in told):
        raise RequestRefused("it names another station")
    return request


def _parse(text: str) -> x509.CertificateSigningRequest:
    try:
        if "-----BEGIN" in text:
            return x509.load_pem_x509_csr(text.encode())
        return x509.load_der_x509_csr(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise RequestRefused("it cannot be read") from None


def _check_key(request: x509.CertificateSigningRequest) -> None:
    try:
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise RequestRefused("its key cannot be read") from None
    if isinstance(key, rsa.RSAPublicKey):
        is_strong = LEAST_RSA_BITS <= key.key_size <= MAX_RSA_BITS
    else:
        is_strong = isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= LEAST_CURVE_BITS
    if not is_strong:
        raise RequestRefused("its key is too weak, or of a kind that is not supported")
