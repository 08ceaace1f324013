"""Addresses of ours that a station is told: unguessable, and good for one row only.

An address is signed with SECRET_KEY, so nothing secret is stored, and asking a station again
gives it the same one. How long it is good is said by its row.
"""

from django.conf import settings
from django.core.signing import BadSignature, Signer

from .errors import NoPublicAddress

FIRMWARE, UPLOAD = "firmware", "upload"


def address(kind: str, row_id: int, name: str = "") -> str:
    """The address of a row, under CSMS_PUBLIC_URL. Raises NoPublicAddress without one."""
    base: str = settings.CSMS_PUBLIC_URL
    if not base:
        raise NoPublicAddress
    return f"{base.rstrip('/')}/{kind}/{_signer(kind).sign(str(row_id))}/{name}"


def row_of(kind: str, token: str) -> int:
    """The row that a token was made for; 0, which no row has, when we did not make it."""
    try:
        return int(_signer(kind).unsign(token))
    except (BadSignature, ValueError):
        return 0


def _signer(kind: str) -> Signer:
    return Signer(salt=f"stations.{kind}", sep=".")
