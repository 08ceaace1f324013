"""The money that a session sets aside: how much, and taking and freeing it (design section 4)."""

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from billing import ledger
from billing.energy import Wh, to_wh
from billing.errors import InsufficientFunds
from billing.models import User
from billing.money import Minor, to_minor
from billing.pricing import Terms, affordable_wh, ceiling
from stations.models import Station

from ..models import ChargingSession, SessionEvent
from .steps import step

LimitType = ChargingSession.LimitType


@dataclass(frozen=True, slots=True)
class Limit:
    """When to stop: `type` of ChargingSession.LimitType; `value` in som, kWh, minutes or percent.

    `max_amount` bounds the hold, in minor units.
    """

    type: ChargingSession.LimitType
    value: Decimal | None = None
    max_amount: Minor | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """The terms on which a station sells from `start` on."""

    terms: Terms
    start: dt.datetime
    zone: zoneinfo.ZoneInfo
    max_power_w: int | None

    @classmethod
    def at(cls, station: Station, terms: Terms, start: dt.datetime) -> "Sale":
        power_kw = station.max_power_kw
        return cls(terms, start, station.zone, int(power_kw * 1000) if power_kw else None)

    @property
    def is_free(self) -> bool:
        """Whether neither energy nor time, charging or parking, costs anything."""
        by_energy = self._ceiling(energy_wh=Wh(1_000_000))
        return by_energy == 0 and self._ceiling(duration=dt.timedelta(hours=24)) == 0

    def cost_of(self, limit: Limit) -> Minor | None:
        """The most that a limit can cost; None when that is whatever is available."""
        value = limit.value or Decimal(0)
        if limit.type == LimitType.AMOUNT:
            return to_minor(value)
        if limit.type == LimitType.ENERGY:
            cost = self._ceiling(energy_wh=to_wh(value))
            return cost if cost or self.is_free else None  # free energy, and paid parking
        if limit.type == LimitType.TIME:
            return self._ceiling(duration=dt.timedelta(minutes=int(value)))
        return Minor(0) if self.is_free else None

    def energy_limit_wh(self, limit: Limit, hold: Minor) -> Wh | None:
        """The energy that a limit and its hold buy; None when nobody can say."""
        if limit.type == LimitType.ENERGY and limit.value:
            return to_wh(limit.value)
        return affordable_wh(self.terms, hold, start=self.start, zone=self.zone)

    def _ceiling(
        self, *, energy_wh: Wh | None = None, duration: dt.timedelta | None = None
    ) -> Minor | None:
        return ceiling(
            self.terms,
            start=self.start,
            zone=self.zone,
            energy_wh=energy_wh,
            duration=duration,
            max_power_w=self.max_power_w,
        )


def size_hold(sale: Sale, limit: Limit, available: Minor) -> Minor:
    """Return what to hold. Raises InsufficientFunds.

    Amount and energy must be covered; time, soc and full take what is there.
    """
    cost = sale.cost_of(limit)
    hold = available if cost is None else cost
    if limit.max_amount is not None:
        hold = min(hold, limit.max_amount)
    if limit.type not in (LimitType.AMOUNT, LimitType.ENERGY):
        hold = min(hold, available)
    is_free = cost == 0 and sale.is_free
    if hold > available or (hold < to_minor(settings.CSMS_MIN_HOLD) and not is_free):
        raise InsufficientFunds
    if sale.energy_limit_wh(limit, hold) == 0:  # a flat fee would take it all
        raise InsufficientFunds
    return hold


def size_tag_hold(driver: User, available: Minor) -> Minor:
    """Return what a start by tag holds; 0 where that is below the least hold."""
    caps = [available, to_minor(settings.CSMS_RFID_HOLD)]
    if driver.rfid_cap_minor is not None:
        caps.append(Minor(driver.rfid_cap_minor))
    hold = min(caps)
    return Minor(hold) if hold >= to_minor(settings.CSMS_MIN_HOLD) else Minor(0)


def available_of(driver: User) -> Minor:
    """What a driver can spend now; the account stays locked for this transaction."""
    (account,) = ledger.lock(ledger.account_of(driver))
    return Minor(account.available_minor)


def take_hold(session: ChargingSession, amount: Minor, *, actor: str) -> None:
    """Set `amount` aside for a session, again if it was given back. Raises InsufficientFunds."""
    if session.user is None or amount == 0:
        return
    with step(session, "hold", amount_minor=amount):
        ledger.hold(
            key=_next_key(session),
            account=ledger.account_of(session.user),
            amount=amount,
            reference=session.reference,
        )
    _note_hold(session, amount, actor=actor)


def change_hold(session: ChargingSession, amount: Minor, *, actor: str) -> None:
    """Hold `amount` (> 0) instead of what is on hold; another session never gets at it between.

    Raises InsufficientFunds, and then nothing has changed.
    """
    pending = ledger.pending_hold(session.reference)
    if pending is None:
        take_hold(session, amount, actor=actor)
    elif amount != pending.amount_minor:
        ledger.replace(pending, key=_next_key(session), amount=amount)
        _note_hold(session, amount, actor=actor)


def release_hold(session: ChargingSession) -> None:
    """Give back what is still on hold, if anything is."""
    pending = ledger.pending_hold(session.reference)
    if pending:
        ledger.void(pending)


def shrink_hold(session: ChargingSession, amount: Minor, *, actor: str) -> None:
    """Keep only `amount` on hold and give back the rest."""
    if amount >= session.hold_minor:
        return
    if amount:
        change_hold(session, amount, actor=actor)
    else:
        release_hold(session)
        session.hold_minor = 0
        session.save(update_fields=["hold_minor"])


def _next_key(session: ChargingSession) -> str:
    earlier = session.events.filter(kind=SessionEvent.Kind.HELD).count()
    return f"{session.hold_key}:{earlier}" if earlier else session.hold_key


def _note_hold(session: ChargingSession, amount: Minor, *, actor: str) -> None:
    session.hold_minor = amount
    session.save(update_fields=["hold_minor"])
    session.note(SessionEvent.Kind.HELD, actor=actor, amount_minor=amount)
