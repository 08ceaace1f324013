"""The terms of a sale, immutable: a new price is a new row, so a running session keeps its own."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..pricing import Terms, parse_terms


class Tariff(models.Model):
    """What energy and time cost, in the meaning of an OCPI 2.2.1 tariff object (§11.3).

    Either `price_per_kwh` (gross, tax included, major units) or `elements` (the OCPI list, net)
    states the price. `terms` holds what OCPI knows beside elements: `min_price`, `max_price`
    ({excl_vat, incl_vat}), `parking_grace_s`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, blank=True)
    currency = models.CharField(max_length=3)
    price_per_kwh = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    vat_percent = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    elements = models.JSONField(default=list, blank=True)
    terms = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("tariff")
        verbose_name_plural = _("tariffs")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        if self.price_per_kwh is not None:
            return f"{self.price_per_kwh.normalize():f} {self.currency}/kWh"
        return self.name or f"{len(self.elements)} elements"

    def to_terms(self) -> Terms:
        """What pricing needs to know."""
        return parse_terms(
            currency=self.currency,
            price_per_kwh=self.price_per_kwh,
            vat_percent=self.vat_percent,
            elements=self.elements,
            more=self.terms,
        )
