"""A transaction began at a station: match it to its session, or judge the tag that began it."""

import dataclasses
import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import context, tracing
from billing.errors import InsufficientFunds
from billing.models import Tariff, User
from billing.money import Minor
from stations import clock
from stations.models import Station
from stations.tariffs import tariff_for

from ..facts import Sample, Started
from ..models import ChargingSession, IdTag, SessionStatus, TransactionNumber
from ..models.session import PENDING
from . import steering
from .authorize import (
    ACCEPTED,
    BLOCKED,
    INVALID,
    OWN_TAG_LIFE,
    TagVerdict,
    find_tag,
    judge_rights,
    own_session,
    presented_card,
    storable,
)
from .books import lock_accounts
from .holds import Sale, available_of, size_tag_hold, take_hold
from .limits import next_look
from .moves import move
from .normalise import take_start
from .plausible import CLOCK_UNKNOWN
from .readings import store
from .reservations import take_up
from .settle import OFFLINE, UNFUNDED, complete_cancelled, give_up, settle_on_last_reading
from .steering import Plan
from .steps import from_station
from .stopping import RESEND_AFTER, ask_station_to_stop
from .told import told_flags

OFFLINE_AFTER = dt.timedelta(seconds=60)
"""A start that is told later than this was made while the station was offline."""


@dataclass(frozen=True, slots=True)
class StartVerdict:
    """The answer to a StartTransaction: an id always, and what to think of the tag.

    `plan` is when the session must be stopped or asked, where it has just begun to charge.
    """

    transaction_id: int
    tag: TagVerdict
    plan: Plan | None = dataclasses.field(default=None, compare=False)


def begin(*, station: Station, fact: Started) -> StartVerdict:
    """Record that a transaction began (OCPP 1.6 §4.8 StartTransaction).

    The same start again, while its transaction is open, gets the same answer (P3).
    """
    with transaction.atomic():
        station = Station.objects.select_for_update(no_key=True).get(pk=station.pk)
        repeated = _find_repeated(station, fact)
        if repeated:
            return _verdict_of(repeated)
        started_at = clock.to_ours(station, fact.at, fact.received_at)
        is_known = clock.is_known(station, fact.at, fact.received_at)
        clock.observe(station, fact.at, fact.received_at)
        session = _find_asked(station, fact, started_at)
        tag = presented_card(station, fact.id_tag, started_at)
        _free_connector(station, fact, keep=session, newcomer=tag.user if tag else None)
        with from_station(session, station, "StartTransaction", fact.received_at) as told:
            if session:
                _begin_asked(session, fact, started_at)
            else:
                session = _begin_by_tag(station, fact, tag, started_at)
            told.set(session_id=str(session.pk), transaction_id=session.transaction_id)
        take_up(station, fact, session)
        if not is_known:
            _doubt_clock(session, fact)
        return dataclasses.replace(_verdict_of(session), plan=_plan(session, fact))


def _plan(session: ChargingSession, fact: Started) -> Plan | None:
    """Look ahead at full power, until its first reading; not by a start that was made offline."""
    is_offline = fact.received_at - (session.started_at or fact.received_at) > OFFLINE_AFTER
    if is_offline or session.status != SessionStatus.CHARGING:
        return None
    onward = steering.plan(session, fact.received_at)
    session.save(update_fields=["stop_at", "due_at"])
    return steering.Plan(session.pk, onward.outlook)


def start_key(station: Station, fact: Started) -> str:
    """The natural key of a StartTransaction (P3); message ids restart with the station."""
    tag = storable(fact.id_tag).casefold()
    at = fact.at.isoformat()
    return f"{station.pk}|{fact.connector_id}|{tag}|{at}|{fact.meter_start_wh:f}"


def _find_repeated(station: Station, fact: Started) -> ChargingSession | None:
    """The session that this very start began, unless its station has ended it since."""
    return (
        station.sessions.filter(start_key=start_key(station, fact), stop_received_at__isnull=True)
        .order_by("-requested_at")
        .first()
    )


def _find_asked(station: Station, fact: Started, started_at: dt.datetime) -> ChargingSession | None:
    """Lock the session that asked for this start, in time, and has no transaction yet."""
    found = own_session(station, fact.id_tag)
    if found is None or started_at > found.requested_at + OWN_TAG_LIFE:
        return None
    session = ChargingSession.objects.locked(found.pk)
    is_waiting = session.status in (*PENDING, SessionStatus.STOPPING, SessionStatus.ERROR)
    return session if is_waiting and session.transaction_id is None else None


def _free_connector(
    station: Station, fact: Started, *, keep: ChargingSession | None, newcomer: User | None
) -> None:
    """End what else was open there: a new start means that the old one is over."""
    others = station.sessions.open().filter(connector_id=fact.connector_id)
    if keep:
        others = others.exclude(pk=keep.pk)
    rows = [ChargingSession.objects.locked(other.pk) for other in others.order_by("pk")]
    locked = [row for row in rows if row.is_open]  # one may have ended while we waited for it
    if locked:
        lock_accounts(newcomer, keep.user if keep else None, *(row.user for row in locked))
    for session in locked:
        if session.transaction_id is not None:
            settle_on_last_reading(session, reason="superseded", actor="station")
        elif session.status == SessionStatus.STOPPING:
            complete_cancelled(session)
        else:
            give_up(session, error_code="connector_busy", actor="station")


def _doubt_clock(session: ChargingSession, fact: Started) -> None:
    """Flag a start whose clock nobody knows, unless it was asked for a moment ago."""
    is_tag = session.origin == ChargingSession.Origin.TAG
    if is_tag or fact.received_at - session.requested_at > OFFLINE_AFTER:
        session.flags = sorted({*session.flags, CLOCK_UNKNOWN})
        session.save(update_fields=["flags"])


def _begin_asked(session: ChargingSession, fact: Started, started_at: dt.datetime) -> None:
    """Begin a session that an app asked for; a cancelled one is stopped again at once.

    It cannot have begun before it was asked for, whatever the station's clock says.
    """
    _take_facts(session, fact, max(started_at, session.requested_at))
    if session.status == SessionStatus.STOPPING:
        session.stop_requested_at = fact.received_at  # of the station: from now on it has its time
        session.due_at = fact.received_at + RESEND_AFTER
        session.save(update_fields=["stop_requested_at", "due_at"])
        ask_station_to_stop(session)
    elif session.status != SessionStatus.ERROR:
        move(session, SessionStatus.CHARGING, actor="station")
    else:
        _revive(session)


def _revive(session: ChargingSession) -> None:
    """Begin a session that had been given up: it takes its hold again or is stopped."""
    try:
        take_hold(session, Minor(session.hold_minor), actor="station")
    except InsufficientFunds:
        session.error_code, session.hold_minor = "insufficient_funds", 0
        session.save(update_fields=["error_code", "hold_minor"])
        ask_station_to_stop(session)
        return
    session.error_code, session.ended_at = "", None
    session.save(update_fields=["error_code", "ended_at"])
    move(session, SessionStatus.CHARGING, actor="station", was="late")


def _begin_by_tag(
    station: Station, fact: Started, tag: IdTag | None, started_at: dt.datetime
) -> ChargingSession:
    """Begin a session by a known tag, or record the start that was refused."""
    session = ChargingSession.objects.create(
        station=station,
        connector_id=fact.connector_id,
        user=tag.user if tag else None,
        origin=ChargingSession.Origin.TAG,
        limit_type=ChargingSession.LimitType.FULL,
        currency=settings.CSMS_CURRENCY,
        tariff=_tariff_of(station, fact, started_at),
        id_tag=storable(fact.id_tag),
        requested_at=started_at,
        trace_parent=tracing.traceparent(),
    )
    context.add(session_id=str(session.pk))
    _take_facts(session, fact, started_at)
    verdict = judge_rights(tag, started_at) if tag and fact.connector_id > 0 else INVALID
    if verdict.status == "Accepted" and session.user:
        verdict = _hold_for_tag(session, session.user, fact, started_at, verdict)
    if verdict.status == "Accepted" or UNFUNDED in session.flags:
        move(session, SessionStatus.CHARGING, actor="station")
    else:
        _refuse(session, verdict)
    return session


def _tariff_of(station: Station, fact: Started, started_at: dt.datetime) -> Tariff | None:
    """The tariff in force at the start; an offline start from before the first pays today's."""
    then = tariff_for(station, fact.connector_id, started_at)
    return then or tariff_for(station, fact.connector_id, fact.received_at)


def _hold_for_tag(
    session: ChargingSession,
    driver: User,
    fact: Started,
    started_at: dt.datetime,
    verdict: TagVerdict,
) -> TagVerdict:
    """Hold for a start by tag; one that was made offline goes on even without money."""
    is_offline = fact.received_at - started_at > OFFLINE_AFTER
    if session.tariff is None or not (session.station.enabled or is_offline):
        return BLOCKED
    if Sale.at(session.station, session.tariff.to_terms(), started_at).is_free:
        return verdict
    hold = size_tag_hold(driver, available_of(driver))
    if is_offline:
        session.flags = [OFFLINE] if hold else [UNFUNDED]
        session.save(update_fields=["flags"])
    if not hold:
        return BLOCKED
    take_hold(session, hold, actor="station")
    return verdict


def _refuse(session: ChargingSession, verdict: TagVerdict) -> None:
    session.error_code = f"tag_{verdict.status.lower()}"
    session.ended_at = timezone.now()
    session.due_at = None
    session.save(update_fields=["error_code", "ended_at", "due_at"])
    move(session, SessionStatus.ERROR, actor="station", error_code=session.error_code)


def _take_facts(session: ChargingSession, fact: Started, started_at: dt.datetime) -> None:
    """Write what the station said on the session, with meterStart as its first reading."""
    session.transaction_id = TransactionNumber.objects.create().pk
    session.connector_id = fact.connector_id
    session.start_key = start_key(session.station, fact)
    take_start(session, fact.meter_start_wh)
    session.meter_start_at = fact.at
    session.started_at = started_at
    session.last_reading_at = fact.received_at
    session.due_at = next_look(session, fact.received_at)
    session.save()
    told = tuple(told_flags(fact.meter_start_wh, session.meter_start_wh))
    first = Sample(fact.at, session.meter_start_wh, context="Transaction.Begin", flags=told)
    store(session, (first,), received_at=fact.received_at)


def _verdict_of(session: ChargingSession) -> StartVerdict:
    """The answer that this session's start got, and gets again."""
    assert session.transaction_id is not None
    return StartVerdict(session.transaction_id, _tag_verdict(session))


def _tag_verdict(session: ChargingSession) -> TagVerdict:
    if session.error_code == "insufficient_funds":
        return INVALID
    if session.error_code.startswith("tag_"):
        return {"tag_blocked": BLOCKED, "tag_expired": TagVerdict("Expired")}.get(
            session.error_code, INVALID
        )
    if UNFUNDED in session.flags:
        return BLOCKED
    tag = find_tag(session.id_tag) if session.origin == session.Origin.TAG else None
    return TagVerdict("Accepted", tag.parent_id_tag, tag.expires_at) if tag else ACCEPTED
