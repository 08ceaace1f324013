"""Forms of firmware: an image, and a campaign that brings it to a group of stations."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from billing.admin.base import ReasonedModelForm
from billing.admin.reasoned import ReasonForm

from ..firmware.campaigns import Group, Pace
from ..models import FirmwareCampaign, FirmwareImage, FirmwareUpdate, Site, Station

GROUP = ("stations", "site", "vendor", "model", "version")
PACE = (
    "begins_at",
    "from_hour",
    "until_hour",
    "max_at_once",
    "stop_percent",
    "retries",
    "retry_interval_s",
)


class ImageForm(ReasonedModelForm):
    """A new image: a file of ours or an address of its maker's; signed, if it has a signature."""

    file = forms.FileField(
        label=_("File"), required=False, allow_empty_file=False, widget=UnfoldAdminFileFieldWidget
    )


def _hour(label: Any, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=0,
        max_value=23,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )


def _number(label: Any, initial: int, *, least: int, most: int, help_text: Any = "") -> Any:
    return forms.IntegerField(
        label=label,
        initial=initial,
        min_value=least,
        max_value=most,
        help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget,
    )


def _text(label: Any, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=60,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )


class CampaignForm(ReasonForm):
    """What goes where, when, and how fast. The conditions on stations narrow the group."""

    name = forms.CharField(label=_("Name"), max_length=120, widget=UnfoldAdminTextInputWidget)
    image = forms.ModelChoiceField(
        label=_("Image"),
        queryset=FirmwareImage.objects.all(),
        widget=AutocompleteSelect(FirmwareCampaign._meta.get_field("image"), admin.site),
    )
    stations = forms.ModelMultipleChoiceField(
        label=_("Stations"),
        help_text=_("Empty: all that the conditions below find."),
        queryset=Station.objects.all(),
        required=False,
        widget=AutocompleteSelectMultiple(FirmwareUpdate._meta.get_field("station"), admin.site),
    )
    site = forms.ModelChoiceField(
        label=_("Site"),
        queryset=Site.objects.all(),
        required=False,
        widget=AutocompleteSelect(Station._meta.get_field("site"), admin.site),
    )
    vendor = _text(_("Vendor"))
    model = _text(_("Model"))
    version = _text(_("Present version"))
    begins_at = forms.SplitDateTimeField(
        label=_("Begins"),
        help_text=_("Empty: now."),
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
    )
    from_hour = _hour(_("From hour"), _("By each station's clock; empty: at any time."))
    until_hour = _hour(_("Until hour"), _("May be past midnight: from 23 until 5."))
    max_at_once = _number(_("Stations at a time"), 5, least=1, most=1000)
    stop_percent = _number(_("Stop above so many failed, in percent"), 10, least=0, most=100)
    retries = _number(_("Tries of a station to download"), 3, least=0, most=20)
    retry_interval_s = _number(_("Seconds between tries"), 300, least=1, most=86_400)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        values["group"] = cast(Group, {name: values.get(name) for name in GROUP})
        pace = {name: values[name] for name in PACE if name in values}
        if pace.get("begins_at") is None:
            pace.pop("begins_at", None)
        values["pace"] = cast(Pace, pace)
        return values
