"""Cards and tags: changed by the same use cases as in the API."""

from typing import cast

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from billing.admin.base import SelfRecordedAdmin
from billing.admin.filters import CaseFilter, Cases
from billing.admin.reasoned import Act, Done, actor_of, reasoned

from ..models import IdTag
from ..tags import TagValues, add_tag, change_tag, remove_tag


class ExpiredFilter(CaseFilter):
    title = _("expiry")
    parameter_name = "expired"

    def cases(self) -> Cases:
        is_over = Q(expires_at__isnull=False, expires_at__lte=timezone.now())
        return {"1": (_("expired"), is_over), "0": (_("good"), ~is_over)}


@admin.register(IdTag)
class IdTagAdmin(SelfRecordedAdmin):
    list_display = ("id_tag", "user", "status", "parent_id_tag", "expires_at", "created_at")
    list_filter = ("status", ExpiredFilter, ("user", AutocompleteSelectFilter))
    list_select_related = ("user",)
    search_fields = ("id_tag", "parent_id_tag", "user__username", "user__email", "user__phone")
    autocomplete_fields = ("user",)
    fields = ("id_tag", "user", "status", "parent_id_tag", "expires_at")
    actions = ("block", "accept")
    actions_detail = ("block", "accept", "remove")

    def save_model(
        self, request: HttpRequest, obj: IdTag, form: "forms.ModelForm[IdTag]", change: bool
    ) -> None:
        names = form.changed_data if change else self.fields
        values = cast(TagValues, {n: form.cleaned_data[n] for n in names if n != "reason"})
        by, reason = actor_of(request), form.cleaned_data["reason"]
        if change:
            change_tag(form.initial["id_tag"], values, actor=by, reason=reason)
        else:
            obj.pk = add_tag(values, actor=by, reason=reason).pk

    @reasoned(
        label=_("Block"),
        permission="sessions_app.change_idtag",
        is_offered=lambda tag: tag.status == IdTag.Status.ACCEPTED,
        is_logged=False,
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def block(self, act: Act[IdTag]) -> Done:
        _set_status(act, IdTag.Status.BLOCKED)
        return Done(_("The tag is blocked."))

    @reasoned(
        label=_("Accept"),
        permission="sessions_app.change_idtag",
        is_offered=lambda tag: tag.status == IdTag.Status.BLOCKED,
        is_logged=False,
    )
    def accept(self, act: Act[IdTag]) -> Done:
        _set_status(act, IdTag.Status.ACCEPTED)
        return Done(_("The tag is accepted."))

    @reasoned(
        label=_("Remove"),
        permission="sessions_app.delete_idtag",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[IdTag]) -> Done:
        remove_tag(act.row.id_tag, actor=act.actor, reason=act.reason)
        return Done(_("The tag is gone."), is_gone=True)


def _set_status(act: Act[IdTag], status: IdTag.Status) -> None:
    change_tag(act.row.id_tag, TagValues(status=status), actor=act.actor, reason=act.reason)
