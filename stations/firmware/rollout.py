"""Ask the stations of running campaigns for their update, a few at a time; end what is over.

The worker calls `run_due`. Any number of workers may: a campaign is one's at a time.
Locks: the campaign, the station, its update.
"""

import datetime as dt
import uuid
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from .. import addresses, alerts, commands
from ..apart import apart
from ..clock import wire_time
from ..models import Command, FirmwareCampaign, FirmwareUpdate, Station, UpdateStatus
from ..models.firmware import ACTIVE
from . import progress
from .campaigns import STOPPED, percent

_S, Status = UpdateStatus, FirmwareCampaign.Status
ADDRESS_GOOD_FOR = dt.timedelta(days=3)
SEND_WITHIN_S = 60
AFTER_A_FAULT = dt.timedelta(minutes=10)
"""Until a station is tried again whose call could not be made: others come first."""
PLAIN, SIGNED = "UpdateFirmware", "SignedUpdateFirmware"


def run_due(now: dt.datetime, *, charging: QuerySet[Any], limit: int = 200) -> int:
    """Give up silent stations, then advance each running campaign; return how many were looked at.

    `charging` are the keys of the stations with an open session: they are asked after its end.
    """
    silent = FirmwareUpdate.objects.filter(due_at__lte=now, status__in=ACTIVE)
    update_ids = list(silent.order_by("due_at").values_list("pk", flat=True)[:limit])
    for update_id in update_ids:
        apart(progress.give_up, update_id, now)
    running = FirmwareCampaign.objects.filter(status=Status.RUNNING)
    campaign_ids = list(running.order_by("created_at").values_list("pk", flat=True))
    for campaign_id in campaign_ids:
        apart(_advance, campaign_id, now, charging)
    return len(update_ids) + len(campaign_ids)


@transaction.atomic
def _advance(campaign_id: uuid.UUID, now: dt.datetime, charging: QuerySet[Any]) -> None:
    rows = FirmwareCampaign.objects.select_for_update(
        of=("self",), no_key=True, skip_locked=_can_skip()
    )
    running = rows.select_related("image").filter(pk=campaign_id, status=Status.RUNNING)
    campaign = running.first()
    if campaign is None:
        return
    failed = campaign.updates.filter(status=_S.FAILED).count()
    if percent(failed, campaign) > campaign.stop_percent:
        _stop(campaign, failed)
    elif not campaign.updates.filter(status__in=(_S.QUEUED, *ACTIVE)).exists():
        _complete(campaign, now)
    elif now >= campaign.begins_at:
        _ask_next(campaign, now, charging)


def _stop(campaign: FirmwareCampaign, failed: int) -> None:
    """Too many failed: the rest of the stations is left alone until staff decide."""
    campaign.status = Status.STOPPED
    campaign.save(update_fields=["status"])
    text = f"The firmware campaign {campaign} was stopped: {failed} stations failed."
    alerts.open_alert(STOPPED, str(campaign.pk), text[:250], campaign=str(campaign.pk))


def _complete(campaign: FirmwareCampaign, now: dt.datetime) -> None:
    campaign.status, campaign.ended_at = Status.COMPLETED, now
    campaign.save(update_fields=["status", "ended_at"])


def _ask_next(campaign: FirmwareCampaign, now: dt.datetime, charging: QuerySet[Any]) -> None:
    free = campaign.max_at_once - campaign.updates.filter(status__in=ACTIVE).count()
    if free <= 0:
        return
    queued = campaign.updates.filter(status=_S.QUEUED)
    ready = (
        queued.filter(Q(due_at__isnull=True) | Q(due_at__lte=now))
        .filter(station__in=Station.objects.online().values("pk"))
        .filter(station__registration=Station.Registration.ACCEPTED)
        .filter(station__time_zone__in=_zones_in_window(campaign, queued, now))
        .exclude(station__in=charging)
        .exclude(station__firmware_updates__status__in=ACTIVE)
    )
    for update_id, station_pk in ready.order_by("pk").values_list("pk", "station_id")[:free]:
        if not apart(_ask, update_id, station_pk, campaign, now):
            queued.filter(pk=update_id).update(due_at=now + AFTER_A_FAULT)


@transaction.atomic
def _ask(update_id: int, station_pk: int, campaign: FirmwareCampaign, now: dt.datetime) -> None:
    """Queue the call, bound to the present socket; looks again under the locks."""
    station = (
        Station.objects.select_for_update(of=("self",), no_key=True, skip_locked=_can_skip())
        .select_related("owner")
        .filter(pk=station_pk)
        .first()
    )
    if station is None or not station.is_online:
        return
    update = (
        FirmwareUpdate.objects.select_for_update(no_key=True)
        .filter(pk=update_id, status=_S.QUEUED)
        .first()
    )
    is_busy = FirmwareUpdate.objects.filter(station=station, status__in=ACTIVE).exists()
    if update is None or is_busy:
        return
    update.command = commands.send(
        station=station,
        action=SIGNED if campaign.image.is_signed else PLAIN,
        payload=_payload(campaign, update, now),
        lane=Command.Lane.OWN,
        reference=f"firmware:{update.pk}",
        is_bound=True,
        expires_in_s=SEND_WITHIN_S,
    )
    update.attempts += 1
    update.asked_at, update.expires_at, update.told = now, now + ADDRESS_GOOD_FOR, ""
    update.save(update_fields=["command", "attempts", "asked_at", "expires_at"])
    progress.move(update, _S.ASKED, now)


def _payload(
    campaign: FirmwareCampaign, update: FirmwareUpdate, now: dt.datetime
) -> dict[str, Any]:
    """UpdateFirmware.req (OCPP 1.6 §6.57), SignedUpdateFirmware.req (whitepaper)."""
    image = campaign.image
    location = image.uri or addresses.address(addresses.FIRMWARE, update.pk, image.file_name)
    tries = {"retries": campaign.retries, "retryInterval": campaign.retry_interval_s}
    if not image.is_signed:
        return {"location": location, "retrieveDate": wire_time(now), **tries}
    firmware = {
        "location": location,
        "retrieveDateTime": wire_time(now),
        "signingCertificate": image.signing_certificate,
        "signature": image.signature,
    }
    return {"requestId": update.pk, "firmware": firmware, **tries}


def _zones_in_window(
    campaign: FirmwareCampaign, queued: QuerySet[FirmwareUpdate], now: dt.datetime
) -> list[str]:
    """The time zones of waiting stations in which it is now the hour for it."""
    zones = queued.order_by().values_list("station__time_zone", flat=True).distinct()
    return [zone for zone in zones if _is_in_window(campaign, zone, now)]


def _is_in_window(campaign: FirmwareCampaign, zone: str, now: dt.datetime) -> bool:
    first, end = campaign.from_hour, campaign.until_hour
    if first is None or end is None or first == end:
        return True
    hour = now.astimezone(Station(time_zone=zone).zone).hour
    return first <= hour < end if first < end else hour >= first or hour < end


def _can_skip() -> bool:
    return connection.features.has_select_for_update_skip_locked
