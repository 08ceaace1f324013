"""Log-in by username, e-mail or phone, in any of their usual spellings.

The same for the API and the admin pages, with one count of failures for both.
"""

from typing import Any

from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest

from .client import address_of
from .limits import Limit
from .models import User
from .phone import to_e164

FAILED_LOG_INS = Limit("log-in", times=5, period_s=15 * 60)
"""Only failures count, for an account and an address together; a success clears them."""


class AnyIdentifierBackend(ModelBackend):
    aauthenticate = BaseBackend.aauthenticate  # type: ignore[assignment]  # the same, in a thread

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the active user of these, or None; an unknown name takes as long as a known one.

        Raises PermissionDenied, which Django turns into a failed log-in, after too many.
        """
        if username is None or password is None:
            return None
        user = find_user(username)
        key = _failure_key(user, username, request)
        if FAILED_LOG_INS.wait_s(*key):
            raise PermissionDenied
        is_right = (user or User()).check_password(password)
        if user is None or user.is_guest or not is_right or not self.user_can_authenticate(user):
            FAILED_LOG_INS.count(*key)
            return None
        if FAILED_LOG_INS.wait_s(*key):  # guesses in parallel: this one came too late
            raise PermissionDenied
        FAILED_LOG_INS.clear(*key)
        return user


def find_user(identifier: str) -> User | None:
    """Return whom a username, e-mail or phone means; a username goes before the others."""
    name = identifier.strip()
    if not name or "\0" in name:
        return None
    email = name.lower()
    try:
        phone = to_e164(name)
    except ValueError:
        phone = name
    spellings = [name, email, phone]
    found = User.objects.filter(Q(username__in=spellings) | Q(email=email) | Q(phone=phone))
    ranks = {spelling: rank for rank, spelling in reversed(list(enumerate(spellings)))}
    return min(found, key=lambda user: ranks.get(user.username, len(spellings)), default=None)


def log_in_wait_s(request: HttpRequest, identifier: str) -> int:
    """Return the seconds until this account may try again from this address; 0 for now."""
    return FAILED_LOG_INS.wait_s(*_failure_key(find_user(identifier), identifier, request))


def _failure_key(
    user: User | None, identifier: str, request: HttpRequest | None
) -> tuple[str, str]:
    account = str(user.pk) if user else identifier.strip().lower()
    return account, address_of(request) if request else ""
