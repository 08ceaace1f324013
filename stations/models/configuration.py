"""What operators want of stations' configuration keys, and what is known of how they stand."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Site, Station, StationQuerySet

EVERYWHERE = "default"


class ConfigurationWishQuerySet(models.QuerySet["ConfigurationWish"]):
    def for_station(self, station: Station) -> "ConfigurationWishQuerySet":
        """The wishes that reach a station, the least specific first."""
        scopes = scopes_of(station)
        return (
            self.filter(scope__in=scopes)
            .select_related("site", "station")
            .order_by(
                models.Case(*(models.When(scope=s, then=n) for n, s in enumerate(scopes))), "id"
            )
        )


class ConfigurationWish(models.Model):
    """One value that one key shall have: everywhere, for a model, at a site, or at one station.

    `scope` names what the row is for ("default", "model:Acme/X1", "site:1", "station:3"), so
    that one constraint allows one value a key.
    """

    scope = models.CharField(max_length=120, editable=False)
    vendor = models.CharField(max_length=50, blank=True)
    model = models.CharField(max_length=50, blank=True)
    site = models.ForeignKey(Site, on_delete=models.CASCADE, null=True, blank=True)
    station = models.ForeignKey(
        Station, on_delete=models.CASCADE, null=True, blank=True, related_name="wishes"
    )
    key = models.CharField(max_length=50)
    value = models.CharField(max_length=500, blank=True)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ConfigurationWishQuerySet.as_manager()

    class Meta:
        verbose_name = _("configuration wish")
        verbose_name_plural = _("configuration wishes")
        ordering = ["key", "scope"]
        constraints = [
            models.UniqueConstraint("scope", Lower("key"), name="configuration_wish_once"),
            models.CheckConstraint(
                condition=Q(site__isnull=True) | Q(station__isnull=True),
                name="configuration_wish_one_place",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value} ({self.place})"

    @property
    def place(self) -> str:
        """Whom it is for, in words."""
        if self.vendor or self.model:
            return f"{self.vendor} {self.model}"
        return str(self.station or self.site or _("all stations"))

    def stations(self) -> StationQuerySet:
        """The stations that it reaches."""
        if self.station_id:
            return Station.objects.filter(pk=self.station_id)
        if self.site_id:
            return Station.objects.filter(site_id=self.site_id)
        if self.vendor or self.model:
            return Station.objects.filter(vendor=self.vendor, model=self.model)
        return Station.objects.all()


class ConfigurationReport(models.Model):
    """How the keys of one station stand; the keys themselves are in `Station.configuration`.

    `differing` and `refused` count what is wanted and is not so. `left_out` counts keys that a
    station reported beyond the number that is kept.
    """

    station = models.OneToOneField(
        Station, on_delete=models.CASCADE, related_name="configuration_report"
    )
    read_at = models.DateTimeField(null=True, blank=True)
    differing = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("state of a configuration")
        verbose_name_plural = _("states of configurations")
        ordering = ["station"]

    def __str__(self) -> str:
        return str(self.station)


def scope_of(
    *, vendor: str = "", model: str = "", site: Site | None = None, station: Station | None = None
) -> str:
    """The name of a scope; what is most specific names it."""
    if station is not None:
        return f"station:{station.pk}"
    if site is not None:
        return f"site:{site.pk}"
    return f"model:{vendor}/{model}" if vendor or model else EVERYWHERE


def scopes_of(station: Station) -> list[str]:
    """The scopes that reach a station, the least specific first."""
    scopes = [EVERYWHERE]
    if station.vendor or station.model:
        scopes.append(scope_of(vendor=station.vendor, model=station.model))
    if station.site_id:
        scopes.append(f"site:{station.site_id}")
    return [*scopes, scope_of(station=station)]
