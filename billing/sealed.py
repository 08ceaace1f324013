"""Secrets that we must be able to read again, as they lie in the database: encrypted.

The key is derived from SECRET_KEY, which no dump of the database has. Who changes it enters those
secrets again, or names the old one in Django's SECRET_KEY_FALLBACKS.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

PURPOSE = b"kubat.sealed"


class Unreadable(Exception):
    """It was sealed with a key that is gone."""


def seal(text: str) -> str:
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises Unreadable."""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable("It was encrypted with another SECRET_KEY: enter it again.") from None


def _box() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_derived(str(key))) for key in keys])


def _derived(secret: str) -> bytes:
    digest = hashlib.blake2b(secret.encode(), digest_size=32, person=PURPOSE)
    return base64.urlsafe_b64encode(digest.digest())
