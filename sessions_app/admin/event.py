"""What happened to sessions: read-only, never counted."""

import json

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter

from billing.admin.base import DiaryAdmin, RecordInline
from billing.admin.filters import MomentFilter

from ..models import SessionEvent


@admin.display(description=_("detail"))
def detail_line(event: SessionEvent) -> str:
    return ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in event.detail.items()
    )


class EventInline(RecordInline):
    model = SessionEvent
    fields = readonly_fields = ("at", "kind", "from_status", "to_status", "actor", detail_line)


@admin.register(SessionEvent)
class SessionEventAdmin(DiaryAdmin):
    list_display = ("at", "session", "kind", "from_status", "to_status", "actor", detail_line)
    list_filter = (
        "kind",
        ("to_status", FieldTextFilter),
        ("actor", FieldTextFilter),
        ("at", MomentFilter),
    )
    list_select_related = ("session",)
    search_fields = ("session__id", "actor")
    ordering = ("-id",)
    fields = readonly_fields = (
        "session",
        "at",
        "kind",
        "from_status",
        "to_status",
        "actor",
        "detail",
    )
