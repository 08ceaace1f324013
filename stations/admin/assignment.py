"""What is sold where: versions are added by buttons and never edited."""

from django.contrib import admin
from django.db.models import Q
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import link
from billing.admin.filters import CaseFilter, Cases, MomentFilter
from billing.admin.reasoned import Act, Done, reasoned

from .. import tariffs
from ..models import TariffAssignment
from .assignment_forms import AssignForm, ReviseForm


class StateFilter(CaseFilter):
    title = _("state")
    parameter_name = "state"

    def cases(self) -> Cases:
        now = timezone.now()
        is_standing = Q(pk__in=TariffAssignment.objects.standing(now).values("pk"))
        has_begun = Q(valid_from__lte=now)
        return {
            "current": (_("in force"), is_standing & has_begun),
            "planned": (_("planned"), is_standing & ~has_begun),
            "over": (_("over"), ~is_standing),
        }


@admin.register(TariffAssignment)
class TariffAssignmentAdmin(ReadOnlyAdmin):
    list_display = ("scope_name", "tariff", "version", "valid_from", "valid_until")
    list_filter = (
        StateFilter,
        ("station", AutocompleteSelectFilter),
        ("site", AutocompleteSelectFilter),
        ("valid_from", MomentFilter),
    )
    list_select_related = ("tariff", "station", "site", "connector__station")
    search_fields = (
        "scope",
        "tariff__name",
        "station__station_id",
        "site__name",
        "connector__station__station_id",
    )
    fields = readonly_fields = (
        "scope_name",
        "scope_id",
        "version",
        "tariff",
        "valid_from",
        "valid_until",
    )
    actions_list = ("assign",)
    actions_detail = ("revise", "retire")

    @admin.display(description=_("sold at"), ordering="scope")
    def scope_name(self, version: TariffAssignment) -> str:
        if version.connector:
            return f"{version.connector.station} / {version.connector.connector_id}"
        return str(version.station or version.site or _("everywhere else"))

    @reasoned(
        label=_("Assign a tariff"),
        permission="stations.add_tariffassignment",
        form=AssignForm,
        is_logged=False,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def assign(self, act: Act[None]) -> Done:
        station, site = act.values["station"], act.values["site"]
        scope = tariffs.scope_at(
            station_id=station and station.station_id,
            connector_id=act.values["connector_id"],
            site_id=site and site.pk,
        )
        version = tariffs.assign(
            scope=scope,
            offer=act.values["offer"],
            by=act.actor,
            reason=act.reason,
        )
        return Done(format_html("{} {}", _("Assigned:"), link(version)))

    @reasoned(
        label=_("Change the price"),
        permission="stations.change_tariffassignment",
        form=ReviseForm,
        is_logged=False,
        icon="edit",
    )
    def revise(self, act: Act[TariffAssignment]) -> Done:
        version = tariffs.revise(
            scope_id=act.row.scope_id,
            changes=act.values["offer"],
            by=act.actor,
            reason=act.reason,
        )
        return Done(format_html("{} {}", _("There is a new version:"), link(version)))

    @reasoned(
        label=_("Retire"),
        permission="stations.delete_tariffassignment",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def retire(self, act: Act[TariffAssignment]) -> Done:
        tariffs.retire(scope_id=act.row.scope_id, by=act.actor, reason=act.reason)
        return Done(_("Nothing is sold by this tariff any more."))
