"""Secrets that must be used again and so cannot be digests: sealed with SECRET_KEY.

A copy of the database alone does not tell them. Whoever changes SECRET_KEY puts the old one into
SECRET_KEY_FALLBACKS, or makes new secrets.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class Unreadable(Exception):
    """It was sealed with another SECRET_KEY."""


def seal(secret: str) -> str:
    return _seals().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises Unreadable."""
    try:
        return _seals().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable("It was sealed with another SECRET_KEY: enter it again.") from None


def _seals() -> MultiFernet:
    keys = (str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))
    digests = (hashlib.sha256(b"sealed secrets " + key.encode()).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
