"""What a driver is told of a charge, each once, in the transaction that causes it.

How and whether it reaches them is billing's (billing/notices). The caller holds the session's lock.
"""

import datetime as dt
import uuid
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from billing.energy import Wh, to_text
from billing.models import NoticeKind, OutboxMessage
from billing.money import Minor
from billing.notices.telling import tell, told_channels
from billing.notices.words import money, quantity
from billing.receipts.languages import Code
from billing.receipts.links import link_to

from ..errors import SessionNotFound
from ..models import ChargingSession, SessionEvent
from ..models.session import RUNNING
from ..notice_words import MOST_OF_PLACE, WORDS

LOST_TOPIC = "session.lost"
BY_LIMIT = ("limit", "stop_timeout", "lost")
"""How a stop that the limit asked for may have ended."""
OWN_WISH = "cancelled"
SOON = dt.timedelta(hours=1)

LimitType = ChargingSession.LimitType


def tell_of_end(session: ChargingSession) -> None:
    """The charge is paid: energy, cost, what is free again, and the receipt.

    One that its limit ended is told in one message, to whoever wants to hear of either.
    """
    if session.user is None:
        return
    is_limit = session.stop_requested_by == "limit" and session.stop_reason in BY_LIMIT
    kinds = [NoticeKind.CHARGING_ENDED]
    if is_limit:
        kinds.insert(0, NoticeKind.LIMIT_REACHED)

    def write(code: Code) -> str:
        words = WORDS[code]
        text = words.limit if is_limit else words.ended
        return text.format(
            place=_place(session),
            time=_clock(session, session.stopped_at),
            energy=quantity(to_text(session.energy_wh), "kWh", code),
            cost=money(session.cost_minor, code),
        ) + _released(session.hold_minor - session.cost_minor, code)

    tell(user=session.user, kinds=kinds, cause=session.reference, write=write, link=_link(session))


def tell_of_correction(session: ChargingSession, before: Minor) -> None:
    """The bill is another one than was told: both amounts."""
    if session.user is None or session.cost_minor == before:
        return
    number = session.events.filter(kind=SessionEvent.Kind.CORRECTED).count()
    tell(
        user=session.user,
        kinds=[NoticeKind.CHARGING_ENDED, NoticeKind.LIMIT_REACHED],
        cause=f"{session.reference}:corrected:{number}",
        write=lambda code: WORDS[code].corrected.format(
            place=_place(session),
            before=money(before, code),
            cost=money(session.cost_minor, code),
        ),
        link=_link(session),
    )


def tell_of_failure(session: ChargingSession) -> None:
    """A start that was accepted did not come to be: the hold is free again."""
    if session.user is None or session.error_code == OWN_WISH:
        return
    tell(
        user=session.user,
        kinds=[NoticeKind.START_FAILED],
        cause=f"{session.reference}:failed",
        write=lambda code: (
            WORDS[code].failed.format(place=_place(session)) + _released(session.hold_minor, code)
        ),
        stale_after=SOON,
    )


def tell_of_nearly_used(
    session: ChargingSession, *, energy_wh: Wh, total: Minor, now: dt.datetime
) -> None:
    """Most of the limit or hold is used; told once a session, and noted on it."""
    session.warned_at = now
    session.save(update_fields=["warned_at"])
    if session.user is None:
        return
    tell(
        user=session.user,
        kinds=[NoticeKind.NEARLY_USED],
        cause=f"{session.reference}:nearly",
        write=lambda code: _nearly(session, code, energy_wh=energy_wh, total=total, now=now),
        stale_after=SOON,
    )


def expect_loss(session: ChargingSession) -> None:
    """A running session's station has gone: tell it, unless it is back soon.

    Nothing is told now. A message of the outbox comes when the pause is over, and looks again.
    """
    if session.user is None or session.lost_at is None:
        return
    cause = _loss(session)
    OutboxMessage.objects.get_or_create(
        key=f"{LOST_TOPIC}:{cause}",
        defaults={
            "topic": LOST_TOPIC,
            "payload": {"session": str(session.pk), "cause": cause},
            "due_at": session.lost_at + dt.timedelta(seconds=settings.CSMS_LOST_NOTICE_AFTER_S),
        },
    )


@transaction.atomic
def tell_of_loss(message: OutboxMessage) -> None:
    """The station of a session is lost still, by the same loss: a delivery of the outbox."""
    try:
        session = ChargingSession.objects.locked(uuid.UUID(message.payload["session"]))
    except SessionNotFound:
        return
    cause = message.payload["cause"]
    if session.user is None or session.status not in RUNNING or session.lost_at is None:
        return
    if _loss(session) != cause:
        return
    tell(
        user=session.user,
        kinds=[NoticeKind.STATION_LOST],
        cause=cause,
        write=lambda code: WORDS[code].lost.format(
            place=_place(session),
            time=_clock(session, session.lost_at),
            most=money(session.hold_minor, code),
        ),
        stale_after=SOON,
    )


def tell_of_return(session: ChargingSession) -> None:
    """The station is back: told to whoever heard that it was lost. Called before that is reset."""
    if session.user is None or session.lost_at is None:
        return
    cause = _loss(session)
    only = told_channels(cause)
    if only:
        tell(
            user=session.user,
            kinds=[NoticeKind.STATION_LOST],
            cause=f"{cause}:back",
            write=lambda code: WORDS[code].back.format(place=_place(session)),
            only=only,
            stale_after=SOON,
        )


def _nearly(
    session: ChargingSession, code: Code, *, energy_wh: Wh, total: Minor, now: dt.datetime
) -> str:
    """Say it in what was bought, but in money where that comes to its end first."""
    share = Decimal(total) / session.hold_minor if session.hold_minor else Decimal(0)
    used, most = money(total, code), money(session.hold_minor, code)
    if session.limit_type == LimitType.ENERGY and session.energy_limit_wh:
        limit_wh = session.energy_limit_wh
        if Decimal(energy_wh) / limit_wh >= share:
            used, most = (quantity(to_text(wh), "kWh", code) for wh in (energy_wh, limit_wh))
    elif session.limit_type == LimitType.TIME and session.limit_value and session.started_at:
        minutes = int((now - session.started_at).total_seconds() // 60)
        if minutes / session.limit_value >= share:
            limit = str(int(session.limit_value))
            used, most = (quantity(text, "min", code) for text in (str(minutes), limit))
    return WORDS[code].nearly.format(place=_place(session), used=used, most=most)


def _released(amount_minor: int, code: Code) -> str:
    if amount_minor <= 0:
        return ""
    return WORDS[code].released.format(amount=money(amount_minor, code))


def _place(session: ChargingSession) -> str:
    name = " ".join((session.station.name or session.station.station_id).split())
    return name if len(name) <= MOST_OF_PLACE else name[: MOST_OF_PLACE - 1] + "…"


def _clock(session: ChargingSession, at: dt.datetime | None) -> str:
    """The time of day where the station stands."""
    return f"{at.astimezone(session.station.zone):%H:%M}" if at else "—"


def _link(session: ChargingSession) -> str:
    """Where the receipt is, of a charge that has one."""
    return link_to(session.reference) if session.cost_minor > 0 else ""


def _loss(session: ChargingSession) -> str:
    """The name of this loss of a session's station: the next one has another."""
    assert session.lost_at is not None
    return f"{session.reference}:lost:{session.lost_at.timestamp():.0f}"
