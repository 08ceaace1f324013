"""Log-ins to the API: to be seen and ended, never made or read here."""

import knox.admin  # noqa: F401 - registers what is replaced here
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from .base import ReadOnlyAdmin
from .filters import MomentFilter
from .reasoned import Act, Done, reasoned

admin.site.unregister(AuthToken)


@admin.register(AuthToken)
class AuthTokenAdmin(ReadOnlyAdmin):
    list_display = ("user", "created", "expiry")
    list_filter = (("user", AutocompleteSelectFilter), ("created", MomentFilter))
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email", "user__phone")
    fields = readonly_fields = ("user", "created", "expiry")
    actions = actions_detail = ("end",)

    @reasoned(label=_("End"), permission="knox.delete_authtoken", variant=ActionVariant.DANGER)
    def end(self, act: Act[AuthToken]) -> Done:
        act.row.delete()
        return Done(_("This log-in has ended."), is_gone=True)
