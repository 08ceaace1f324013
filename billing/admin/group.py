"""Groups of staff: who may do what."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from .base import KubatAdmin
from .reasoned import Act, Done, reasoned

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(KubatAdmin, DjangoGroupAdmin):
    list_display = ("name",)
    search_fields = ("name",)
    ordering = ("name",)
    filter_horizontal = ("permissions",)
    actions_detail = ("remove",)

    @reasoned(label=_("Remove"), permission="auth.delete_group", variant=ActionVariant.DANGER)
    def remove(self, act: Act[Group]) -> Done:
        act.row.delete()
        return Done(_("The group is gone."), is_gone=True)
