"""Certificates: those that we issued to stations, and the roots that stations say they hold."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .station import Station


class StationCertificateQuerySet(models.QuerySet["StationCertificate"]):
    def good(self, at: dt.datetime) -> "StationCertificateQuerySet":
        """Those that prove their station at this moment: also one whose arrival is not known."""
        return self.filter(status__in=StationCertificate.GOOD, not_before__lte=at, not_after__gt=at)


class StationCertificate(models.Model):
    """One client certificate that our authority signed for one station (security profile 3).

    `request_digest` is the SHA-256 of the request: the same one again gets the same certificate.
    """

    class Status(models.TextChoices):
        ISSUED = "issued", _("on its way")
        INSTALLED = "installed", _("installed")
        REJECTED = "rejected", _("rejected by the station")
        SUPERSEDED = "superseded", _("superseded")
        REVOKED = "revoked", _("revoked")

    GOOD = (Status.ISSUED, Status.INSTALLED)

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="certificates")
    status = models.CharField(max_length=10, choices=Status, default=Status.ISSUED)
    serial = models.CharField(max_length=40, unique=True)
    fingerprint = models.CharField(max_length=64, unique=True)
    request_digest = models.CharField(max_length=64)
    pem = models.TextField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    issued_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    reason = models.CharField(max_length=200, blank=True)

    objects = StationCertificateQuerySet.as_manager()

    class Meta:
        verbose_name = _("station certificate")
        verbose_name_plural = _("station certificates")
        ordering = ["-issued_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["station", "request_digest"],
                condition=Q(status__in=["issued", "installed"]),
                name="certificate_once_a_request",
            )
        ]
        indexes = [
            models.Index(
                fields=["not_after"], condition=Q(status="installed"), name="certificate_ends"
            )
        ]

    def __str__(self) -> str:
        return f"{self.station} {self.serial}"

    @property
    def reference(self) -> str:
        """What its commands refer to."""
        return f"certificate:{self.pk}"


class InstalledRoot(models.Model):
    """A root certificate that a station said it holds (GetInstalledCertificateIds)."""

    station = models.ForeignKey(Station, on_delete=models.CASCADE, related_name="roots")
    kind = models.CharField(max_length=40)
    hash_algorithm = models.CharField(max_length=8)
    issuer_name_hash = models.CharField(max_length=128)
    issuer_key_hash = models.CharField(max_length=128)
    serial_number = models.CharField(max_length=40)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("root at a station")
        verbose_name_plural = _("roots at stations")
        ordering = ["station", "kind", "serial_number"]

    def __str__(self) -> str:
        return f"{self.kind} {self.serial_number}"
