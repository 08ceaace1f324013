"""The hardware as we know it: sites, stations, connectors, and which process holds a socket."""

import datetime as dt
import re
import uuid
import zoneinfo

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

_SECONDS = re.compile("[0-9]{1,6}")
"""A time that a station may be set to; a longer one would keep money on hold for weeks."""

LEASE = dt.timedelta(seconds=10)
"""A process whose lease is older than this owns nothing (design, P7)."""

LATITUDE = [MinValueValidator(-90), MaxValueValidator(90)]
LONGITUDE = [MinValueValidator(-180), MaxValueValidator(180)]


class Site(models.Model):
    """Stations in one place."""

    name = models.CharField(max_length=120)
    address = models.CharField(max_length=250, blank=True)
    latitude = models.DecimalField(
        max_digits=9, decimal_places=6, null=True, blank=True, validators=LATITUDE
    )
    longitude = models.DecimalField(
        max_digits=9, decimal_places=6, null=True, blank=True, validators=LONGITUDE
    )

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class GatewayProcess(models.Model):
    """A running `serve`; its lease, renewed every few seconds, speaks for all of its sockets."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.CharField(max_length=100)
    host = models.CharField(max_length=120)
    started_at = models.DateTimeField(default=timezone.now)
    lease_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("gateway process")
        verbose_name_plural = _("gateway processes")

    def __str__(self) -> str:
        return f"{self.host} {self.id}"


class StationQuerySet(models.QuerySet["Station"]):
    def online(self) -> "StationQuerySet":
        return self.filter(owner__lease_at__gt=timezone.now() - LEASE)

    def offline(self) -> "StationQuerySet":
        return self.exclude(pk__in=Station.objects.online().values("pk"))

    def by_identity(self, station_id: str) -> "StationQuerySet":
        """The station of this identity; identities are unique without case."""
        return self.filter(identity=station_id.casefold())


class Station(models.Model):
    """A charge point, known by the last part of its WebSocket address.

    `fence` grows with each accepted socket; `owner` and `fence` together say which socket is
    the live one. `key_digest` is the SHA-256 of its Basic password, a long random text.
    """

    class Registration(models.TextChoices):
        ACCEPTED = "Accepted", _("accepted")
        PENDING = "Pending", _("waiting for approval")
        REJECTED = "Rejected", _("rejected")

    station_id = models.CharField(_("identity"), max_length=48)
    identity = models.CharField(max_length=96, unique=True, editable=False)
    name = models.CharField(max_length=120, blank=True)
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, null=True, blank=True, related_name="stations"
    )
    address = models.CharField(max_length=250, blank=True)
    latitude = models.DecimalField(
        max_digits=9, decimal_places=6, null=True, blank=True, validators=LATITUDE
    )
    longitude = models.DecimalField(
        max_digits=9, decimal_places=6, null=True, blank=True, validators=LONGITUDE
    )
    time_zone = models.CharField(max_length=64, blank=True)
    enabled = models.BooleanField(_("on sale"), default=True)
    max_power_kw = models.DecimalField(
        max_digits=7, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    is_lenient = models.BooleanField(
        default=False, help_text=_("Messages that break the schema get a plain confirmation.")
    )
    is_provisioned = models.BooleanField(
        _("set up by Kubat"), default=True, help_text=_("Kubat sets the configuration it needs.")
    )

    security_profile = models.PositiveSmallIntegerField(
        default=1, validators=[MaxValueValidator(3)]
    )
    key_digest = models.CharField(max_length=64, blank=True, editable=False)

    registration = models.CharField(
        max_length=8, choices=Registration, default=Registration.ACCEPTED
    )
    booted_at = models.DateTimeField(null=True, blank=True, editable=False)
    vendor = models.CharField(max_length=50, blank=True, editable=False)
    model = models.CharField(max_length=50, blank=True, editable=False)
    serial_number = models.CharField(max_length=50, blank=True, editable=False)
    firmware_version = models.CharField(max_length=60, blank=True, editable=False)
    configuration = models.JSONField(default=dict, blank=True, editable=False)
    clock_offset_s = models.FloatField(null=True, blank=True, editable=False)

    owner = models.ForeignKey(
        GatewayProcess,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="stations",
    )
    fence = models.BigIntegerField(default=0, editable=False)
    subprotocol = models.CharField(max_length=20, blank=True, editable=False)
    connected_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = StationQuerySet.as_manager()

    class Meta:
        verbose_name = _("station")
        verbose_name_plural = _("stations")
        ordering = ["station_id"]
        indexes = [models.Index(fields=["station_id"], name="station_by_id")]

    def __str__(self) -> str:
        return self.station_id

    @property
    def is_online(self) -> bool:
        """Whether the process that holds its socket still renews its lease."""
        return self.owner is not None and self.owner.lease_at > timezone.now() - LEASE

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone or settings.CSMS_TIME_ZONE)

    @property
    def connection_timeout_s(self) -> int:
        """ConnectionTimeOut (OCPP 1.6 §9.1.4) as the station last reported it."""
        return self._configured_int("ConnectionTimeOut", settings.CSMS_CONNECTION_TIMEOUT_S)

    @property
    def meter_interval_s(self) -> int:
        """MeterValueSampleInterval (OCPP 1.6 §9.1.16) as the station last reported it."""
        return self._configured_int("MeterValueSampleInterval", settings.CSMS_METER_INTERVAL_S)

    def supports(self, profile: str) -> bool | None:
        """Whether SupportedFeatureProfiles (OCPP 1.6 §9.1.24) names a profile, e.g. SmartCharging.

        None when the station has not reported what it supports.
        """
        value = str(self.configuration.get("SupportedFeatureProfiles", {}).get("value") or "")
        named = {name.strip().casefold() for name in value.split(",") if name.strip()}
        return profile.casefold() in named if named else None

    def _configured_int(self, key: str, default: int) -> int:
        value = str(self.configuration.get(key, {}).get("value") or "")
        return int(value) if _SECONDS.fullmatch(value) else default


class Connector(models.Model):
    """One socket of a station, 1…n; its status is the last one that the station reported."""

    class Status(models.TextChoices):
        UNKNOWN = "Unknown", _("not reported yet")
        AVAILABLE = "Available", _("available")
        PREPARING = "Preparing", _("preparing")
        CHARGING = "Charging", _("charging")
        SUSPENDED_EV = "SuspendedEV", _("suspended by the car")
        SUSPENDED_EVSE = "SuspendedEVSE", _("suspended by the station")
        FINISHING = "Finishing", _("finishing")
        RESERVED = "Reserved", _("reserved")
        UNAVAILABLE = "Unavailable", _("unavailable")
        FAULTED = "Faulted", _("faulted")

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="connectors")
    connector_id = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    status = models.CharField(max_length=16, choices=Status, default=Status.UNKNOWN)
    error_code = models.CharField(max_length=50, blank=True)
    status_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("connector")
        verbose_name_plural = _("connectors")
        ordering = ["station", "connector_id"]
        constraints = [
            models.UniqueConstraint(fields=["station", "connector_id"], name="connector_once")
        ]
        indexes = [
            models.Index(
                fields=["station"],
                condition=models.Q(status="Faulted"),
                name="connector_faulted",
            )
        ]

    def __str__(self) -> str:
        return f"{self.station}/{self.connector_id}"


class ConnectorStatus(models.Model):
    """The history of what a station reported; connector 0 is the station itself."""

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="statuses")
    connector_id = models.PositiveIntegerField()
    status = models.CharField(max_length=16)
    error_code = models.CharField(max_length=50, blank=True)
    info = models.CharField(max_length=50, blank=True)
    vendor_error_code = models.CharField(max_length=50, blank=True)
    at = models.DateTimeField(help_text=_("the station's clock"))
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("connector status")
        verbose_name_plural = _("connector statuses")
        ordering = ["-received_at", "-id"]
        indexes = [models.Index(fields=["station", "connector_id", "-received_at"])]

    def __str__(self) -> str:
        return f"{self.connector_id} {self.status}"
