"""Fields that forms of the back office share."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget


class ReasonField(forms.CharField):
    """Why: one line that is stored with what was done."""

    def __init__(self, **kwargs: Any) -> None:
        defaults = {"label": _("Reason"), "max_length": 200, "widget": UnfoldAdminTextInputWidget}
        super().__init__(**{**defaults, **kwargs})


class JsonField(forms.JSONField):
    """JSON of one kind, which every database can hold: PostgreSQL has no U+0000."""

    def __init__(self, *, kind: type, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(**{"widget": UnfoldAdminTextareaWidget, **kwargs})

    def clean(self, value: Any) -> Any:
        value = super().clean(value)
        if value is None:
            return self.kind()
        if not isinstance(value, self.kind):
            kind = _("list") if self.kind is list else _("object")
            raise ValidationError(_("A JSON %(kind)s is required.") % {"kind": kind})
        text = json.dumps(value, ensure_ascii=False)
        if not text.isprintable() or "\\u0000" in text:
            raise ValidationError(_("Use printable characters only."))
        return value
