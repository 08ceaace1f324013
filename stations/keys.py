"""Station keys: the Basic passwords of security profiles 1 and 2. Only their digests are kept."""

import hashlib
import secrets

KEYED_PROFILES = frozenset({1, 2})
"""Profile 0 has no secret, profile 3 has a client certificate."""


def make() -> str:
    """Return a new key: 40 hexadecimal digits, which every OCPP 1.6 station can hold."""
    return secrets.token_hex(20)


def digest(key: str) -> str:
    """The SHA-256 of a key. It is long and random (or staff chose it), so it needs no salt."""
    return hashlib.sha256(key.encode()).hexdigest()
