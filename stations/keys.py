"""Station keys: the Basic passwords of security profiles 1 and 2. Only their digests are kept.

Pure. A key that is written in hexadecimal digits is one key however it is spelled: the security
whitepaper (edition 3, 2.1) lets a station hold 40 digits as 20 bytes, and some send those bytes.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection

KEYED_PROFILES = frozenset({1, 2})
"""Profile 0 has no secret, profile 3 has a client certificate."""
_HEX = re.compile(rb"([0-9A-Fa-f]{2}){8,20}")
_RAW_BYTES = range(8, 21)


def make() -> str:
    """Return a new key: 40 hexadecimal digits, which every OCPP 1.6 station can hold."""
    return secrets.token_hex(20)


def digest(key: str) -> str:
    """The SHA-256 of a key. It is long and random (or staff chose it), so it needs no salt."""
    return _digest(_canonical(key.encode()))


def is_one_of(password: bytes, digests: Collection[str]) -> bool:
    """Whether a password of HTTP Basic proves one of these digests.

    Compares with all of them, in constant time, in each spelling that the password may be.
    """
    spellings = [_digest(_canonical(password)), _digest(password)]
    if len(password) in _RAW_BYTES:
        spellings.append(_digest(password.hex().encode()))
    matches = [hmac.compare_digest(given, known) for known in digests for given in spellings]
    return any(matches)


def _canonical(key: bytes) -> bytes:
    return key.lower() if _HEX.fullmatch(key) else key


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
