"""What is sold where: versions are added by buttons and never edited."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.enums import ActionVariant

from billing.admin.base import ReadOnlyAdmin
from billing.admin.display import link
from billing.admin.reasoned import Act, Done, reasoned

from .. import tariffs
from ..models import TariffAssignment
from .assignment_forms import AssignForm, ReviseForm


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("current", _("in force")), ("planned", _("planned")), ("over", _("over"))]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[TariffAssignment]
    ) -> QuerySet[TariffAssignment]:
        now = timezone.now()
        match self.value():
            case "current":
                return queryset.filter(pk__in=TariffAssignment.objects.current(now).values("pk"))
            case "planned":
                standing = TariffAssignment.objects.standing(now).values("pk")
                return queryset.filter(valid_from__gt=now, pk__in=standing)
            case "over":
                return queryset.filter(valid_until__lte=now)
        return queryset


@admin.register(TariffAssignment)
class TariffAssignmentAdmin(ReadOnlyAdmin):
    list_display = ("scope_name", "tariff", "version", "valid_from", "valid_until")
    list_filter = (
        StateFilter,
        ("station", AutocompleteSelectFilter),
        ("site", AutocompleteSelectFilter),
        ("valid_from", RangeDateTimeFilter),
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
        return Done(_("Assigned: ") + link(version))

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
        return Done(_("There is a new version: ") + link(version))

    @reasoned(
        label=_("Retire"),
        permission="stations.delete_tariffassignment",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def retire(self, act: Act[TariffAssignment]) -> Done:
        tariffs.retire(scope_id=act.row.scope_id, by=act.actor, reason=act.reason)
        return Done(_("Nothing is sold by this tariff any more."))
