"""Hold a place at a station, from its page."""

import datetime as dt
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from billing.admin.display import link
from billing.admin.reasoned import Act, Done, reasoned
from billing.models import User
from sessions_app.models import Reservation
from sessions_app.services.authorize import find_tag
from sessions_app.services.reserve import STAFF_MINUTES, Holder, reserve

from ..models import Station
from .station_forms import ConnectorForm


class ReservationForm(ConnectorForm):
    """A place for a driver, for a card, or for a driver with their card."""

    driver = forms.ModelChoiceField(
        label=_("Driver"),
        queryset=User.objects.filter(is_active=True),
        required=False,
        widget=AutocompleteSelect(Reservation._meta.get_field("user"), admin.site),
    )
    id_tag = forms.CharField(
        label=_("Tag"), max_length=20, required=False, widget=UnfoldAdminTextInputWidget
    )
    minutes = forms.IntegerField(
        label=_("Minutes"),
        min_value=1,
        max_value=STAFF_MINUTES,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def __init__(self, data: Any = None, *, row: Station) -> None:
        super().__init__(data, row=row)
        self.initial["minutes"] = settings.CSMS_RESERVATION_MINUTES
        field = self.fields["connector_id"]
        field.choices = [(0, _("any")), *field.choices]  # type: ignore[attr-defined]

    def clean_id_tag(self) -> str:
        text: str = self.cleaned_data["id_tag"]
        if text and find_tag(text) is None:
            raise forms.ValidationError(_("There is no such tag."))
        return text

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not (self.errors or values["driver"] or values["id_tag"]):
            self.add_error("driver", _("Name a driver or a tag."))
        return values


class ReservationButtons:
    """Buttons of a station's page."""

    @reasoned(
        label=_("Reserve"),
        permission="sessions_app.add_reservation",
        form=ReservationForm,
        is_offered=lambda station: station.is_online and station.enabled,
        is_logged=False,
        icon="event_available",
    )
    def reserve(self, act: Act[Station]) -> Done:
        text = act.values["id_tag"]
        reservation = reserve(
            holder=Holder(act.values["driver"], find_tag(text) if text else None),
            station_id=act.row.station_id,
            connector_id=act.values["connector_id"],
            expires_at=timezone.now() + dt.timedelta(minutes=act.values["minutes"]),
            actor=act.actor,
            reason=act.reason,
        )
        asked = _("The station is asked to hold the place:")
        return Done(format_html("{} {}", asked, link(reservation)))
