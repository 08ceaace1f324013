"""Calls from us to stations, whoever asked for them: read-only."""

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin, RecordInline
from billing.admin.display import EMPTY, json_text
from billing.admin.filters import MomentFilter

from ..masking import mask
from ..models import Command

MAX_OUTCOME = 200


@admin.display(description=_("outcome"))
def outcome(command: Command) -> str:
    """What came of a command in one line: the answer's status, or the error and its words."""
    if command.error:
        return f"{command.error.get('code', '')}: {command.error.get('description', '')}"
    if command.response is None:
        return EMPTY
    text = str(command.response.get("status") or json.dumps(command.response, ensure_ascii=False))
    return text if len(text) <= MAX_OUTCOME else f"{text[:MAX_OUTCOME]}…"


class CommandInline(RecordInline):
    """The last commands to a station, and what came of each."""

    model = Command
    fields = readonly_fields = (
        "created_at",
        "action",
        "status",
        outcome,
        "requested_by",
        "reason",
        "resolved_at",
    )
    ordering = ("-created_at",)
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Command]:
        commands: QuerySet[Command] = super().get_queryset(request)
        return commands.select_related("requested_by", "station")


@admin.register(Command)
class CommandAdmin(DiaryAdmin):
    list_display = (
        "created_at",
        "station",
        "action",
        "status",
        outcome,
        "lane",
        "requested_by",
        "reason",
        "resolved_at",
    )
    list_filter = (
        ("station", AutocompleteSelectFilter),
        "status",
        "lane",
        ("action", FieldTextFilter),
        ("requested_by", AutocompleteSelectFilter),
        ("created_at", MomentFilter),
    )
    list_select_related = ("station", "requested_by")
    search_fields = ("id", "action", "reference", "reason", "station__station_id")
    fields = readonly_fields = (
        "id",
        "station",
        "action",
        "sent_payload",
        "status",
        "response",
        "error",
        "lane",
        "reference",
        "requested_by",
        "reason",
        "fence",
        "timeout_s",
        "created_at",
        "deadline_at",
        "sent_at",
        "resolved_at",
    )

    @admin.display(description=_("payload"))
    def sent_payload(self, command: Command) -> SafeString:
        """A new key of a station is no one's to read."""
        return json_text(mask(command.payload))
