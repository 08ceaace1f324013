"""Uptime in the back office: by month and connector, with its outages, and what is excused."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
)

from billing.admin.base import DiaryAdmin, ReadOnlyAdmin
from billing.admin.display import table
from billing.admin.filters import CaseFilter, Cases, MomentFilter
from billing.admin.reasoned import Act, Done, ReasonForm, reasoned

from ..models import StationChange, UptimeExclusion, UptimeMonth
from ..uptime import exclusions, months

Category = UptimeExclusion.Category


class ExcludeForm(ReasonForm):
    began_at = forms.SplitDateTimeField(label=_("From"), widget=UnfoldAdminSplitDateTimeWidget)
    ended_at = forms.SplitDateTimeField(label=_("To"), widget=UnfoldAdminSplitDateTimeWidget)
    category = forms.ChoiceField(
        label=_("Because of"), choices=Category.choices, widget=UnfoldAdminSelectWidget
    )
    whole_station = forms.BooleanField(label=_("All of its connectors"), required=False)


class WithdrawnFilter(CaseFilter):
    title = _("state")
    parameter_name = "withdrawn"

    def cases(self) -> Cases:
        return {
            "0": (_("counts"), Q(withdrawn_at__isnull=True)),
            "1": (_("withdrawn"), Q(withdrawn_at__isnull=False)),
        }


class MonthFilter(admin.SimpleListFilter):
    """One of the months of the last two years."""

    title = _("month")
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        month, shown = months.first_day(timezone.localdate()), []
        for _number in range(24):
            shown.append((f"{month:%Y-%m}", f"{month:%Y-%m}"))
            month = months.first_day(month - dt.timedelta(days=1))
        return shown

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[UptimeMonth]
    ) -> QuerySet[UptimeMonth]:
        chosen = self.value()
        if chosen not in dict(self.lookups(request, None)):
            return queryset
        return queryset.filter(month=dt.date.fromisoformat(f"{chosen}-01"))


@admin.register(UptimeMonth)
class UptimeMonthAdmin(ReadOnlyAdmin):
    list_display = (
        "month",
        "station",
        "connector_id",
        "uptime",
        "counted",
        "outage",
        "excluded",
        "outage_count",
        "is_final",
    )
    list_filter = (
        MonthFilter,
        ("station", AutocompleteSelectFilter),
        ("station__site", AutocompleteSelectFilter),
        "is_final",
    )
    list_select_related = ("station",)
    search_fields = ("station__station_id", "station__name")
    fields = readonly_fields = (
        *list_display,
        "offline",
        "inoperative",
        "off_sale",
        "time_zone",
        "computed_at",
        "shown_outages",
    )
    actions_detail = ("exclude_outage", "recompute")

    @admin.display(description=_("uptime"))
    def uptime(self, row: UptimeMonth) -> str:
        return "—" if row.uptime_percent is None else f"{row.uptime_percent} %"

    @admin.display(description=_("counted"), ordering="counted_s")
    def counted(self, row: UptimeMonth) -> str:
        return _length(row.counted_s)

    @admin.display(description=_("outages"), ordering="outage_s")
    def outage(self, row: UptimeMonth) -> str:
        return _length(row.outage_s)

    @admin.display(description=_("of it excluded"), ordering="excluded_s")
    def excluded(self, row: UptimeMonth) -> str:
        return _length(row.excluded_s)

    @admin.display(description=_("offline"))
    def offline(self, row: UptimeMonth) -> str:
        return _length(row.offline_s)

    @admin.display(description=_("online, but out of order"))
    def inoperative(self, row: UptimeMonth) -> str:
        return _length(row.inoperative_s)

    @admin.display(description=_("off sale, not counted"))
    def off_sale(self, row: UptimeMonth) -> str:
        return _length(row.off_sale_s)

    @admin.display(description=_("outages"))
    def shown_outages(self, row: UptimeMonth) -> SafeString:
        """In the time of the station."""
        zone = row.station.zone

        def local(text: str) -> str:
            at = parse_datetime(text)
            return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if at else text

        headers = (_("from"), _("to"), _("length"), _("of it offline"), _("of it excluded"))
        return table(
            headers,
            [
                (
                    local(one["began_at"]),
                    local(one["ended_at"]),
                    *(_length(one[name]) for name in ("outage_s", "offline_s", "excluded_s")),
                )
                for one in row.outages
            ],
        )

    @reasoned(
        label=_("Exclude an outage"),
        permission="stations.add_uptimeexclusion",
        form=ExcludeForm,
        is_logged=False,
    )
    def exclude_outage(self, act: Act[UptimeMonth]) -> Done:
        exclusions.exclude(
            station=act.row.station,
            connector_id=None if act.values["whole_station"] else act.row.connector_id,
            began_at=act.values["began_at"],
            ended_at=act.values["ended_at"],
            category=act.values["category"],
            by=act.actor,
            reason=act.reason,
        )
        return Done(_("What of outages lies within is excused."))

    @reasoned(label=_("Compute again"), permission="stations.change_uptimemonth", is_logged=False)
    def recompute(self, act: Act[UptimeMonth]) -> Done:
        exclusions.recompute(
            station=act.row.station, month=act.row.month, by=act.actor, reason=act.reason
        )
        return Done(_("The month was computed again."))


@admin.register(UptimeExclusion)
class UptimeExclusionAdmin(ReadOnlyAdmin):
    list_display = (
        "station",
        "connector_id",
        "began_at",
        "ended_at",
        "category",
        "reason",
        "made_by",
        "withdrawn_at",
    )
    list_filter = (
        "category",
        WithdrawnFilter,
        ("station", AutocompleteSelectFilter),
        ("began_at", MomentFilter),
    )
    list_select_related = ("station", "made_by")
    search_fields = ("station__station_id", "reason")
    fields = readonly_fields = (*list_display, "withdrawn_by", "created_at")
    actions_detail = ("withdraw",)

    @reasoned(
        label=_("Withdraw"),
        permission="stations.change_uptimeexclusion",
        is_offered=lambda row: row.withdrawn_at is None,
        is_logged=False,
    )
    def withdraw(self, act: Act[UptimeExclusion]) -> Done:
        exclusions.withdraw(exclusion_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("It counts no more."))


@admin.register(StationChange)
class StationChangeAdmin(DiaryAdmin):
    list_display = ("at", "station", "kind", "is_on")
    list_filter = (
        "kind",
        ("station", AutocompleteSelectFilter),
        ("at", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("station__identity__exact",)
    fields = readonly_fields = list_display


def _length(seconds: int) -> str:
    """Hours, minutes and seconds."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
