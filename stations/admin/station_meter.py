"""The meter of a station: how it speaks, what shows it, and what staff say of it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from billing.admin.display import EMPTY, link
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned

from .. import meters
from ..metering import Habits
from ..models import Station
from ..models.meter_profile import BILL_UNITS, REGISTERS, SAMPLE_UNITS, SOURCES
from .meter_profile import HABITS, evidence_table, habits_table


class MeterForm(ReasonForm):
    """How a meter speaks; each habit may be left to be found out."""

    sample_unit = forms.ChoiceField(
        label=_("Unit of samples"), choices=SAMPLE_UNITS, widget=UnfoldAdminSelectWidget
    )
    bill_unit = forms.ChoiceField(
        label=_("Unit of meterStart and meterStop"),
        choices=BILL_UNITS,
        widget=UnfoldAdminSelectWidget,
    )
    register = forms.ChoiceField(
        label=_("The register"), choices=REGISTERS, widget=UnfoldAdminSelectWidget
    )
    source = forms.ChoiceField(
        label=_("Source of energy"), choices=SOURCES, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, data: Any = None, *, row: Station | None) -> None:
        super().__init__(data, row=row)
        profile = meters.profile_of(row) if row else None
        if profile:
            self.initial.update({name: getattr(profile, name) for name in HABITS})


class MeterButtons:
    """The meter on the page of a station, with its buttons."""

    @admin.display(description=_("meter"))
    def meter(self, station: Station) -> SafeString | str:
        profile = meters.profile_of(station)
        if profile is None:
            return EMPTY
        page = link(profile, str(_("Profile of the meter")))
        return format_html("{}{}{}", page, habits_table(profile), evidence_table(profile))

    @reasoned(
        label=_("Confirm the meter's quirks"),
        permission="stations.change_station",
        is_offered=lambda station: _likely(station) != Habits(),
        is_logged=False,
        icon="electric_meter",
    )
    def confirm_meter(self, act: Act[Station]) -> Done:
        meters.confirm_habits(station=act.row, by=act.actor, reason=act.reason)
        return Done(_("Confirmed. It counts for what is read from now on."))

    @reasoned(
        label=_("Set the meter by hand"),
        permission="stations.change_station",
        form=MeterForm,
        is_logged=False,
        icon="electric_meter",
    )
    def set_meter(self, act: Act[Station]) -> Done:
        habits = Habits(**{name: act.values[name] for name in HABITS})
        meters.state_habits(station=act.row, habits=habits, by=act.actor, reason=act.reason)
        return Done(_("Set. It counts for what is read from now on."))

    @reasoned(
        label=_("Forget what the meter showed"),
        permission="stations.change_station",
        is_offered=lambda station: _has_evidence(station),
        is_logged=False,
    )
    def forget_meter(self, act: Act[Station]) -> Done:
        meters.forget_evidence(station=act.row, by=act.actor, reason=act.reason)
        return Done(_("Forgotten. What staff state of the meter stays."))


def _likely(station: Station) -> Habits:
    profile = meters.profile_of(station)
    return profile.likely if profile else Habits()


def _has_evidence(station: Station) -> bool:
    profile = meters.profile_of(station)
    return profile is not None and bool(profile.findings)
