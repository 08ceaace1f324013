"""Forms of tariffs: an offer, and the scope that it is for."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from billing.admin.fields import JsonField
from billing.admin.reasoned import ReasonForm

from ..models import Site, Station, TariffAssignment
from ..tariffs import Offer, offer_of

OFFERED = (
    "name",
    "price_per_kwh",
    "vat_percent",
    "elements",
    "parking_grace_s",
    "valid_from",
    "valid_until",
)


class OfferForm(ReasonForm):
    """What staff say of a tariff: either a price a kWh or a list of OCPI elements."""

    name = forms.CharField(
        label=_("Name"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget
    )
    price_per_kwh = forms.DecimalField(
        label=_("Price a kWh, tax included"),
        min_value=Decimal(0),
        max_digits=14,
        decimal_places=6,
        required=False,
        widget=UnfoldAdminDecimalFieldWidget,
    )
    vat_percent = forms.DecimalField(
        label=_("VAT in percent"),
        min_value=Decimal(0),
        max_value=Decimal(100),
        max_digits=5,
        decimal_places=2,
        initial=Decimal(0),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    elements = JsonField(
        kind=list,
        label=_("Elements"),
        help_text=_("A list as in OCPI 2.2.1 §11.4.6, prices without tax."),
        required=False,
    )
    parking_grace_s = forms.IntegerField(
        label=_("Free parking in seconds"),
        min_value=0,
        max_value=86_400,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    valid_from = forms.SplitDateTimeField(
        label=_("Valid from"),
        help_text=_("Empty: from now."),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    valid_until = forms.SplitDateTimeField(
        label=_("Valid until"), required=False, widget=UnfoldAdminSplitDateTimeWidget
    )

    @property
    def named(self) -> Iterable[str]:
        """Which facts of the offer this form states."""
        return OFFERED

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        values["offer"] = cast(Offer, {name: values[name] for name in self.named if name in values})
        return values


class AssignForm(OfferForm):
    """An offer for one station, one of its connectors, a site, or everything else."""

    station = forms.ModelChoiceField(
        label=_("Station"),
        queryset=Station.objects.all(),
        required=False,
        widget=AutocompleteSelect(TariffAssignment._meta.get_field("station"), admin.site),
    )
    connector_id = forms.IntegerField(
        label=_("Connector"),
        help_text=_("Only this connector of the station."),
        min_value=1,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    site = forms.ModelChoiceField(
        label=_("Site"),
        queryset=Site.objects.all(),
        required=False,
        help_text=_("Neither a station nor a site: everywhere else."),
        widget=AutocompleteSelect(TariffAssignment._meta.get_field("site"), admin.site),
    )

    field_order = ("station", "connector_id", "site", *OFFERED)


class ReviseForm(OfferForm):
    """A new version of an offer: what is left as it is stays as it is."""

    def __init__(self, data: Any = None, *, row: TariffAssignment) -> None:
        super().__init__(data, row=row)
        self.initial = {**offer_of(row), "valid_from": None}

    @property
    def named(self) -> list[str]:
        """Only what was changed."""
        return [name for name in OFFERED if name in self.changed_data]
