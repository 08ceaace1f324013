"""Prices as they were written: immutable. Which price is sold where is the assignments' page."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from ..models import Tariff
from .base import ReadOnlyAdmin
from .filters import MomentFilter


@admin.register(Tariff)
class TariffAdmin(ReadOnlyAdmin):
    list_display = ("price", "name", "vat_percent", "created_by", "created_at")
    list_filter = ("currency", ("created_at", MomentFilter))
    list_select_related = ("created_by",)
    search_fields = ("id", "name")
    fields = readonly_fields = (
        "id",
        "name",
        "price",
        "vat_percent",
        "elements",
        "terms",
        "created_by",
        "created_at",
    )

    @admin.display(description=_("price"), ordering="price_per_kwh")
    def price(self, tariff: Tariff) -> str:
        return str(tariff)
