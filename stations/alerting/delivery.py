"""Carry messages of the outbox to their channels, and keep what came of it on the channel."""

import datetime as dt

from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from billing import sealed
from billing.models import OutboxMessage
from billing.outbox import MAX_ATTEMPTS, GivenUp

from ..models import AlertChannel, AlertNotice
from . import messages, wire
from .messages import Message, Voice
from .routing import still_told
from .wire import ChannelFailed

Status = AlertNotice.Status


def tell(message: OutboxMessage) -> None:
    """Tell a channel what a message of the outbox holds: all of it at once, and once.

    Raises ChannelFailed, to be tried again, and GivenUp in the end. What the last attempt could
    not tell goes into the next message: nothing is lost while a channel is away.
    """
    notices = AlertNotice.objects.filter(message=message.pk, status=Status.WAITING)
    channel = AlertChannel.objects.filter(pk=message.payload["channel"]).first()
    if channel is None or not channel.is_enabled:
        notices.update(status=Status.DROPPED)
        return
    waiting = list(notices.select_related("alert__station", "alert__site").order_by("pk"))
    told = still_told(channel, waiting, timezone.now())
    if not told:
        return
    try:
        _send(channel, messages.compose(told, _voice(channel)))
    except ChannelFailed as failure:
        if message.attempts < MAX_ATTEMPTS:
            raise
        notices.update(message=None, due_at=timezone.now())
        raise GivenUp(str(failure)) from None
    sent = AlertNotice.objects.filter(pk__in=[one.pk for one in told])
    sent.update(status=Status.SENT, sent_at=timezone.now())


def try_out(message: OutboxMessage) -> None:
    """Send a test to a channel, also to one that is not in use. Raises ChannelFailed."""
    channel = AlertChannel.objects.filter(pk=message.payload["channel"]).first()
    if channel is not None:
        _send(channel, messages.trial(_voice(channel)))


def _send(channel: AlertChannel, message: Message) -> None:
    """Raises ChannelFailed, and notes it on the row; a success clears what was noted."""
    row = AlertChannel.objects.filter(pk=channel.pk)
    try:
        wire.send(_address(channel), title=message.title, body=message.body, tone=message.tone)
    except ChannelFailed as failure:
        row.update(failing_since=_first(timezone.now()), last_error=str(failure)[:500])
        raise
    row.update(failing_since=None, last_error="", last_sent_at=timezone.now())


def _first(now: dt.datetime) -> Coalesce:
    return Coalesce(F("failing_since"), Value(now))


def _address(channel: AlertChannel) -> str:
    """Raises ChannelFailed."""
    try:
        return sealed.unseal(channel.sealed_address)
    except sealed.Unreadable as error:
        raise ChannelFailed(str(error)) from None


def _voice(channel: AlertChannel) -> Voice:
    return Voice(channel.language, channel.zone)
