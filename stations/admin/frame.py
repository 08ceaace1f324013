"""What was said over the wire: read-only, searched by text, never counted."""

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter

from billing.admin.base import DiaryAdmin
from billing.admin.filters import MomentFilter

from ..models import Frame

SHOWN = 120


@admin.register(Frame)
class FrameAdmin(DiaryAdmin):
    list_display = ("at", "station", "direction", "action", "beginning")
    list_filter = (
        ("station", AutocompleteSelectFilter),
        "direction",
        ("action", FieldTextFilter),
        ("at", MomentFilter),
    )
    list_select_related = ("station",)
    search_fields = ("text",)
    fields = readonly_fields = ("id", "at", "station", "direction", "action", "text")

    @admin.display(description=_("text"))
    def beginning(self, frame: Frame) -> str:
        return Truncator(frame.text).chars(SHOWN)
