"""Signatures and secrets as Standard Webhooks 1.0.0 defines them. Pure."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def make_secret() -> str:
    """Return a new secret: random bytes in base64, after `whsec_`."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(
    event_id: str, *, sent_at: int, body: bytes, secrets_in_use: Iterable[str]
) -> dict[str, str]:
    """The three headers of one attempt at `sent_at` (Unix seconds), one signature a secret.

    Neither the id nor the time may hold a full stop, which would make two texts the same one.
    """
    signatures = (sign(secret, event_id, sent_at, body) for secret in secrets_in_use)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": " ".join(signatures),
    }


def sign(secret: str, event_id: str, sent_at: int, body: bytes) -> str:
    """Sign `id.timestamp.body` by HMAC-SHA256. Raises ValueError for a secret that is none."""
    content = f"{event_id}.{sent_at}.".encode() + body
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("This is no secret of a webhook.") from None
