"""Let a driver raise the limit of a running session: a new limit, and a hold that bears it."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing.errors import InsufficientFunds, Invalid
from billing.models import User
from billing.money import Minor

from ..errors import LimitFixed, SessionEnded, SessionNotFound, SessionStopping
from ..models import ChargingSession, GuestCharge, SessionEvent, SessionStatus
from ..models.session import OPEN
from . import steering
from .bill import terms_of
from .holds import Limit, Sale, available_of, change_hold, size_hold

LimitType = ChargingSession.LimitType


@dataclass(frozen=True, slots=True)
class _Rise:
    """What was asked for, beside what holds now; None is what was not named."""

    session: ChargingSession
    value: Decimal | None
    max_amount: Minor | None

    @property
    def limit(self) -> Limit:
        """The limit as it would be: what was not named stays."""
        session = self.session
        kept = session.max_amount_minor
        return Limit(
            LimitType(session.limit_type),
            session.limit_value if self.value is None else self.value,
            (None if kept is None else Minor(kept)) if self.max_amount is None else self.max_amount,
        )

    @property
    def has_value_risen(self) -> bool:
        return self.value is not None and self.value != self.session.limit_value

    @property
    def is_new(self) -> bool:
        is_other_cap = self.max_amount not in (None, self.session.max_amount_minor)
        return self.has_value_risen or is_other_cap


def raise_limit(
    *,
    session_id: uuid.UUID,
    actor: User,
    limit_value: Decimal | None = None,
    max_amount: Minor | None = None,
) -> ChargingSession:
    """Raise what a session may deliver (`limit_value`, in its own unit) or hold (`max_amount`).

    The tariff stays the one that it began with (P9). The hold is sized as at a start, from what is
    on hold already and what else is available, and never shrinks; it takes the place of the old
    one in this transaction. What is asked for already changes nothing. Raises SessionNotFound
    (also for another driver's), SessionEnded, SessionStopping, LimitFixed, Invalid where nothing
    is named or something would be lower, InsufficientFunds.
    """
    with transaction.atomic():
        session = _lock(session_id, actor)
        rise = _Rise(session, limit_value, max_amount)
        _check(rise)
        if rise.is_new:
            hold = _size(rise)
            _change(rise, hold, actor=actor.username)
        return session


def _lock(session_id: uuid.UUID, actor: User) -> ChargingSession:
    """Lock a session whose limit may rise. A stop that was first has won."""
    session = ChargingSession.objects.locked(session_id)
    if not actor.is_staff and session.user_id != actor.pk:
        raise SessionNotFound
    if session.status not in OPEN:
        raise SessionEnded
    if session.status == SessionStatus.STOPPING:
        raise SessionStopping
    if session.user is None or GuestCharge.objects.filter(session=session).exists():
        raise LimitFixed  # nobody pays, or what was paid is all there is
    return session


def _check(rise: _Rise) -> None:
    """Refuse what names nothing, or would lower something. Raises Invalid."""
    session = rise.session
    if rise.value is None and rise.max_amount is None:
        raise Invalid(fields={"limit_value": ["Say what to raise: this, or max_amount."]})
    if rise.value is not None and session.limit_value is None:
        raise Invalid(fields={"limit_value": ["This limit takes no value."]})
    if rise.value is not None and rise.value < (session.limit_value or 0):
        raise Invalid(fields={"limit_value": ["A limit can only be raised."]})
    least = max(session.hold_minor, session.max_amount_minor or 0)
    if rise.max_amount is not None and rise.max_amount < least:
        raise Invalid(fields={"max_amount": ["A limit can only be raised."]})


def _size(rise: _Rise) -> Minor:
    """What to hold from now on. Raises InsufficientFunds, also where not a bit more can be held.

    A higher time or state of charge takes what is there, as at a start.
    """
    session = rise.session
    assert session.user is not None
    held = Minor(session.hold_minor)
    budget = Minor(available_of(session.user) + held)
    hold = max(held, _wanted(rise, budget))
    is_in_vain = rise.max_amount is not None and not rise.has_value_risen and hold == held
    if is_in_vain and _wanted(rise, Minor(budget + (rise.max_amount or 0))) > held:
        raise InsufficientFunds
    return hold


def _wanted(rise: _Rise, budget: Minor) -> Minor:
    """What the limit is to hold of a budget: the highest rate that may apply from the start on,
    and from now on. Raises InsufficientFunds.
    """
    return max(size_hold(sale, rise.limit, budget) for sale in _sales(rise.session))


def _sales(session: ChargingSession) -> tuple[Sale, Sale]:
    terms, now = terms_of(session), timezone.now()
    began = session.started_at or session.requested_at
    return Sale.at(session.station, terms, began), Sale.at(session.station, terms, now)


def _change(rise: _Rise, hold: Minor, *, actor: str) -> None:
    """Write the new limit and its hold; who follows the session sees that its version moved."""
    session, limit = rise.session, rise.limit
    before = _bounds(session)
    session.limit_value = limit.value
    session.max_amount_minor = limit.max_amount
    session.energy_limit_wh = _sales(session)[0].energy_limit_wh(limit, hold)
    if hold != session.hold_minor:
        change_hold(session, hold, actor=actor)
    if session.status == SessionStatus.CHARGING:
        steering.plan(session, session.last_reading_at or timezone.now())
        transaction.on_commit(partial(steering.ask_due, session.pk))  # which renews all plans
    session.version += 1
    session.save(update_fields=_FIELDS)
    after = _bounds(session)
    session.note(SessionEvent.Kind.RAISED, actor=actor, before=before, after=after)


_FIELDS = [
    "limit_value",
    "max_amount_minor",
    "energy_limit_wh",
    "stop_at",
    "due_at",
    "version",
]


def _bounds(session: ChargingSession) -> dict[str, Any]:
    value = session.limit_value
    return {
        "limit_value": None if value is None else f"{value.normalize():f}",
        "max_amount_minor": session.max_amount_minor,
        "hold_minor": session.hold_minor,
    }
