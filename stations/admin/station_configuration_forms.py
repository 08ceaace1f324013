"""Forms about a station's configuration keys."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from billing.admin.reasoned import ReasonForm

from ..masking import SECRET_KEYS
from ..models import Station
from ..wanted import overridden_need

MAX_KEY, MAX_VALUE = 50, 500
"""What OCPP 1.6 lets a key and its value be (CiString50, CiString500)."""


class ReadForm(ReasonForm):
    """All keys, or some by name."""

    keys = forms.CharField(
        label=_("Keys"),
        help_text=_("One a line; none to read all that the station has."),
        required=False,
        widget=UnfoldAdminTextareaWidget,
    )

    def clean_keys(self) -> list[str]:
        keys = [line.strip() for line in self.cleaned_data["keys"].splitlines() if line.strip()]
        if any(len(key) > MAX_KEY for key in keys):
            text = _("A key has at most %(length)s characters.") % {"length": MAX_KEY}
            raise forms.ValidationError(text)
        return list(dict.fromkeys(keys))


class ChangeKeyForm(ReasonForm):
    """A value for a key that the station reported, or for any other by its name."""

    key = forms.ChoiceField(label=_("Key"), required=False, widget=UnfoldAdminSelectWidget)
    other_key = forms.CharField(
        label=_("Or another key"),
        max_length=MAX_KEY,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    value = forms.CharField(
        label=_("Value"), max_length=MAX_VALUE, required=False, widget=UnfoldAdminTextInputWidget
    )
    even_so = forms.BooleanField(
        label=_("Also where Kubat needs another value"),
        help_text=_("Kubat may then see charges late, or not at all."),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, data: Any = None, *, row: Station | None = None) -> None:
        super().__init__(data, row=row)
        reported = sorted(row.configuration.items()) if row else []
        offered = [
            (key, f"{key} = {_shortened(entry.get('value'))}")
            for key, entry in reported
            if not entry.get("readonly") and key.casefold() not in SECRET_KEYS
        ]
        self.fields["key"].choices = [("", "---"), *offered]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        named = [key for key in (values.get("key"), values.get("other_key", "").strip()) if key]
        if len(named) != 1:
            self.add_error("key", _("Choose a key, or name another one."))
            return values
        values["name"] = named[0]
        refuse_silent_override(self, named[0], values.get("value", ""))
        return values


class UndoForm(ReasonForm):
    """A key that had another value before."""

    key = forms.ChoiceField(label=_("Key"), widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any = None, *, row: Station | None = None) -> None:
        super().__init__(data, row=row)
        changed = sorted(row.configuration.items()) if row else []
        self.fields["key"].choices = [  # type: ignore[attr-defined]
            (key, f"{key}: {_shortened(entry['value'])} → {_shortened(entry['before'])}")
            for key, entry in changed
            if "before" in entry
        ]


class NewKeyForm(ReasonForm):
    """A new key that the station takes over its socket."""

    is_shown = forms.BooleanField(
        label=_("Show me the key"),
        help_text=_("Only needed where it is kept somewhere else too."),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )


def refuse_silent_override(form: forms.BaseForm, key: str, value: str) -> None:
    """Ask once more where a value is not what Kubat needs of a key."""
    need = overridden_need(key, value)
    if need is not None and not form.cleaned_data.get("even_so"):
        text = _("Kubat needs %(need)s here. Say that it shall be so all the same.")
        form.add_error("even_so", text % {"need": need})


def _shortened(value: str | None) -> str:
    value = value or ""
    return value if len(value) <= MAX_KEY else f"{value[:MAX_KEY]}…"
