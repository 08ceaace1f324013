"""The lists of tags at stations: read-only; their buttons are on the page of the station."""

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import EMPTY, list_link, table
from stations.models import Command

from ..models import LocalList
from ..services.tag_list import Tags, wanted_of

SHOWN = ("station", "choice", "is_on", "state", "version", "wanted_count", "cut_count")
TOLD = ("last_result", "last_result_at", "failures", "retry_at", "version_asked_at")


@admin.register(LocalList)
class LocalListAdmin(ReadOnlyAdmin):
    list_display = (*SHOWN, "there_count", "last_result", "last_result_at")
    list_filter = (
        "state",
        "choice",
        ("station", AutocompleteSelectFilter),
        ("station__site", AutocompleteSelectFilter),
    )
    list_select_related = ("station",)
    search_fields = ("station__station_id", "station__name", "last_result")
    fields = readonly_fields = (*SHOWN, *TOLD, "pages", "difference", "entries_table")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LocalList]:
        rows: QuerySet[LocalList] = super().get_queryset(request)
        return rows.select_related("station")

    @admin.display(description=_("enabled"), boolean=True)
    def is_on(self, row: LocalList) -> bool:
        return row.is_on

    @admin.display(description=_("tags there"))
    def there_count(self, row: LocalList) -> int:
        return len(row.entries)

    @admin.display(description=_("pages"))
    def pages(self, row: LocalList) -> SafeString:
        query = f"station__id__exact={row.station_id}&q={LocalList.REFERENCE}"
        return list_link(Command, query, _("Commands"))

    @admin.display(description=_("what differs"))
    def difference(self, row: LocalList) -> str:
        wanted = wanted_of(row, Tags.at(timezone.now())).entries
        every = sorted(wanted.keys() | row.entries.keys())
        return ", ".join(tag for tag in every if wanted.get(tag) != row.entries.get(tag)) or EMPTY

    @admin.display(description=_("tags there"))
    def entries_table(self, row: LocalList) -> SafeString | str:
        rows = [(tag, json.dumps(info)) for tag, info in sorted(row.entries.items())]
        return table((_("tag"), _("what the station is told")), rows) if rows else EMPTY
