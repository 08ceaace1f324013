"""The limit at the station itself: a TxProfile that ends in zero (OCPP 1.6 §3.13, §5.11, §5.16).

It goes along with RemoteStartTransaction and is renewed as readings come, so that the limit holds
when nobody can tell the station to stop. Only for sessions that Kubat started, at stations that
say that they support Smart Charging. All of it is optional: nothing fails because of it, and a
station that refuses is left alone for a while.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from billing.pricing import total_by_energy
from stations import charging_profiles, commands
from stations.commands import error_code
from stations.models import Command, InstalledProfile, Station
from stations.smart_charging import (
    Purpose,
)

from .. import profile_plan
from ..facts import Sample
from ..models import Backstop, BackstopRefusal, ChargingSession, SessionEvent, SessionStatus
from ..profile_plan import Aim, Course, Plan, Watch
from . import wire_plan
from .bill import delivered_wh, session_time, terms_of
from .limits import time_limit_at
from .stopping import begin_stopping

START, INSTALL = "RemoteStartTransaction", charging_profiles.INSTALL
TIMEOUT_S, EXPIRES_S = 3, 10
LOST_AFTER = dt.timedelta(seconds=EXPIRES_S + TIMEOUT_S + 7)
AFTER_SILENCE = dt.timedelta(seconds=60)
MAX_SILENCES = 3
ASKED_AGAIN_AFTER = dt.timedelta(hours=1)
UNKNOWN_CALL_AGAIN_AFTER = dt.timedelta(days=1)
NO_SUCH_CALL = ("NotImplemented", "NotSupported")
OLD_READING = dt.timedelta(seconds=30)
LEAST_RATE_S = 5
State, Status = Backstop.State, Command.Status


def with_start(session: ChargingSession, aim: Aim | None = None) -> dict[str, Any]:
    """What a RemoteStartTransaction carries beside the rest: the session's first profile.

    It counts from the start of the transaction, whenever the cable is plugged in. Empty where
    there is none to send. The caller has just inserted the session, in its transaction.
    """
    if not _may_back(session):
        return {}
    aim = aim_of(session) if aim is None else aim
    is_timed = session.limit_type == session.LimitType.TIME and session.limit_value
    lasts_s = int(session.limit_value) * 60.0 if is_timed and session.limit_value else None
    plan = profile_plan.first(aim=aim, lasts_s=lasts_s, place=wire_plan.place_of(session))
    if plan is None or _is_staffs(session):
        return {}
    Backstop.objects.create(session=session, asked=plan.to_json(), asked_at=timezone.now())
    _note(session, plan, did="asked")
    return {"chargingProfile": wire_plan.write(session, plan, None)}


def renew(
    session: ChargingSession,
    samples: Sequence[Sample],
    received_at: dt.datetime,
    aim_ahead: Callable[[], Aim] | None = None,
) -> None:
    """Renew the plan at the station after a reading, where it must be (see `profile_plan`).

    A charge that its own plan has ended at its limit is stopped. `aim_ahead` says where the
    session must end, where the caller knows better. The caller holds the session's lock.
    """
    if session.status != SessionStatus.CHARGING or not _may_back(session):
        return
    aim = aim_ahead() if aim_ahead else aim_of(session)
    course = _course(session, samples, received_at)
    if course is None or aim == Aim():
        return
    row = _row(session)
    standing = row.standing
    watch = _watch(session, row, aim, seen_w=course.recent_w[-1] if course.recent_w else 0)
    if not watch.is_due(at=course.at, energy_wh=course.energy_wh, power_w=course.power_w):
        return
    if standing is not None and profile_plan.is_done(standing, course, aim):
        begin_stopping(session, by="limit", actor="kubat")
    elif not _is_under_way(session):
        row.is_loose = row.is_loose or watch.is_slowed(course)
        _ask(session, row, course, aim, now=received_at)


def watch_of(session: ChargingSession) -> Watch | None:
    """What tells, without a row, that the plan of a running session must be looked at."""
    if session.status != SessionStatus.CHARGING or not _may_back(session):
        return None
    aim = aim_of(session)
    if aim == Aim():
        return None
    powers = _powers(session)
    return _watch(session, _row(session), aim, seen_w=powers[-1] if powers else 0)


def aim_of(session: ChargingSession) -> Aim:
    """Where a session ends, as far as that can be told without a look at its price over time."""
    is_energy = session.limit_type == session.LimitType.ENERGY
    is_plain = is_energy or total_by_energy(terms_of(session)) is not None
    return Aim(session.energy_limit_wh if is_plain else None, time_limit_at(session))


def is_wanted(session: ChargingSession) -> bool:
    """Whether a queued renewal may still go out."""
    return session.status == SessionStatus.CHARGING


def is_held(session: ChargingSession, now: dt.datetime) -> bool:
    """Whether its own plan has ended the delivery: then no stop is near that a call could delay."""
    row = Backstop.objects.filter(session=session, zero_at__lte=now).first()
    return row is not None and row.state != State.REFUSED


def start_without(session: ChargingSession, command: Command) -> bool:
    """Ask again, once, for a start that was refused with a profile; False where it had none.

    Some stations refuse what they should ignore (OCPP 1.6 §5.11), and must charge all the same.
    """
    is_silent = command.status in (Status.TIMED_OUT, Status.EXPIRED)
    if is_silent or "chargingProfile" not in command.payload:
        return False
    row = _row(session)
    row.state, row.asked, row.answer = State.REFUSED, None, _answer(command)[:50]
    row.save()
    timeout_s = settings.CSMS_CALL_TIMEOUT_S
    session.due_at = timezone.now() + dt.timedelta(seconds=timeout_s)
    session.save(update_fields=["due_at"])
    payload = {key: value for key, value in command.payload.items() if key != "chargingProfile"}
    commands.send(
        station=session.station,
        action=START,
        payload=payload,
        lane=Command.Lane.ASKED,
        reference=session.reference,
        timeout_s=timeout_s,
        expires_in_s=timeout_s,
        requested_by=command.requested_by,
        reason=command.reason,
    )
    return True


def hear(session: ChargingSession, command: Command) -> None:
    """Learn from the end of a start or of a renewal of this session, which is locked."""
    row = Backstop.objects.filter(session=session).first()
    if row is None or command.action not in (START, INSTALL):
        return
    is_accepted = command.status == Status.ANSWERED and _answer(command) == "Accepted"
    if command.action == START:
        _hear_start(session, row, command, is_accepted=is_accepted)
    elif row.asked is not None:
        _hear_renewal(session, row, command, is_accepted=is_accepted)


def forgive(*, refusal: BackstopRefusal) -> None:
    """Let a station be asked again from now on."""
    BackstopRefusal.objects.filter(pk=refusal.pk).update(until=timezone.now())


def _hear_start(
    session: ChargingSession, row: Backstop, command: Command, *, is_accepted: bool
) -> None:
    if is_accepted and row.asked and "chargingProfile" in command.payload:
        _stand(session, row)
    elif is_accepted and row.state == State.REFUSED:
        _remember(session.station, START, row.answer)  # it charges, but not with a profile


def _hear_renewal(
    session: ChargingSession, row: Backstop, command: Command, *, is_accepted: bool
) -> None:
    answer = _answer(command)
    if is_accepted:
        _stand(session, row)
        return
    row.asked, row.answer = None, answer[:50]
    if command.status == Status.TIMED_OUT:
        row.state, row.silences = State.UNKNOWN, row.silences + 1
        row.not_before = (row.asked_at or timezone.now()) + AFTER_SILENCE
        if row.silences >= MAX_SILENCES:
            _remember(session.station, INSTALL, answer)
    elif command.status == Status.EXPIRED or answer == "disconnected":
        row.state = State.STANDING if row.plan else State.UNKNOWN
    else:
        row.state = State.REFUSED
        if session.status == SessionStatus.CHARGING:  # not one that ends at this moment
            _remember(session.station, INSTALL, answer)
    row.save()
    session.note(SessionEvent.Kind.BACKSTOP, actor="station", did=row.state, answer=answer)


def _stand(session: ChargingSession, row: Backstop) -> None:
    """The station has taken what it was asked to take."""
    row.plan, row.sent_at, row.asked = row.asked, row.asked_at, None
    row.state, row.answer, row.silences, row.not_before = State.STANDING, "Accepted", 0, None
    standing = row.standing
    row.zero_at = standing.zero_at if standing else None
    row.save()
    BackstopRefusal.objects.filter(station=session.station).delete()
    session.note(SessionEvent.Kind.BACKSTOP, actor="station", did=row.state, until=row.zero_at)


def _ask(
    session: ChargingSession, row: Backstop, course: Course, aim: Aim, *, now: dt.datetime
) -> None:
    """Queue a renewal in the place of one that has not been sent."""
    standing = row.standing
    starts_at = wire_plan.whole_second(session.station, course.at)
    place = wire_plan.place_of(session)
    plan = profile_plan.make(
        course, aim, place, starts_at=starts_at, standing=standing, is_loose=row.is_loose
    )
    if plan is not None and place.may_cap:
        ceilings = wire_plan.ceilings(session, plan)
        lower_w = max((limit or plan.full_w for _, limit in ceilings), default=plan.full_w)
        if ceilings:
            place = replace(place, ceilings=ceilings, full_w=min(place.full_w, lower_w))
            plan = profile_plan.make(
                course, aim, place, starts_at=starts_at, standing=standing, is_loose=row.is_loose
            )
    if plan is None or _is_staffs(session):
        row.not_before = now + AFTER_SILENCE
        row.save()
        return
    commands.withdraw(session.reference, action=INSTALL)
    row.state, row.asked, row.asked_at, row.answer = State.ASKED, plan.to_json(), now, ""
    row.renewals += 1
    row.not_before = None
    row.save()
    profile = wire_plan.write(session, plan, session.transaction_id)
    commands.send(
        station=session.station,
        action=INSTALL,
        payload={"connectorId": session.connector_id, "csChargingProfiles": profile},
        lane=Command.Lane.OWN,
        reference=session.reference,
        timeout_s=TIMEOUT_S,
        expires_in_s=EXPIRES_S,
    )
    _note(session, plan, did="asked")


def _may_back(session: ChargingSession) -> bool:
    """Whether Kubat may send this session's station a profile unasked."""
    if not settings.CSMS_BACKSTOP or session.origin != ChargingSession.Origin.REMOTE:
        return False
    if not session.connector_id or session.station.supports("SmartCharging") is not True:
        return False
    refusals = BackstopRefusal.objects.filter(station=session.station_id, until__gt=timezone.now())
    return not refusals.exists()


def _row(session: ChargingSession) -> Backstop:
    found = Backstop.objects.filter(session=session).first()
    row = found or Backstop(session=session, state=State.UNKNOWN)
    row.session = session
    return row


def _watch(session: ChargingSession, row: Backstop, aim: Aim, *, seen_w: int) -> Watch:
    not_before = row.not_before
    if row.asked and row.asked_at:
        not_before = row.asked_at + LOST_AFTER
    interval_s = float(session.station.meter_interval_s)
    return Watch(
        row.standing, aim, interval_s, sent_at=row.sent_at, not_before=not_before, seen_w=seen_w
    )


def _is_under_way(session: ChargingSession) -> bool:
    """Whether the station has been asked and has not answered."""
    sent = Command.objects.filter(
        reference=session.reference, action__in=(START, INSTALL), status=Status.SENT
    )
    return sent.exists()


def _course(
    session: ChargingSession, samples: Sequence[Sample], received_at: dt.datetime
) -> Course | None:
    """What the latest of these samples says; None where it is old, or says no register."""
    told = [sample for sample in samples if sample.register_wh is not None]
    if not told:
        return None
    last = max(told, key=lambda sample: sample.at)
    at = session_time(session, last.at, received_at)
    age = max(OLD_READING, dt.timedelta(seconds=session.station.meter_interval_s))
    if at is None or received_at - at > age:
        return None
    powers = _powers(session)
    if not powers:
        return None
    energy_wh = delivered_wh(session, session.meter_last_wh)
    return Course(at, int(energy_wh), powers[-1], tuple(powers[:-1]))


def _powers(session: ChargingSession) -> list[int]:
    """The powers of the last readings, the latest last: what they said, or the rate."""
    told = session.readings_since_start().filter(register_wh__isnull=False).order_by("-at")
    rows = [(r.at, r.register_wh or Decimal(0), r.power_w) for r in told[:5]][::-1]
    powers: list[int] = []
    for (before_at, before_wh, _), (at, wh, told_w) in itertools.pairwise(rows):
        seconds = (at - before_at).total_seconds()
        rate_w = float(wh - before_wh) * 3600 / seconds if seconds >= LEAST_RATE_S else None
        power_w = profile_plan.power_of(None if told_w is None else float(told_w), rate_w)
        if power_w is not None:
            powers.append(max(0, round(power_w)))
    return powers[-4:]


def _is_staffs(session: ChargingSession) -> bool:
    """Whether staff have set a profile for this charge: theirs is not overruled.

    For a start that is not planned around them, TxDefaultProfiles count as well.
    """
    purposes = [Purpose.TX.value]
    if session.transaction_id is None:
        purposes.append(Purpose.TX_DEFAULT.value)
    held = InstalledProfile.objects.filter(
        station=session.station_id,
        connector_id__in=(0, session.connector_id or 0),
        purpose__in=purposes,
        state__in=InstalledProfile.HELD,
    )
    others = Q(purpose=Purpose.TX.value, profile__transactionId__isnull=False)
    if session.transaction_id is not None:
        others &= ~Q(profile__transactionId=session.transaction_id)
    mine = held.exclude(others)  # what was set for another charge is not for this one
    return mine.exclude(profile_id=wire_plan.OWN_PROFILE_ID + (session.connector_id or 0)).exists()


def _remember(station: Station, action: str, answer: str) -> None:
    """Leave a station alone for a while that took no profile."""
    now = timezone.now()
    lasts = UNKNOWN_CALL_AGAIN_AFTER if answer in NO_SUCH_CALL else ASKED_AGAIN_AFTER
    BackstopRefusal.objects.update_or_create(
        station=station,
        defaults={
            "action": action,
            "answer": answer[:50],
            "refused_at": now,
            "until": now + lasts,
        },
    )


def _note(session: ChargingSession, plan: Plan, *, did: str) -> None:
    limits = ", ".join(f"{start_s} s: {limit_w} W" for start_s, limit_w in plan.periods)
    at = plan.starts_at.isoformat() if plan.starts_at else "start"
    session.note(SessionEvent.Kind.BACKSTOP, actor="kubat", did=did, since=at, limits=limits)


def _answer(command: Command) -> str:
    return str((command.response or {}).get("status") or error_code(command))
