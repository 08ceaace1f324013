"""Forms of stations: what staff say of one, and what they may ask of it."""

import zoneinfo
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from billing.admin.base import ReasonedModelForm
from billing.admin.reasoned import ReasonForm
from billing.models import User
from billing.money import to_minor
from sessions_app.models import ChargingSession
from sessions_app.services.holds import Limit

from ..models import Station

MAX_CONNECTORS = 100
LimitType = ChargingSession.LimitType
LIMIT_VALUES: dict[LimitType, forms.Field] = {
    LimitType.AMOUNT: forms.DecimalField(
        min_value=Decimal("0.01"), max_digits=11, decimal_places=2
    ),
    LimitType.ENERGY: forms.DecimalField(
        min_value=Decimal("0.001"), max_digits=10, decimal_places=3
    ),
    LimitType.TIME: forms.IntegerField(min_value=1, max_value=30 * 24 * 60),
    LimitType.SOC: forms.IntegerField(min_value=1, max_value=100),
    LimitType.FULL: forms.RegexField("^$", required=False, empty_value=None),
}
"""What each kind of limit may be: som, kWh, minutes, percent, nothing."""
PROFILES = [
    (0, _("0: no key")),
    (1, _("1: key")),
    (2, _("2: key over TLS")),
    (3, _("3: client certificate")),
]


class StationForm(ReasonedModelForm):
    """What staff say of a station; the rest it says itself."""

    connector_count = forms.IntegerField(
        label=_("connectors"),
        min_value=1,
        max_value=MAX_CONNECTORS,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    security_profile = forms.TypedChoiceField(
        label=_("security profile"), choices=PROFILES, coerce=int, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "connector_count" in self.fields:
            self.initial["connector_count"] = self.instance.connectors.count()

    def clean_station_id(self) -> str:
        identity: str = self.cleaned_data["station_id"]
        if not identity.isprintable() or "/" in identity:
            raise forms.ValidationError(_("Use printable characters, and no slash."))
        return identity

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name and name not in zoneinfo.available_timezones():
            raise forms.ValidationError(_("There is no such time zone."))
        return name


class ConnectorForm(ReasonForm):
    """Something that concerns one connector of one station."""

    connector_id = forms.TypedChoiceField(
        label=_("Connector"), coerce=int, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any = None, *, row: Station) -> None:
        super().__init__(data, row=row)
        field = self.fields["connector_id"]
        field.choices = connector_choices(row)  # type: ignore[attr-defined]  # a choice field


def connector_choices(station: Station) -> list[tuple[int, str]]:
    """The connectors of a station, with their states."""
    return [
        (connector.connector_id, f"{connector.connector_id}: {connector.get_status_display()}")
        for connector in station.connectors.order_by("connector_id")
    ]


class StartForm(ConnectorForm):
    """A charge for a driver; limits as the API takes them."""

    driver = forms.ModelChoiceField(
        label=_("Driver"),
        queryset=User.objects.filter(is_active=True),
        widget=AutocompleteSelect(ChargingSession._meta.get_field("user"), admin.site),
    )
    limit_type = forms.ChoiceField(
        label=_("Limit"),
        choices=LimitType.choices,
        widget=UnfoldAdminSelectWidget,
    )
    limit_value = forms.CharField(
        label=_("Limit value"),
        help_text=_("An amount, kWh, minutes or percent; none to charge until full."),
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    max_amount = forms.DecimalField(
        label=_("Hold at most"),
        min_value=0,
        max_digits=11,
        decimal_places=2,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors:
            values["limit"] = self._limit(values)
        return values

    def _limit(self, values: dict[str, Any]) -> Limit | None:
        limit_type, most = LimitType(values["limit_type"]), values["max_amount"]
        try:
            value = LIMIT_VALUES[limit_type].clean(values["limit_value"])
        except forms.ValidationError as error:
            self.add_error("limit_value", error)
            return None
        return Limit(
            limit_type,
            None if value is None else Decimal(value),
            None if most is None else to_minor(most),
        )
