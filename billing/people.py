"""Drivers sign up: one row for one e-mail or phone, with an account that is empty."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from . import ledger
from .auth import find_user
from .errors import Invalid
from .models import User


def register(
    *, email: str | None, phone: str | None, password: str, name: str = "", language: str = ""
) -> User:
    """Create a driver, who can log in at once, by `email` or `phone` (E.164) or both.

    `language` is that of notices; empty: this installation's. Raises Invalid when neither is
    given, one is taken by anyone, or the password is weak.
    """
    email, phone = User.objects.normalize_email(email), phone or None
    username = email or phone
    if not username:
        raise Invalid("Give an e-mail or a phone.", fields={"email": ["Give this or a phone."]})
    user = User(username=username, email=email, phone=phone, name=name, language=language)
    _check_free(email=email, phone=phone)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(fields={"password": error.messages}) from None
    user.set_password(password)
    return _create(user)


def _check_free(**identifiers: str | None) -> None:
    """Refuse what would log in somebody else, too: a username may look like an e-mail."""
    taken = {name: value for name, value in identifiers.items() if value and find_user(value)}
    if taken:
        raise Invalid(
            "Somebody is registered so.", fields={name: ["This is taken."] for name in taken}
        )


def _create(user: User) -> User:
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            ledger.account_of(user)
    except IntegrityError:  # another registration came first
        _check_free(email=user.email, phone=user.phone)
        raise
    return user
