"""Which tariff is sold where: versions over time for one scope."""

import uuid
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models import Tariff

from .station import Connector, Site, Station

if TYPE_CHECKING:
    import datetime as dt


class TariffAssignmentQuerySet(models.QuerySet["TariffAssignment"]):
    def current(self, at: "dt.datetime | None" = None) -> "TariffAssignmentQuerySet":
        at = at or timezone.now()
        return self.filter(valid_from__lte=at).filter(
            Q(valid_until__isnull=True) | Q(valid_until__gt=at)
        )

    def standing(self, at: "dt.datetime | None" = None) -> "TariffAssignmentQuerySet":
        """Versions in force or planned; a plan that was given up ends where it would begin."""
        endless = Q(valid_until__isnull=True)
        return self.filter(endless | Q(valid_until__gt=at or timezone.now())).filter(
            endless | Q(valid_until__gt=F("valid_from"))
        )

    def shown(self, at: "dt.datetime | None" = None) -> "TariffAssignmentQuerySet":
        """The version of each scope that speaks for it: the one in force, else the next."""
        earlier = TariffAssignment.objects.standing(at).filter(
            scope=OuterRef("scope"), valid_from__lt=OuterRef("valid_from")
        )
        return self.standing(at).filter(~Exists(earlier))

    def with_places(self) -> "TariffAssignmentQuerySet":
        """With what is sold and where, in one query."""
        return self.select_related("tariff", "site", "station", "connector__station")


class TariffAssignment(models.Model):
    """One version of what one scope (connector, station, site, or all) is sold at.

    `scope_id` is the id that the API shows: it stays while versions come and go. `scope` names
    what the row is for ("connector:7", "station:3", "site:1", "default"), so that one constraint
    allows one current version each; at most one of the three references is set.
    """

    scope = models.CharField(max_length=40)
    scope_id = models.UUIDField(default=uuid.uuid4, db_index=True)
    version = models.PositiveIntegerField(default=1)
    tariff = models.OneToOneField(Tariff, on_delete=models.PROTECT, related_name="assignment")
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, null=True, blank=True)
    station = models.ForeignKey(Station, on_delete=models.CASCADE, null=True, blank=True)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, blank=True)
    valid_from = models.DateTimeField(default=timezone.now)
    valid_until = models.DateTimeField(null=True, blank=True)

    objects = TariffAssignmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("tariff assignment")
        verbose_name_plural = _("tariff assignments")
        ordering = ["-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["scope_id", "version"], name="tariff_version_once"),
            models.UniqueConstraint(
                fields=["scope"],
                condition=Q(valid_until__isnull=True),
                name="tariff_one_current_a_scope",
            ),
        ]

    def __str__(self) -> str:
        scope = self.connector or self.station or self.site or _("default")
        return f"{scope}: {self.tariff}"
