"""Composite schedules in the back office: drawn, and told as a table."""

import datetime as dt

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as text
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import EMPTY, table
from billing.admin.filters import MomentFilter

from ..composite_schedules import agree, own_limits, told_limits
from ..models import CompositeSchedule
from ..smart_charging import Limit
from ..smart_charging.drawing import draw


@admin.register(CompositeSchedule)
class CompositeScheduleAdmin(ReadOnlyAdmin):
    list_display = ("station", "connector_id", "start_at", "unit", "received_at")
    list_filter = (("station", AutocompleteSelectFilter), ("received_at", MomentFilter))
    list_select_related = ("station",)
    search_fields = ("station__station_id",)
    fields = readonly_fields = ("station", "connector_id", "received_at", "drawing", "limits")

    @admin.display(description=_("schedule"))
    def drawing(self, row: CompositeSchedule) -> SafeString:
        told, own = told_limits(row), own_limits(row)
        chart = draw((told, own), start_at=_local(row), duration_s=row.duration_s)
        shown = {
            "chart": chart,
            "told": chart.paths[0],
            "own": chart.paths[1],
            "agrees": agree(told, own),
            "unit": text("ampere per phase") if row.unit == "A" else text("watt"),
            "zone": row.station.zone.key,
            "label": text("Limits over time; the table below tells the same."),
        }
        return render_to_string("admin/step_chart.html", shown)

    @admin.display(description=_("limits"))
    def limits(self, row: CompositeSchedule) -> SafeString:
        rows = [
            *((_("station"), *_line(row, limit)) for limit in told_limits(row)),
            *((_("ours"), *_line(row, limit)) for limit in own_limits(row)),
        ]
        return table((_("who says it"), _("from"), _("limit"), _("phases")), rows)


def _local(row: CompositeSchedule) -> dt.datetime:
    return row.start_at.astimezone(row.station.zone)


def _line(row: CompositeSchedule, limit: Limit) -> tuple[str, str, str]:
    begins = _local(row) + dt.timedelta(seconds=limit.start_s)
    value = EMPTY if limit.limit is None else f"{limit.limit.normalize():f} {row.unit}"
    return f"{begins:%Y-%m-%d %H:%M}", value, str(limit.phases or EMPTY)
