"""A transaction ended at a station: settle its session, correct it, or leave it to an operator."""

import dataclasses
import datetime as dt
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from billing.money import Minor
from stations import alerts, charging_profiles, clock, commands
from stations.models import Station

from ..facts import Sample, Stopped
from ..models import ChargingSession, SessionStatus
from . import ladder, orphans, readings, steering
from .authorize import ACCEPTED, TagVerdict, find_tag, is_family, judge_tag
from .bill import session_time
from .ending import Ending
from .evidence import learn
from .normalise import normalise, read_stop
from .plausible import Doubt, doubt, flags_of
from .settle import RESTORED, book_loss, correct, put_in_review, settle_or_review
from .steps import from_station
from .told import told_flags

_S = SessionStatus
ASKED_REASONS = ("", "Remote")
OTHER_TAG = "stopped_by_another_tag"


def end(*, station: Station, fact: Stopped) -> TagVerdict | None:
    """Record that a transaction ended, and settle it (OCPP 1.6 §4.10 StopTransaction).

    Never refused: what belongs to no session becomes an orphan (P8). The same stop again has no
    effect (P3). Returns what to think of the tag that stopped it, None when there was none.
    """
    with transaction.atomic():
        if fact.at:  # the station's row before the session's, as a start locks them
            clock.observe(station, fact.at, fact.received_at)
        session = _find_session(station, fact)
        if session is None:
            orphans.keep_stop(station, fact)
        elif session.stop_received_at is None:
            with from_station(session, station, "StopTransaction", fact.received_at):
                _note_stranger(session, fact)
                end_session(session, fact)
        return _judge(station, session, fact)


def end_session(session: ChargingSession, fact: Stopped) -> None:
    """Store what a stop says, then settle, correct, or leave it to an operator.

    The caller holds the session's lock, and knows that its station has not ended it before.
    """
    at = fact.at or fact.received_at
    session.stop_received_at = fact.received_at
    if RESTORED in session.flags:
        alerts.resolve_alert(RESTORED, str(session.pk))
    read = _read(session, fact, at)
    session.meter_stop_wh = read.meter_stop_wh
    session.save(update_fields=["stop_received_at", "meter_stop_wh"])
    readings.store(session, read.samples, received_at=fact.received_at)
    ending = _ending(session, read, at)
    doubtful = doubt(session, ending, told_stop_wh=fact.meter_stop_wh)
    if read.meter_stop_wh is not None:
        readings.store_stop(
            session,
            register_wh=read.meter_stop_wh,
            at=at,
            received_at=fact.received_at,
            flags=told_flags(fact.meter_stop_wh, read.meter_stop_wh),
        )
    match session.status:
        case _S.CHARGING | _S.STOPPING | _S.REVIEW:
            settle_or_review(session, ending, doubtful)
        case _S.COMPLETED:
            _correct_or_keep(session, ending, doubtful, fact)
        case _S.ERROR:
            _end_refused(session, ending)
    learn(session, read.meter_stop_wh)
    steering.learn(session, ending, fact.reason)
    ladder.close(session)
    commands.withdraw(session.reference, but=ladder.BAR)  # it bars the next start
    charging_profiles.end_transaction(
        station_pk=session.station_id, transaction_id=session.transaction_id
    )


def correct_by(session: ChargingSession, fact: Stopped) -> None:
    """Correct a completed session by a late stop that an operator believes."""
    at = fact.at or fact.received_at
    correct(session, _ending(session, _read(session, fact, at), at))


def _find_session(station: Station, fact: Stopped) -> ChargingSession | None:
    """Lock the session of a transaction; a foreign id never ends another's."""
    if fact.transaction_id is None or fact.transaction_id <= 0:
        return None
    found = station.sessions.filter(transaction_id=fact.transaction_id).first()
    return ChargingSession.objects.locked(found.pk) if found else None


def _note_stranger(session: ChargingSession, fact: Stopped) -> None:
    """Flag a stop by a tag that neither began the session nor is of its family or driver.

    It counts all the same: the station has ended the transaction.
    """
    if not fact.id_tag or is_family(session.id_tag, fact.id_tag):
        return
    tag = find_tag(fact.id_tag)
    if tag is None or tag.user_id is None or tag.user_id != session.user_id:
        session.flags = sorted({*session.flags, OTHER_TAG})


def _read(session: ChargingSession, fact: Stopped, at: dt.datetime) -> Stopped:
    """What a stop says, on the scale of this session's meterStart."""
    samples = normalise(session, _samples(session, fact, at), received_at=fact.received_at)
    return read_stop(session, dataclasses.replace(fact, samples=tuple(samples)))


def _samples(session: ChargingSession, fact: Stopped, at: dt.datetime) -> list[Sample]:
    """The samples of its transactionData that lie inside the transaction."""
    start = session.meter_start_at
    return [s for s in fact.samples if (start is None or s.at >= start) and s.at <= at]


def _ending(session: ChargingSession, fact: Stopped, at: dt.datetime) -> Ending:
    """What ends the session: meterStop rules, as long as it can be read."""
    moment = session_time(session, at, fact.received_at)
    session.meter_last_wh = _highest(session, fact, at)
    session.flags = sorted({*session.flags, *flags_of(session, fact, has_time=moment is not None)})
    if moment is None:
        moment = max(fact.received_at, session.started_at or fact.received_at)
    register = session.meter_last_wh if fact.meter_stop_wh is None else fact.meter_stop_wh
    is_asked = session.stop_requested_by and fact.reason in ASKED_REASONS
    reason = session.stop_requested_by if is_asked else fact.reason or "Local"
    return Ending(register, moment, reason, "station")


def _highest(session: ChargingSession, fact: Stopped, at: dt.datetime) -> Decimal | None:
    """The highest register that was sampled, in the transactionData of the stop or before it."""
    told = [s.register_wh for s in _samples(session, fact, at) if s.register_wh is not None]
    known = session.meter_last_wh
    return max([*told, *([] if known is None else [known])], default=None)


def _correct_or_keep(
    session: ChargingSession, ending: Ending, doubtful: Doubt | None, fact: Stopped
) -> None:
    """Correct a completed session; a late stop that cannot be true waits for an operator (P8)."""
    if doubtful is None:
        correct(session, ending)
        return
    session.save(update_fields=["flags", "meter_last_wh"])
    orphans.keep_late_stop(session, fact, cause=doubtful.cause)


def _end_refused(session: ChargingSession, ending: Ending) -> None:
    """Energy after a refused start: the operator's loss where an app asked, else a question."""
    if session.origin == ChargingSession.Origin.REMOTE:
        book_loss(session, ending)
    elif session.meter_stop_wh and session.meter_stop_wh > (session.meter_start_wh or 0):
        put_in_review(session, ending, cause="energy_after_refusal", plausible_minor=Minor(0))


def _judge(station: Station, session: ChargingSession | None, fact: Stopped) -> TagVerdict | None:
    if not fact.id_tag:
        return None
    if session and session.id_tag.casefold() == fact.id_tag.casefold():
        return ACCEPTED
    return judge_tag(station=station, id_tag=fact.id_tag, at=timezone.now())
