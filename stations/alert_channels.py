"""Channels of alerts: made, changed, tried out and removed by staff, each act with a reason (P10).

The address is a secret: it is kept encrypted and never shown again.
"""

import uuid
import zoneinfo
from collections.abc import Collection
from typing import Any

from django.db import transaction

from billing import sealed
from billing.errors import Invalid
from billing.models import OutboxMessage, User
from billing.reasons import stated

from . import audit
from .alerting import wire
from .alerting.routing import TRIAL
from .models import AlertChannel, Site

COLUMNS = (
    "name",
    "is_enabled",
    "language",
    "min_severity",
    "kinds",
    "quiet_from",
    "quiet_until",
    "time_zone",
    "breaks_quiet",
    "digest_minutes",
)


@transaction.atomic
def save_channel(
    *,
    channel: AlertChannel,
    by: User,
    reason: str,
    changes: dict[str, Any],
    address: str = "",
    sites: Collection[Site] | None = None,
) -> AlertChannel:
    """Make or change a channel; an empty `address` leaves that which it has.

    Raises Invalid, AddressRefused where Apprise cannot use the address.
    """
    reason, is_new = stated(reason), channel.pk is None
    for name in set(changes) & set(COLUMNS):
        setattr(channel, name, changes[name])
    _check(channel)
    if address:
        channel.service = wire.service_of(address)
        channel.sealed_address = sealed.seal(address.strip())
        channel.failing_since, channel.last_error = None, ""
    elif is_new:
        raise Invalid(fields={"address": ["A channel needs an address."]})
    channel.save()
    if sites is not None:
        channel.sites.set(sites)
    said = sorted(set(changes) & set(COLUMNS)) if not is_new else []
    what = ", ".join([*said, *(["address"] if address and not is_new else [])])
    audit.record(by, audit.ADDITION if is_new else audit.CHANGE, channel, what, reason=reason)
    return channel


@transaction.atomic
def remove_channel(*, channel_id: int, by: User, reason: str) -> None:
    """Remove a channel, with the record of what it was told."""
    channel = AlertChannel.objects.get(pk=channel_id)
    audit.record(by, audit.DELETION, channel, reason=stated(reason))
    channel.delete()


def ask_for_test(*, channel: AlertChannel) -> None:
    """Send a test by the worker; what comes of it stands on the channel."""
    OutboxMessage.objects.create(
        key=f"{TRIAL}:{uuid.uuid4()}",
        topic=TRIAL,
        lane=channel.lane,
        payload={"channel": channel.pk},
    )


def _check(channel: AlertChannel) -> None:
    if channel.time_zone and channel.time_zone not in zoneinfo.available_timezones():
        raise Invalid(fields={"time_zone": ["A name like Asia/Bishkek."]})
    if (channel.quiet_from is None) != (channel.quiet_until is None):
        raise Invalid(fields={"quiet_until": ["Quiet hours have a beginning and an end."]})
    if channel.digest_minutes > 24 * 60:
        raise Invalid(fields={"digest_minutes": ["At most a day."]})
