"""Charging profiles that stations are believed to hold: read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin
from billing.admin.display import json_text

from ..models import InstalledProfile


@admin.register(InstalledProfile)
class InstalledProfileAdmin(DiaryAdmin):
    list_display = (
        "station",
        "connector_id",
        "profile_id",
        "purpose",
        "stack_level",
        "state",
        "cause",
        "changed_at",
    )
    list_filter = (("station", AutocompleteSelectFilter), "state", ("purpose", FieldTextFilter))
    list_select_related = ("station",)
    search_fields = ("station__station_id", "purpose", "cause")
    fields = readonly_fields = (
        "station",
        "connector_id",
        "profile_id",
        "purpose",
        "stack_level",
        "state",
        "cause",
        "changed_at",
        "wire_form",
    )

    @admin.display(description=_("profile"))
    def wire_form(self, row: InstalledProfile) -> SafeString:
        return json_text(row.profile)
