"""Which channel is told what, and when: notices are made here, and handed to the outbox.

An event of an alert becomes one notice for each channel that is to hear it. A notice waits for
its digest, for the end of quiet hours or of a silence; then one message of the outbox takes it.
Each channel has messages of its own, so that one that fails repeats nothing at the others. A
channel that fails has one message at a time: what comes meanwhile goes with the next.
"""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from billing.models import OutboxMessage

from ..apart import apart
from ..models import Alert, AlertChannel, AlertNotice, AlertSilence
from .quiet import digest_at, quiet_until

NOTICE, TRIAL = "alert.notice", "alert.test"
"""Topics of the outbox: what a channel is to be told, and a test of it."""
ALONE_AT_MOST = 5
"""So many alerts at once are told one by one; more of them in one message."""
PORTION = 500

Event, Status, Hold = AlertNotice.Event, AlertNotice.Status, AlertNotice.Hold
RANK = {Alert.Severity.INFO: 0, Alert.Severity.WARNING: 1, Alert.Severity.CRITICAL: 2}


@transaction.atomic
def note(alert_id: int) -> None:
    """Make the notices of what has happened to an alert so far; a repeat makes no more.

    Each event of an alert calls it, in any order: who is told of the end is told of the
    beginning too.
    """
    locked = Alert.objects.select_for_update(of=("self",), no_key=True)
    alert = locked.select_related("station", "site").filter(pk=alert_id).first()
    if alert is None:
        return
    now = timezone.now()
    silences = list(AlertSilence.objects.current(now))
    _make(channels_for(alert), alert, Event.OPENED, now, silences)
    if not alert.is_open:
        told = AlertChannel.objects.filter(notices__alert=alert, notices__event=Event.OPENED)
        _make(told, alert, Event.RESOLVED, now, silences)


def channels_for(alert: Alert) -> list[AlertChannel]:
    """The channels that are to hear of an alert; not that whose own failure it is."""
    channels = AlertChannel.objects.filter(is_enabled=True, created_at__lte=alert.opened_at)
    at_site = Q(sites=None) | (Q(sites=alert.site_id) if alert.site_id else Q(pk=None))
    return [
        channel
        for channel in channels.filter(at_site).distinct()
        if RANK[Alert.Severity(alert.severity)] >= RANK[Alert.Severity(channel.min_severity)]
        and (not channel.kinds or alert.kind in channel.kinds)
        and alert.detail.get("channel") != channel.pk
    ]


def held_until(
    channel: AlertChannel, alert: Alert, now: dt.datetime, silences: Iterable[AlertSilence]
) -> tuple[dt.datetime, AlertNotice.Hold]:
    """When a channel may tell of an alert, and what holds it until then."""
    covering = [s.until for s in silences if s.is_current(now) and s.covers(alert)]
    if covering:
        return max(covering), Hold.SILENCE
    end = quiet_until(now, start=channel.quiet_from, end=channel.quiet_until, zone=channel.zone)
    is_urgent = alert.severity == Alert.Severity.CRITICAL and channel.breaks_quiet
    return (now, Hold.NOTHING) if end is None or is_urgent else (end, Hold.QUIET)


def post_due(now: dt.datetime) -> int:
    """Hand what is due to the outbox; return how many channels had something.

    Called by the worker at each beat, by any number of workers: each takes a channel of its own.
    """
    due = AlertNotice.objects.filter(status=Status.WAITING, message=None, due_at__lte=now)
    channel_ids = list(due.order_by().values_list("channel", flat=True).distinct())
    for channel_id in channel_ids:
        apart(_post, channel_id, now)
    return len(channel_ids)


def hear_again(silence: AlertSilence) -> None:
    """Let what a silence held be looked at now: it ended early."""
    held = AlertNotice.objects.filter(
        status=Status.WAITING, message=None, held_by=Hold.SILENCE, alert__in=_covered(silence)
    )
    held.update(due_at=timezone.now())


def still_told(
    channel: AlertChannel, notices: Sequence[AlertNotice], now: dt.datetime
) -> list[AlertNotice]:
    """Those that may be told at this moment; the rest is put off, or dropped.

    What quiet hours or a silence held and is over when they end is told to nobody.
    """
    silences = list(AlertSilence.objects.current(now))
    told: list[AlertNotice] = []
    for alert, own in _by_alert(notices):
        at, hold = held_until(channel, alert, now, silences)
        if _is_over(alert, own):
            _change(own, status=Status.DROPPED)
        elif hold:
            _change(own, due_at=at, held_by=hold, message=None)
        else:
            told += own
    return told


def _make(
    channels: Iterable[AlertChannel],
    alert: Alert,
    event: AlertNotice.Event,
    now: dt.datetime,
    silences: Collection[AlertSilence],
) -> None:
    rows = []
    for channel in channels:
        at, hold = held_until(channel, alert, now, silences)
        if not hold and channel.digest_minutes:
            at, hold = digest_at(now, channel.digest_minutes), Hold.DIGEST
        rows.append(AlertNotice(channel=channel, alert=alert, event=event, due_at=at, held_by=hold))
    AlertNotice.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def _post(channel_id: int, now: dt.datetime) -> None:
    """Hand one channel's due notices to the outbox, unless it is at an earlier message."""
    can_skip = connection.features.has_select_for_update_skip_locked
    rows = AlertChannel.objects.select_for_update(no_key=True, skip_locked=can_skip)
    channel = rows.filter(pk=channel_id).first()
    if channel is None or _is_busy(channel):
        return
    due = channel.notices.filter(status=Status.WAITING, message=None, due_at__lte=now)
    notices = list(due.select_related("alert__station", "alert__site").order_by("pk")[:PORTION])
    if not channel.is_enabled:
        _change(notices, status=Status.DROPPED)
        return
    told = still_told(channel, notices, now)
    for batch in _batches(channel, told):
        _queue(channel, batch)


def _is_busy(channel: AlertChannel) -> bool:
    """Whether a message to this channel has been tried and is not there yet."""
    tried = OutboxMessage.objects.filter(
        topic=NOTICE, status=OutboxMessage.Status.QUEUED, attempts__gt=0
    )
    return tried.filter(payload__channel=channel.pk).exists()


def _is_over(alert: Alert, own: Sequence[AlertNotice]) -> bool:
    """Whether nobody needs to hear of an alert any more.

    It is resolved, and its beginning is still held, or was told to nobody.
    """
    if alert.is_open:
        return False
    opening = next((one for one in own if one.event == Event.OPENED), None)
    if opening is None:
        beside = AlertNotice.objects.filter(channel=own[0].channel_id, alert=alert)
        opening = beside.filter(event=Event.OPENED).first()
    if opening is None or opening.status == Status.DROPPED:
        return True
    return opening.status == Status.WAITING and opening.held_by in (Hold.QUIET, Hold.SILENCE)


def _batches(
    channel: AlertChannel, notices: Sequence[AlertNotice]
) -> Iterable[Sequence[AlertNotice]]:
    """What goes into one message each."""
    by_alert = [own for _, own in _by_alert(notices)]
    is_one = channel.digest_minutes or any(one.held_by for one in notices)
    if notices and (is_one or len(by_alert) > ALONE_AT_MOST):
        return [notices]
    return by_alert


def _queue(channel: AlertChannel, notices: Sequence[AlertNotice]) -> None:
    message_id = uuid.uuid4()
    OutboxMessage.objects.create(
        pk=message_id,
        key=f"{NOTICE}:{message_id}",
        topic=NOTICE,
        lane=channel.lane,
        payload={"channel": channel.pk, "alerts": sorted({one.alert_id for one in notices})},
    )
    _change(notices, message=message_id)


def _change(notices: Collection[AlertNotice], **columns: object) -> None:
    AlertNotice.objects.filter(pk__in=[one.pk for one in notices]).update(**columns)


def _by_alert(notices: Iterable[AlertNotice]) -> list[tuple[Alert, list[AlertNotice]]]:
    groups: defaultdict[int, list[AlertNotice]] = defaultdict(list)
    for one in notices:
        groups[one.alert_id].append(one)
    return [(own[0].alert, own) for own in groups.values()]


def _covered(silence: AlertSilence) -> QuerySet[Alert]:
    """The alerts that a silence is about."""
    alerts = Alert.objects.order_by()
    if silence.kind:
        alerts = alerts.filter(kind=silence.kind)
    if silence.station_id:
        alerts = alerts.filter(station=silence.station_id)
    if silence.site_id:
        alerts = alerts.filter(site=silence.site_id)
    return alerts
