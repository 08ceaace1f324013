"""Forms of people: a new one, a changed one, a new password for one."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken
from unfold.forms import AdminPasswordChangeForm, AuthenticationForm, UserChangeForm
from unfold.forms import UserCreationForm as UnfoldUserCreationForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from ..models import User
from ..money import to_major, to_minor
from ..phone import to_e164
from .fields import ReasonField


class LogInForm(AuthenticationForm):
    """The log-in of the back office, which takes any identifier of a person."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Username, e-mail or phone")


class PersonForm(forms.Form):
    """What the forms of a new and of a known person share: identifiers in one spelling."""

    reason = ReasonField()

    def clean_email(self) -> str | None:
        return User.objects.normalize_email(self.cleaned_data["email"])

    def clean_phone(self) -> str | None:
        phone = self.cleaned_data["phone"]
        try:
            return to_e164(phone) if phone else None
        except ValueError:
            raise forms.ValidationError(_("This is no phone number.")) from None


class NewUserForm(PersonForm, UnfoldUserCreationForm):
    pass


class UserForm(PersonForm, UserChangeForm):
    rfid_cap = forms.DecimalField(
        label=_("own limit for a start by card"),
        min_value=Decimal(0),
        max_digits=14,
        decimal_places=2,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "rfid_cap" in self.fields and self.instance.rfid_cap_minor is not None:
            self.initial["rfid_cap"] = to_major(self.instance.rfid_cap_minor)

    def clean_rfid_cap(self) -> Decimal | None:
        cap: Decimal | None = self.cleaned_data["rfid_cap"]
        self.instance.rfid_cap_minor = None if cap is None else to_minor(cap)
        return cap


class PasswordForm(AdminPasswordChangeForm):
    """A new password for someone else, and why; it ends their log-ins to the API."""

    reason = ReasonField()

    def save(self, commit: bool = True) -> User:
        user: User = super().save(commit)
        AuthToken.objects.filter(user=user).delete()
        return user
