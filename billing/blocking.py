"""Shut a person out, and let them in again."""

from django.db import transaction
from knox.models import AuthToken

from .errors import Conflict, Forbidden
from .models import User


@transaction.atomic
def block(*, user: User, by: User) -> None:
    """Let a person neither log in nor begin a charge; what runs goes on and is paid.

    Every log-in of theirs ends. Raises Conflict for oneself, Forbidden for staff unless a
    superuser asks.
    """
    if user.pk == by.pk:
        raise Conflict("You cannot block yourself.")
    if user.is_staff and not by.is_superuser:
        raise Forbidden("Only a superuser may block staff.")
    user.is_active = False
    user.save(update_fields=["is_active"])
    AuthToken.objects.filter(user=user).delete()


@transaction.atomic
def unblock(*, user: User, by: User) -> None:
    """Undo a block. Raises Forbidden for staff unless a superuser asks."""
    if user.is_staff and not by.is_superuser:
        raise Forbidden("Only a superuser may let staff in again.")
    user.is_active = True
    user.save(update_fields=["is_active"])
