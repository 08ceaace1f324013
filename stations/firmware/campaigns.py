"""Plan, pause, resume, cancel and retry campaigns. Who may is judged at the edges.

Locks: the campaign, then stations, then their updates.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import TypedDict

from django.conf import settings
from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from billing.errors import Invalid
from billing.models import User

from .. import alerts, audit
from ..errors import CampaignEnded, NoPublicAddress
from ..models import FirmwareCampaign, FirmwareImage, FirmwareUpdate, Site, Station, UpdateStatus

Status = FirmwareCampaign.Status
MAX_STATIONS = 10_000
STOPPED = "firmware_campaign_stopped"
"""The alert of a campaign of which too many stations failed."""
ALREADY, OTHER_MAKE, CANCELLED = "already_has_it", "other_make", "cancelled"


class Group(TypedDict, total=False):
    """Which stations: each condition that is given narrows the group."""

    stations: Sequence[Station]
    site: Site | None
    vendor: str
    model: str
    version: str


class Pace(TypedDict, total=False):
    """When, and how many at once; see FirmwareCampaign."""

    begins_at: dt.datetime
    from_hour: int | None
    until_hour: int | None
    max_at_once: int
    stop_percent: int
    retries: int
    retry_interval_s: int


def choose(group: Group) -> QuerySet[Station]:
    """The stations of a group. Raises Invalid for a group without any condition."""
    if not any(group.values()):
        raise Invalid(fields={"stations": ["Say which stations."]})
    found: QuerySet[Station] = Station.objects.all()
    if group.get("stations"):
        found = found.filter(pk__in=[station.pk for station in group["stations"]])
    if group.get("site"):
        found = found.filter(site=group["site"])
    if group.get("version"):
        found = found.filter(firmware_version=group["version"])
    for name, value in (("vendor", group.get("vendor")), ("model", group.get("model"))):
        if value:
            found = found.filter(**{f"{name}__iexact": value})
    return found


@transaction.atomic
def plan_campaign(
    *, name: str, image: FirmwareImage, group: Group, pace: Pace, by: User, reason: str
) -> FirmwareCampaign:
    """Make a campaign with a row for each station; it begins by itself when its time comes.

    Those that have the version, or are of another make, are skipped at once. Raises Invalid, and
    NoPublicAddress where the image is ours and stations could not reach it.
    """
    if image.path and not settings.CSMS_PUBLIC_URL:
        raise NoPublicAddress
    if (pace.get("from_hour") is None) != (pace.get("until_hour") is None):
        raise Invalid(fields={"until_hour": ["A window has a beginning and an end."]})
    stations = list(choose(group).order_by("station_id")[: MAX_STATIONS + 1])
    if not stations:
        raise Invalid(fields={"stations": ["There is no such station."]})
    if len(stations) > MAX_STATIONS:
        raise Invalid(fields={"stations": [f"At most {MAX_STATIONS} stations."]})
    campaign = FirmwareCampaign.objects.create(
        name=name, image=image, created_by=by, reason=reason, **pace
    )
    FirmwareUpdate.objects.bulk_create(_part(campaign, station) for station in stations)
    audit.record(by, audit.ADDITION, campaign, reason=reason)
    return campaign


@transaction.atomic
def pause(*, campaign_id: uuid.UUID, by: User, reason: str) -> FirmwareCampaign:
    """Ask no more stations for now; those that were asked go on. Raises CampaignEnded."""
    return _move(campaign_id, {Status.RUNNING}, Status.PAUSED, by, reason)


@transaction.atomic
def resume(*, campaign_id: uuid.UUID, by: User, reason: str) -> FirmwareCampaign:
    """Go on, also after too many failed: these are accepted by it. Raises CampaignEnded."""
    campaign = _move(campaign_id, {Status.PAUSED, Status.STOPPED}, Status.RUNNING, by, reason)
    failed = campaign.updates.filter(status=UpdateStatus.FAILED).count()
    campaign.stop_percent = max(campaign.stop_percent, percent(failed, campaign))
    campaign.save(update_fields=["stop_percent"])
    alerts.resolve_alert(STOPPED, str(campaign.pk))
    return campaign


@transaction.atomic
def cancel(*, campaign_id: uuid.UUID, by: User, reason: str) -> FirmwareCampaign:
    """End it; stations that were asked are followed to their end. Raises CampaignEnded."""
    going = {Status.RUNNING, Status.PAUSED, Status.STOPPED}
    campaign = _move(campaign_id, going, Status.CANCELLED, by, reason)
    campaign.ended_at = timezone.now()
    campaign.save(update_fields=["ended_at"])
    alerts.resolve_alert(STOPPED, str(campaign.pk))
    campaign.updates.filter(status=UpdateStatus.QUEUED).update(
        status=UpdateStatus.SKIPPED, cause=CANCELLED, due_at=None, moved_at=campaign.ended_at
    )
    return campaign


@transaction.atomic
def retry(*, campaign_id: uuid.UUID, by: User, reason: str, update_id: int | None = None) -> int:
    """Queue what failed once more, or one row of it; return how many. Raises CampaignEnded."""
    going = {Status.RUNNING, Status.PAUSED, Status.STOPPED, Status.COMPLETED}
    campaign = _locked(campaign_id)
    if campaign.status not in going:
        raise CampaignEnded
    failed = campaign.updates.filter(status=UpdateStatus.FAILED)
    if update_id is not None:
        failed = failed.filter(pk=update_id)
    count = failed.update(
        status=UpdateStatus.QUEUED,
        cause="",
        told="",
        attempts=0,
        due_at=None,
        moved_at=timezone.now(),
    )
    if not count:
        raise CampaignEnded("Nothing of it has failed.")
    if campaign.status in {Status.COMPLETED, Status.STOPPED}:
        campaign.status, campaign.ended_at = Status.RUNNING, None
        campaign.save(update_fields=["status", "ended_at"])
        alerts.resolve_alert(STOPPED, str(campaign.pk))
    audit.record(by, audit.CHANGE, campaign, f"retried {count}", reason=reason)
    return count


def counts(campaign: FirmwareCampaign) -> dict[UpdateStatus, int]:
    """How many of its stations are in which state."""
    rows = campaign.updates.order_by().values_list("status").annotate(Count("pk"))
    return {UpdateStatus(status): count for status, count in rows}


def percent(failed: int, campaign: FirmwareCampaign) -> int:
    """Failures in percent of the stations that the campaign is for, rounded up."""
    total = campaign.updates.exclude(status=UpdateStatus.SKIPPED).count()
    return -(-failed * 100 // total) if total else 0


def _part(campaign: FirmwareCampaign, station: Station) -> FirmwareUpdate:
    cause = ""
    if station.firmware_version == campaign.image.version:
        cause = ALREADY
    elif not campaign.image.is_for(station):
        cause = OTHER_MAKE
    return FirmwareUpdate(
        campaign=campaign,
        station=station,
        version_before=station.firmware_version,
        status=UpdateStatus.SKIPPED if cause else UpdateStatus.QUEUED,
        cause=cause,
    )


def _move(
    campaign_id: uuid.UUID, allowed: set[Status], to: Status, by: User, reason: str
) -> FirmwareCampaign:
    campaign = _locked(campaign_id)
    if campaign.status not in allowed:
        raise CampaignEnded
    campaign.status = to
    campaign.save(update_fields=["status"])
    audit.record(by, audit.CHANGE, campaign, to.value, reason=reason)
    return campaign


def _locked(campaign_id: uuid.UUID) -> FirmwareCampaign:
    campaigns = FirmwareCampaign.objects.select_for_update(of=("self",), no_key=True)
    return campaigns.select_related("image").get(pk=campaign_id)
