"""Sites: places with stations."""

from typing import cast

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.enums import ActionVariant

from billing.admin.base import SelfRecordedAdmin
from billing.admin.filters import CaseFilter, Cases
from billing.admin.reasoned import Act, Done, actor_of, reasoned

from .. import registry
from ..models import Site
from ..registry import SiteFacts


class HasStationsFilter(CaseFilter):
    title = _("stations")
    parameter_name = "stations"

    def cases(self) -> Cases:
        return {
            "1": (_("with stations"), Q(station_count__gt=0)),
            "0": (_("without stations"), Q(station_count=0)),
        }


@admin.register(Site)
class SiteAdmin(SelfRecordedAdmin):
    list_display = ("name", "address", "stations")
    list_filter = (HasStationsFilter,)
    search_fields = ("name", "address")
    fields = ("name", "address", "latitude", "longitude")
    actions_detail = ("remove",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        sites: QuerySet[Site] = super().get_queryset(request)
        return sites.annotate(station_count=Count("stations"))

    @admin.display(description=_("stations"), ordering="station_count")
    def stations(self, site: Site) -> int:
        return int(site.station_count)  # type: ignore[attr-defined]  # annotated

    def save_model(
        self, request: HttpRequest, obj: Site, form: "forms.ModelForm[Site]", change: bool
    ) -> None:
        by, reason = actor_of(request), form.cleaned_data["reason"]
        names = form.changed_data if change else self.fields
        facts = cast(SiteFacts, {n: form.cleaned_data[n] for n in names if n != "reason"})
        if change:
            registry.update_site(site_id=obj.pk, changes=facts, by=by, reason=reason)
        else:
            obj.pk = registry.add_site(facts=facts, by=by, reason=reason).pk

    @reasoned(
        label=_("Remove"),
        permission="stations.delete_site",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def remove(self, act: Act[Site]) -> Done:
        registry.remove_site(site_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("The site is gone."), is_gone=True)
