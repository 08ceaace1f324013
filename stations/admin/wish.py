"""What operators want of configuration keys: everywhere, for a model, at a site, at a station."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldBooleanSwitchWidget

from billing.admin.base import ReadOnlyAdmin, ReasonedModelForm, SelfRecordedAdmin
from billing.admin.filters import CaseFilter, Cases
from billing.admin.reasoned import Act, Done, actor_of, reasoned

from .. import wishes
from ..models import ConfigurationReport, ConfigurationWish, PendingKey
from ..wanted import overridden_need
from .station_configuration_forms import refuse_silent_override

PLACES = ("vendor", "model", "site", "station")


class WishForm(ReasonedModelForm):
    even_so = forms.BooleanField(
        label=_("Also where Kubat needs another value"),
        help_text=_("Kubat may then see charges late, or not at all."),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        key = values.get("key", self.instance.key)
        if key and "value" in values:
            refuse_silent_override(self, key, values["value"])
        return values


class PlaceFilter(CaseFilter):
    title = _("wanted of")
    parameter_name = "place"

    def cases(self) -> Cases:
        return {
            "all": (_("all stations"), Q(scope="default")),
            "model": (_("a model"), Q(scope__startswith="model:")),
            "site": (_("a site"), Q(site__isnull=False)),
            "station": (_("one station"), Q(station__isnull=False)),
        }


@admin.register(ConfigurationWish)
class ConfigurationWishAdmin(SelfRecordedAdmin):
    form = WishForm
    list_display = ("key", "value", "place", "changed_at", "against_need")
    list_filter = (
        PlaceFilter,
        ("site", AutocompleteSelectFilter),
        ("station", AutocompleteSelectFilter),
    )
    list_select_related = ("site", "station")
    search_fields = ("key", "value", "vendor", "model", "site__name", "station__station_id")
    autocomplete_fields = ("site", "station")
    fieldsets = (
        (None, {"fields": ("key", "value", "even_so")}),
        (
            _("Wanted of"),
            {
                "fields": PLACES,
                "description": _(
                    "All stations, unless a model, a site or a station is named. Vendor and "
                    "model are written as the stations report them."
                ),
            },
        ),
    )
    actions_detail = ("withdraw",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("key", *PLACES) if obj else ()

    def save_model(
        self, request: HttpRequest, obj: ConfigurationWish, form: Any, change: bool
    ) -> None:
        by, said = actor_of(request), form.cleaned_data
        if change:
            wishes.change_wish(wish_id=obj.pk, value=said["value"], by=by, reason=said["reason"])
        else:
            place = {name: said[name] for name in PLACES}
            wish = wishes.add_wish(
                key=said["key"], value=said["value"], by=by, reason=said["reason"], **place
            )
            obj.pk = wish.pk
        need = overridden_need(obj.key, obj.value)
        if need is not None:
            text = _("Kubat needs %(need)s of %(key)s. This wish overrides it.")
            messages.warning(request, text % {"need": need, "key": obj.key})

    @admin.display(description=_("wanted of"))
    def place(self, wish: ConfigurationWish) -> str:
        return wish.place

    @admin.display(description=_("Kubat needs"))
    def against_need(self, wish: ConfigurationWish) -> str:
        return overridden_need(wish.key, wish.value) or ""

    @reasoned(
        label=_("Want it no more"),
        permission="stations.delete_configurationwish",
        is_logged=False,
        variant=ActionVariant.DANGER,
    )
    def withdraw(self, act: Act[ConfigurationWish]) -> Done:
        wishes.withdraw_wish(wish_id=act.row.pk, by=act.actor, reason=act.reason)
        return Done(_("Nobody wants it any more; stations keep the value."), is_gone=True)


@admin.register(ConfigurationReport)
class ConfigurationReportAdmin(ReadOnlyAdmin):
    list_display = ("station", "read_at", "differing", "refused", "left_out")
    list_filter = (("station", AutocompleteSelectFilter),)
    list_select_related = ("station",)
    search_fields = ("station__station_id",)
    ordering = ("-differing", "station")
    fields = readonly_fields = ("station", "read_at", "differing", "refused", "left_out")


@admin.register(PendingKey)
class PendingKeyAdmin(ReadOnlyAdmin):
    """When a key went out; of the key itself there is nothing to see."""

    list_display = ("station", "created_at")
    list_filter = (("station", AutocompleteSelectFilter),)
    list_select_related = ("station",)
    search_fields = ("station__station_id",)
    fields = readonly_fields = ("station", "created_at")
