"""The part of a station's page that is about its firmware, its diagnostics and its logs."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget

from billing.admin.display import EMPTY, link
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned

from .. import uploads
from ..models import FirmwareReport, LogRequest, Station

Kind = LogRequest.Kind


class SpanForm(ReasonForm):
    """From when to when; empty means all that the station has."""

    oldest = forms.SplitDateTimeField(
        label=_("From"), required=False, widget=UnfoldAdminSplitDateTimeWidget
    )
    latest = forms.SplitDateTimeField(
        label=_("To"), required=False, widget=UnfoldAdminSplitDateTimeWidget
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        first, last = values.get("oldest"), values.get("latest")
        if first and last and last < first:
            raise ValidationError({"latest": _("This is before the beginning.")})
        return values


class LogForm(SpanForm):
    kind = forms.ChoiceField(
        label=_("Log"),
        choices=[(kind.value, kind.label) for kind in (Kind.DIAGNOSTICS_LOG, Kind.SECURITY_LOG)],
        widget=UnfoldAdminSelectWidget,
    )


class MaintenanceButtons:
    """Buttons and lines of a station's page."""

    @admin.display(description=_("firmware status"))
    def firmware_status(self, station: Station) -> str:
        """The last one, whoever asked for the update."""
        report = FirmwareReport.objects.filter(station=station).first()
        return f"{report.status} · {report.at:%Y-%m-%d %H:%M} UTC" if report else EMPTY

    @reasoned(
        label=_("Ask for diagnostics"),
        permission="stations.add_logrequest",
        form=SpanForm,
        is_offered=lambda station: station.is_online,
        icon="troubleshoot",
    )
    def ask_diagnostics(self, act: Act[Station]) -> Done:
        return _request(act, Kind.DIAGNOSTICS)

    @reasoned(
        label=_("Ask for a log"),
        permission="stations.add_logrequest",
        form=LogForm,
        is_offered=lambda station: station.is_online,
        icon="list_alt",
    )
    def ask_log(self, act: Act[Station]) -> Done:
        return _request(act, Kind(act.values["kind"]))


def _request(act: Act[Station], kind: LogRequest.Kind) -> Done:
    request = uploads.request_log(
        station=act.row,
        kind=kind,
        oldest=act.values["oldest"],
        latest=act.values["latest"],
        by=act.actor,
        reason=act.reason,
    )
    return Done(format_html("{} {}", _("The station is asked:"), link(request)))
