"""A KubatError on a page: an error of the form that caused it, never a crash."""

from django import forms

from ..errors import Invalid, KubatError


def show(form: forms.BaseForm, error: KubatError, *, about: str = "") -> None:
    """Add an error to a validated form, at the fields that it names; `about` says whom."""
    prefix = f"{about}: " if about else ""
    fields = error.fields if isinstance(error, Invalid) else {}
    for name, texts in fields.items():
        for text in texts:
            is_ours = name in form.fields
            form.add_error(
                name if is_ours else None, prefix + (text if is_ours else f"{name}: {text}")
            )
    if not fields:
        form.add_error(None, prefix + error.detail)
