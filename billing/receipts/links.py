"""Links to receipts that open without a log-in: short enough for an SMS, and not to be guessed.

Whoever has the link may read the receipt. It names a sale and no person, and cannot be changed
into the link of another.
"""

import base64
import binascii
import hashlib
import hmac
import uuid

from django.conf import settings
from django.urls import reverse

from ..models import Receipt

SIGNATURE_BYTES = 10
ID_BYTES = 16
PURPOSE = b"receipt link"


def link_to(reference: str) -> str:
    """The address of what was issued for a reference; empty without CSMS_PUBLIC_URL."""
    base: str = settings.CSMS_PUBLIC_URL
    if not base:
        return ""
    return base.rstrip("/") + reverse("receipt_link", args=[token_of(reference)])


def token_of(reference: str) -> str:
    """The id of a reference (`kind:uuid`) and a signature, as 35 characters."""
    raw = uuid.UUID(reference.rpartition(":")[2]).bytes
    return base64.urlsafe_b64encode(raw + _signature(raw)).decode().rstrip("=")


def find(token: str) -> Receipt | None:
    """The newest document behind a token; None where it is none of ours, or nothing was issued."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    identity, signature = raw[:ID_BYTES], raw[ID_BYTES:]
    if not hmac.compare_digest(signature, _signature(identity)):
        return None
    documents = Receipt.objects.of(f"session:{uuid.UUID(bytes=identity)}")
    return documents.select_related("registration").last()


def _signature(identity: bytes) -> bytes:
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, PURPOSE + identity, hashlib.sha256).digest()[:SIGNATURE_BYTES]
