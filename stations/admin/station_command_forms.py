"""Forms of what staff may ask of a station: each command with exactly what it needs."""

import json
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from billing.admin.display import energy
from billing.admin.fields import JsonField
from billing.admin.reasoned import ReasonForm
from sessions_app.models import ChargingSession

from ..gateway import schemas
from ..gateway.templates import choices, template
from ..models import Station
from .station_forms import ConnectorForm, connector_choices

WHOLE = (0, _("the whole station"))
CALLS = sorted(schemas.CALLS[schemas.DEFAULT])
MAX_TRANSACTION_ID = 2**31 - 1


class InterruptingForm(ReasonForm):
    """Something that may end a charge: it says which run, and asks whether that may be."""

    even_so = forms.BooleanField(
        label=_("Also while a charge is running"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def __init__(self, data: Any = None, *, row: Station | None = None) -> None:
        super().__init__(data, row=row)
        running = list(row.sessions.running().order_by("connector_id")) if row else []
        if running:
            text = ", ".join(f"{session.connector_id}: {session.pk}" for session in running)
            self.fields["even_so"].help_text = _(
                "Charges are running (connector: session): %(running)s."
            ) % {"running": text}


class ResetForm(InterruptingForm):
    type = forms.ChoiceField(
        label=_("Type"),
        choices=[("Soft", _("soft: ends charges first")), ("Hard", _("hard: at once"))],
        widget=UnfoldAdminSelectWidget,
    )


class UnlockForm(InterruptingForm, ConnectorForm):
    """A connector whose cable is stuck."""


class SomeConnectorForm(ReasonForm):
    """Something that concerns one connector or, where none is named, the station."""

    connector_id = forms.TypedChoiceField(
        label=_("Connector"),
        coerce=int,
        choices=[WHOLE],
        initial=0,
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, data: Any = None, *, row: Station | None = None) -> None:
        super().__init__(data, row=row)
        if row:
            field = self.fields["connector_id"]
            field.choices = [WHOLE, *connector_choices(row)]  # type: ignore[attr-defined]


class AvailabilityForm(SomeConnectorForm):
    type = forms.ChoiceField(
        label=_("Shall be"),
        choices=[("Operative", _("in service")), ("Inoperative", _("out of service"))],
        widget=UnfoldAdminSelectWidget,
    )


class TriggerForm(SomeConnectorForm):
    message = forms.ChoiceField(
        label=_("Message"),
        choices=[(name, name) for name in choices("TriggerMessage", "requestedMessage")],
        widget=UnfoldAdminSelectWidget,
    )


class ExtendedTriggerForm(SomeConnectorForm):
    message = forms.ChoiceField(
        label=_("Message"),
        choices=[(name, name) for name in choices("ExtendedTriggerMessage", "requestedMessage")],
        widget=UnfoldAdminSelectWidget,
    )


class TransferForm(ReasonForm):
    """A message of the station's own maker."""

    vendor_id = forms.CharField(
        label=_("Vendor"), max_length=255, widget=UnfoldAdminTextInputWidget
    )
    message_id = forms.CharField(
        label=_("Message id"), max_length=50, required=False, widget=UnfoldAdminTextInputWidget
    )
    text = forms.CharField(label=_("Data"), required=False, widget=UnfoldAdminTextareaWidget)


class SessionField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not generic when it runs
    """A charge, by what staff know of it: where, whose, since when."""

    def label_from_instance(self, session: ChargingSession) -> str:
        began = localtime(session.started_at or session.requested_at)
        whose = session.user or session.id_tag
        return f"{session.connector_id}: {whose} · {began:%H:%M} · {energy(session.energy_wh)}"


class StopForm(ReasonForm):
    """A transaction to end: one of ours, or one that only the station knows of."""

    session = SessionField(
        label=_("Running charge"),
        queryset=ChargingSession.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    transaction_id = forms.IntegerField(
        label=_("Or another transaction id"),
        help_text=_("One that the station names and Kubat does not know."),
        min_value=-MAX_TRANSACTION_ID - 1,
        max_value=MAX_TRANSACTION_ID,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def __init__(self, data: Any = None, *, row: Station | None = None) -> None:
        super().__init__(data, row=row)
        if row:
            field = self.fields["session"]
            field.queryset = row.sessions.running().select_related("user")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        said = [values.get("session") is not None, values.get("transaction_id") is not None]
        if not self.errors and sum(said) != 1:
            self.add_error("session", _("Choose a charge, or name a transaction id."))
        return values


class SendForm(ReasonForm):
    """Any call of OCPP, as it goes over the wire."""

    action = forms.ChoiceField(
        label=_("Action"),
        choices=[(name, name) for name in CALLS],
        widget=UnfoldAdminSelectWidget,
    )
    payload = JsonField(kind=dict, label=_("Payload"), required=False, initial=dict)

    class Media:
        js = ("send_call.js",)

    def __init__(self, data: Any = None, *, row: Station | None = None) -> None:
        super().__init__(data, row=row)
        templates = {name: json.dumps(template(name)) for name in CALLS}
        self.fields["action"].widget.attrs["data-templates"] = json.dumps(templates)
        lines = format_html_join("\n", "{} {}", templates.items())
        self.fields["payload"].help_text = format_html(
            "<details><summary>{}</summary><pre>{}</pre></details>", _("What each needs"), lines
        )
