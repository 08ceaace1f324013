"""Send a notice that the outbox hands over; no address leaves this module but to its channel.

Addresses that people register with are not verified: whoever knows an address can register it.
So an address gets a bounded number of messages, and what they say is in docs/notices.md.
"""

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Mapping

from django.conf import settings
from django.utils import timezone

from ..limits import Limit
from ..models import Notice, NoticeChannel, OutboxMessage
from ..outbox import MAX_ATTEMPTS, GivenUp
from . import mail, sms, telegram
from .choices import address_of, enabled, preference_of
from .errors import NotDelivered, Undeliverable

Status = Notice.Status
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
MOST: Mapping[NoticeChannel, tuple[tuple[dt.timedelta, int], ...]] = {
    NoticeChannel.EMAIL: ((HOUR, 20), (DAY, 60)),
    NoticeChannel.SMS: ((HOUR, 6), (DAY, 20)),
    NoticeChannel.TELEGRAM: ((HOUR, 60),),
}
"""How many messages one address gets within a time, whoever they are about."""

DOWN = Limit("notices-down", times=1, period_s=20)
"""A channel that does not answer is left alone for a while: money waits in the same outbox."""

SENDERS: Mapping[NoticeChannel, Callable[[str, Notice], None]] = {
    NoticeChannel.EMAIL: mail.send,
    NoticeChannel.SMS: sms.send,
    NoticeChannel.TELEGRAM: telegram.send,
}


def deliver(message: OutboxMessage) -> None:
    """Send one notice, or drop it where it is of no use: a delivery of the outbox.

    Raises NotDelivered, to be tried again; after the last attempt the notice is `failed`.
    """
    notice = Notice.objects.select_related("user").filter(pk=message.payload["notice"]).first()
    if notice is None or notice.status != Status.QUEUED:
        return
    channel = NoticeChannel(notice.channel)
    address = address_of(preference_of(notice.user), channel)
    if reason := _useless(notice, channel, address):
        _end(notice, Status.DROPPED, reason)
        return
    notice.address, notice.address_digest = masked(channel, address), digest(address)
    try:
        _send(channel, address, notice)
    except Undeliverable as error:
        _end(notice, Status.FAILED, str(error))
    except NotDelivered as error:
        if message.attempts < MAX_ATTEMPTS:
            raise
        _end(notice, Status.FAILED, str(error))
        raise GivenUp(str(error)) from None
    else:
        _end(notice, Status.SENT)


def masked(channel: NoticeChannel, address: str) -> str:
    """An address as staff may see it: enough to recognise, too little to write to."""
    if channel == NoticeChannel.EMAIL:
        name, _, domain = address.partition("@")
        return f"{name[:1]}…@{domain}"[:80]
    if channel == NoticeChannel.SMS:
        return f"{address[:4]}…{address[-2:]}"
    return f"…{address[-3:]}"


def digest(address: str) -> str:
    """What counts an address without naming it: keyed, for phone numbers are few."""
    key = settings.SECRET_KEY.encode()
    return hmac.new(key, address.strip().casefold().encode(), hashlib.sha256).hexdigest()


def _useless(notice: Notice, channel: NoticeChannel, address: str) -> str:
    """Why a notice is not sent; empty where it is."""
    now = timezone.now()
    if notice.stale_at and now > notice.stale_at:
        return "too late"
    if channel not in enabled():
        return "this channel is switched off"
    if not address:
        return "no address"
    sent = Notice.objects.filter(address_digest=digest(address), status=Status.SENT)
    for period, most in MOST[channel]:
        if sent.filter(ended_at__gt=now - period, channel=channel).count() >= most:
            return "too many to this address"
    return ""


def _send(channel: NoticeChannel, address: str, notice: Notice) -> None:
    if DOWN.wait_s(channel):
        raise NotDelivered(f"{channel} did not answer a moment ago")
    try:
        SENDERS[channel](address, notice)
    except NotDelivered:
        DOWN.count(channel)
        raise


def _end(notice: Notice, status: Notice.Status, reason: str = "") -> None:
    notice.status, notice.reason, notice.ended_at = status, reason[:80], timezone.now()
    fields = ["status", "reason", "ended_at", "address", "address_digest"]
    Notice.objects.filter(pk=notice.pk, status=Status.QUEUED).update(
        **{name: getattr(notice, name) for name in fields}
    )
