"""What drivers are told, how, and whether it got there: read-only."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from ..models import Notice, NoticePreference
from .base import DiaryAdmin, ReadOnlyAdmin, RecordInline
from .display import json_text
from .filters import MomentFilter


@admin.register(Notice)
class NoticeAdmin(DiaryAdmin):
    list_display = ("created_at", "user", "kind", "channel", "address", "status", "reason")
    list_filter = (
        "status",
        "kind",
        "channel",
        ("user", AutocompleteSelectFilter),
        ("created_at", MomentFilter),
    )
    list_select_related = ("user",)
    search_fields = ("cause", "user__username")
    fields = readonly_fields = (
        "id",
        "user",
        "kind",
        "channel",
        "address",
        "language",
        "text",
        "link",
        "cause",
        "status",
        "reason",
        "created_at",
        "stale_at",
        "ended_at",
    )


@admin.register(NoticePreference)
class NoticePreferenceAdmin(ReadOnlyAdmin):
    list_display = ("user", "is_telegram_linked", "changed_at")
    list_filter = (("user", AutocompleteSelectFilter), ("changed_at", MomentFilter))
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email", "user__phone")
    fields = readonly_fields = (
        "user",
        "what_was_chosen",
        "email",
        "is_telegram_linked",
        "changed_at",
    )

    @admin.display(description=_("what was chosen"))
    def what_was_chosen(self, preference: NoticePreference) -> str:
        return json_text(preference.choices)

    @admin.display(description=_("Telegram is linked"), boolean=True)
    def is_telegram_linked(self, preference: NoticePreference) -> bool:
        return preference.telegram_chat is not None


class NoticeInline(RecordInline):
    """On the page of a person: what they were told, newest first."""

    model = Notice
    verbose_name_plural = _("notices")
    fields = readonly_fields = (
        "created_at",
        "kind",
        "channel",
        "address",
        "text",
        "status",
        "reason",
        "ended_at",
    )
    ordering = ("-created_at",)
    show_change_link = True

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).select_related("user")
