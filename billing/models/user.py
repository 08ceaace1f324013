"""People: drivers and staff, known by e-mail or phone."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils.translation import gettext_lazy as _


class Users(UserManager["User"]):
    def create_user(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **extra: Any,
    ) -> "User":
        return super().create_user(username, email or None, password, **extra)

    @classmethod
    def normalize_email(cls, email: str | None) -> str | None:  # type: ignore[override]
        """Return the address in lower case, or None for an empty one: it is unique."""
        return email.strip().lower() if email else None


class User(AbstractUser):
    """A driver or a member of staff; `username` is the e-mail or the phone (E.164) of a driver."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(  # type: ignore[assignment]  # the base has no null
        _("e-mail"), unique=True, null=True, blank=True
    )
    phone = models.CharField(_("phone"), max_length=16, unique=True, null=True, blank=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    rfid_cap_minor = models.BigIntegerField(
        _("own limit for a start by card"), null=True, blank=True
    )

    language = models.CharField(
        _("language"),
        max_length=2,
        choices=settings.LANGUAGES,
        blank=True,
        help_text=_("In which they are told; empty: that of this installation."),
    )

    is_guest = models.BooleanField(
        _("guest"), default=False, help_text=_("Pays for one charge, and never logs in.")
    )

    objects: ClassVar[Users] = Users()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def get_full_name(self) -> str:
        return self.name or self.username

    def get_short_name(self) -> str:
        return self.get_full_name()
