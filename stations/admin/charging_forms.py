"""Forms of Smart Charging: a schedule as lines of text, and which profiles to clear."""

import datetime as dt
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from billing.admin.reasoned import ReasonForm

from ..smart_charging import ChargingProfile, Kind, Period, Purpose, Recurrence, Schedule, Unit

MAX_NUMBER = 1000
MAX_LIMIT = 10_000_000
DAY_MINUTES = 24 * 60
ANY = ("", _("any"))
PURPOSES = [
    (Purpose.TX_DEFAULT.value, _("each charge")),
    (Purpose.STATION_MAX.value, _("the whole station")),
]


def _number(label: Any, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        min_value=0,
        max_value=MAX_NUMBER,
        widget=UnfoldAdminIntegerFieldWidget,
        **options,
    )


class ProfileForm(ReasonForm):
    """A profile that begins now, or at midnight of each day in UTC."""

    connector_id = _number(_("Connector"), help_text=_("0 is the station."), initial=0)
    purpose = forms.ChoiceField(label=_("Limits"), choices=PURPOSES, widget=UnfoldAdminSelectWidget)
    stack_level = _number(_("Stack level"), help_text=_("The highest prevails."), initial=0)
    recurs = forms.ChoiceField(
        label=_("Holds"),
        choices=[("", _("from now on")), (Recurrence.DAILY.value, _("every day, in UTC"))],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    unit = forms.ChoiceField(
        label=_("Unit"),
        choices=[(Unit.AMPERE.value, _("A per phase")), (Unit.WATT.value, _("W in all"))],
        widget=UnfoldAdminSelectWidget,
    )
    periods = forms.CharField(
        label=_("Schedule"),
        help_text=_("A line each: minutes after the start, limit, phases if not 3. 0 16"),
        max_length=5000,
        widget=UnfoldAdminTextareaWidget,
    )

    def clean_periods(self) -> tuple[Period, ...]:
        return tuple(_read_line(line) for line in self.cleaned_data["periods"].splitlines() if line)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors:
            values["profile"] = _profile(values)
        return values


class ClearForm(ReasonForm):
    """Which profiles a station shall forget; all when nothing is said."""

    profile_id = forms.IntegerField(
        label=_("Profile id"), required=False, widget=UnfoldAdminIntegerFieldWidget
    )
    connector_id = _number(_("Connector"), required=False)
    purpose = forms.TypedChoiceField(
        label=_("Purpose"),
        choices=[ANY, *((purpose.value, purpose.value) for purpose in Purpose)],
        coerce=Purpose,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    stack_level = _number(_("Stack level"), required=False)


class CompositeForm(ReasonForm):
    connector_id = _number(_("Connector"), help_text=_("0 is the station."), initial=1)
    hours = forms.IntegerField(
        label=_("Hours"),
        min_value=1,
        max_value=168,
        initial=24,
        widget=UnfoldAdminIntegerFieldWidget,
    )


def _read_line(line: str) -> Period:
    words = line.replace(",", " ").split()
    try:
        minutes, limit = int(words[0]), Decimal(words[1])
        phases = int(words[2]) if len(words) > 2 else None
    except (IndexError, ValueError, InvalidOperation):
        raise forms.ValidationError(_("Not readable: %(line)s"), params={"line": line}) from None
    is_limit = limit.is_finite() and 0 <= limit <= MAX_LIMIT
    if len(words) > 3 or not 0 <= minutes < 7 * DAY_MINUTES or not is_limit:
        raise forms.ValidationError(_("Not readable: %(line)s"), params={"line": line})
    return Period(minutes * 60, limit, phases)


def _profile(values: dict[str, Any]) -> ChargingProfile:
    now = timezone.now().astimezone(dt.UTC).replace(microsecond=0)
    recurs = Recurrence(values["recurs"]) if values["recurs"] else None
    start_at = now.replace(hour=0, minute=0, second=0) if recurs else now
    return ChargingProfile(
        id=0,  # the use case chooses it
        purpose=Purpose(values["purpose"]),
        kind=Kind.RECURRING if recurs else Kind.ABSOLUTE,
        recurrence=recurs,
        stack_level=values["stack_level"],
        schedule=Schedule(Unit(values["unit"]), values["periods"], start_at=start_at),
    )
