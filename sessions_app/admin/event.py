"""What happened to sessions: read-only, never counted."""

import json
from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter

from billing.admin.base import DiaryAdmin, RecordInline
from billing.admin.display import energy, money
from billing.admin.filters import MomentFilter

from ..models import SessionEvent


@admin.display(description=_("detail"))
def detail_line(event: SessionEvent) -> str:
    """The facts of an event in one line, each in the unit that its name ends with."""
    return ", ".join(_fact(name, value) for name, value in event.detail.items())


def _fact(name: str, value: Any) -> str:
    if name.endswith("_minor"):
        return f"{name.removesuffix('_minor')}: {money(value)}"
    if name.endswith("_wh"):
        return f"{name.removesuffix('_wh')}: {energy(value)}"
    return f"{name}: {value if isinstance(value, str) else json.dumps(value)}"


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
        detail_line,
    )
