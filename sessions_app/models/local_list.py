"""The list of tags that a station keeps, and what we know of it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from stations.models import Station


class LocalList(models.Model):
    """One station's Local Authorization List (OCPP 1.6 §3.5).

    `entries` is what the station has, as far as it has confirmed it: a tag's text mapped to its
    idTagInfo. `version` is what goes with them, None when it has never said one. Without `has_base`
    a differential update would build on what nobody knows: the next one is full. `tags_digest`
    is that of all tags when the list was last in step with them.
    """

    class Choice(models.TextChoices):
        DEFAULT = "default", _("as everywhere")
        ON = "on", _("where the station can")
        FORCED = "forced", _("even if it does not say that it can")
        OFF = "off", _("no list")

    class State(models.TextChoices):
        NEW = "new", _("nothing sent yet")
        BEHIND = "behind", _("behind")
        IN_STEP = "in_step", _("in step")
        FAILED = "failed", _("failing")
        UNSUPPORTED = "unsupported", _("not supported")

    station = models.OneToOneField(Station, on_delete=models.CASCADE, related_name="local_list")
    choice = models.CharField(max_length=8, choices=Choice, default=Choice.DEFAULT)
    state = models.CharField(max_length=12, choices=State, default=State.NEW, editable=False)
    version = models.IntegerField(_("version there"), null=True, blank=True, editable=False)
    has_base = models.BooleanField(default=False, editable=False)
    entries = models.JSONField(default=dict, blank=True, editable=False)
    wanted_count = models.PositiveIntegerField(_("tags wanted"), default=0, editable=False)
    cut_count = models.PositiveIntegerField(_("tags left out"), default=0, editable=False)
    tags_digest = models.CharField(max_length=64, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    last_result = models.CharField(max_length=60, blank=True, editable=False)
    last_result_at = models.DateTimeField(null=True, blank=True, editable=False)
    version_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    retry_at = models.DateTimeField(null=True, blank=True, editable=False)

    REFERENCE: ClassVar[str] = "local_list"

    class Meta:
        verbose_name = _("local list")
        verbose_name_plural = _("local lists")
        ordering = ["station"]

    def __str__(self) -> str:
        return str(self.station)

    @property
    def is_on(self) -> bool:
        """Whether this station is to have a list."""
        if self.choice == self.Choice.DEFAULT:
            return settings.CSMS_LOCAL_LISTS and self.is_offered
        return self.choice == self.Choice.FORCED or (
            self.choice == self.Choice.ON and self.is_offered
        )

    @property
    def is_offered(self) -> bool:
        """Whether the station says that it keeps lists (OCPP 1.6 §9.1 SupportedFeatureProfiles)."""
        told = self.station.configuration.get("SupportedFeatureProfiles", {}).get("value") or ""
        return "LocalAuthListManagement" in {name.strip() for name in str(told).split(",")}

    def limit(self, key: str, default: int) -> int:
        """A length that the station states in its configuration (OCPP 1.6 §9.2), from 1 up."""
        told = str(self.station.configuration.get(key, {}).get("value") or "")
        is_number = told.isascii() and told.isdigit() and len(told) < 10
        return max(1, int(told)) if is_number else default
