"""How long the stops of each station take, and whether it sends samples when asked: read-only."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin
from billing.admin.filters import MomentFilter

from ..models import StopHabit


@admin.register(StopHabit)
class StopHabitAdmin(ReadOnlyAdmin):
    list_display = ("station", "latest_s", "stops", "refused_until")
    list_filter = (
        ("station", AutocompleteSelectFilter),
        ("refused_until", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("station__station_id",)
    fields = readonly_fields = ("station", "latencies_s", "refused_until")

    @admin.display(description=_("last stop took, s"))
    def latest_s(self, habit: StopHabit) -> float | None:
        return habit.latencies_s[-1] if habit.latencies_s else None

    @admin.display(description=_("stops known"))
    def stops(self, habit: StopHabit) -> int:
        return len(habit.latencies_s)
