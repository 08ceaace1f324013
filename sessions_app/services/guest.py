"""Charge as a guest: one payment, one session, and what was not used goes back by itself.

The money lies on a guest's account from the payment's confirmation to its return, so the same
holds, captures and corrections serve a guest as anyone. What is to be done next is read from the
rows (P6): the worker begins what was paid and returns what is left, once, whoever dies meanwhile.
Locks: the guest charge, then as everywhere.
"""

import contextlib
import datetime as dt
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from billing import ledger
from billing.errors import Conflict, InsufficientFunds, Invalid, KubatError
from billing.models import NoticePreference, User
from billing.money import Minor, to_major, to_minor, to_text
from billing.payments.providers import PROVIDERS
from billing.payments.returns import left_of, request_refund
from billing.payments.topups import request_top_up
from stations import alerts
from stations.apart import apart

from ..errors import GuestChargeNotBegun
from ..models import ChargingSession, GuestCharge
from ..models.guest import GuestChargeQuerySet, digest_of
from .holds import Limit
from .start import find_place, request_start
from .stop import request_stop

TOKEN_BYTES = 32
BEGINS_WITHIN = dt.timedelta(minutes=15)
"""A payment that is confirmed but could not be acted on for so long: its payer has left."""
CORRECTED_WITHIN = dt.timedelta(hours=1)
"""How long the rest of a session that we ended waits for its late stop, which may cost more."""
PAY_OUT = "guest_pay_out"
UNUSED = "the unused part of a guest charge"

State = GuestCharge.State


@dataclass(frozen=True, slots=True)
class Opened:
    """A guest charge, and the only copy of its token."""

    charge: GuestCharge
    token: str


def open_charge(
    *,
    station_id: str,
    connector_id: int | None,
    amount: Minor,
    provider: str,
    seller: User | None,
    email: str = "",
    language: str = "",
) -> Opened:
    """Record a guest, their payment of `amount` (minor units), and what it is to buy.

    At `email` they are told how it ends, in `language`. `seller` is the member of staff who took
    the money, for a provider that is theirs. Raises as `request_start` where nothing can be sold
    now, as `request_top_up`, and Invalid for an amount below the least hold.
    """
    if amount < to_minor(settings.CSMS_MIN_HOLD):
        raise Invalid(fields={"amount": [f"The least is {settings.CSMS_MIN_HOLD}."]})
    with transaction.atomic():
        place = find_place(station_id, connector_id, driver=None)
        guest = _make_guest(language)
        if email:
            NoticePreference.objects.create(user=guest, email=email)
        payment = request_top_up(
            user=guest, amount=amount, provider=provider, made_by=seller or guest
        )
        token = secrets.token_urlsafe(TOKEN_BYTES)
        charge = GuestCharge.objects.create(
            token_digest=digest_of(token),
            user=guest,
            payment=payment,
            station=place.station,
            connector_id=connector_id,
        )
    return Opened(charge, token)


def stop_charge(token: str) -> ChargingSession:
    """Stop what a token began. Raises GuestChargeNotFound, GuestChargeNotBegun, SessionEnded."""
    charge = GuestCharge.objects.by_token(token)
    if charge.session is None:
        raise GuestChargeNotBegun
    return request_stop(session_id=charge.session.pk, actor=charge.user)


def run_due(now: dt.datetime, *, limit: int = 20) -> int:
    """Begin what was paid, return what is left; return how many were looked at.

    Called by the worker about once a second, by any number of workers at once.
    """
    charges, done = GuestCharge.objects, 0
    jobs: tuple[tuple[GuestChargeQuerySet, _Job], ...] = (
        (charges.to_begin(), _begin),
        (charges.to_send_back(now - CORRECTED_WITHIN), _send_back),
        (charges.paid_out(), _note_pay_out),
    )
    for rows, job in jobs:
        for charge_id in list(rows.order_by("created_at").values_list("pk", flat=True)[:limit]):
            apart(_do, charge_id, job, now)
            done += 1
    return done


_Job = Callable[[GuestCharge, dt.datetime], None]


@transaction.atomic
def _do(charge_id: uuid.UUID, job: _Job, now: dt.datetime) -> None:
    job(GuestCharge.objects.locked(charge_id), now)


def _begin(charge: GuestCharge, now: dt.datetime) -> None:
    """Ask for the session that was paid for; where that is refused, the money goes back."""
    if charge.state != State.WAITING or charge.payment.paid_at is None:
        return
    if now > charge.payment.paid_at + BEGINS_WITHIN:
        charge.state, charge.error_code = State.REFUSED, "paid_too_late"
    else:
        _request_session(charge)
    charge.save(update_fields=["state", "error_code", "session"])


def _request_session(charge: GuestCharge) -> None:
    amount = to_major(Minor(charge.payment.amount_minor))
    try:
        charge.session = request_start(
            driver=charge.user,
            station_id=charge.station.station_id,
            connector_id=charge.connector_id,
            limit=Limit(ChargingSession.LimitType.AMOUNT, amount),
            actor=charge.user,
        )
    except KubatError as refusal:
        charge.state, charge.error_code = State.REFUSED, refusal.code
    else:
        charge.state = State.STARTED


def _send_back(charge: GuestCharge, now: dt.datetime) -> None:
    """Return what was not used by the way it came; cash, or more than came, waits for staff.

    A refund that cannot be asked for at this moment is asked for at the next look.
    """
    available = ledger.account_of(charge.user).available_minor
    amount = Minor(min(available, left_of(charge.payment)))
    if available <= 0 or charge.is_pay_out:
        return
    if amount <= 0 or PROVIDERS[charge.payment.provider].is_for_staff:
        _leave_to_staff(charge, available)
        return
    with contextlib.suppress(Conflict, InsufficientFunds):
        request_refund(
            payment_id=charge.payment.pk, amount=amount, reason=UNUSED, made_by=charge.user
        )


def _leave_to_staff(charge: GuestCharge, amount: int) -> None:
    charge.is_pay_out = True
    charge.save(update_fields=["is_pay_out"])
    alerts.open_alert(
        PAY_OUT,
        str(charge.pk),
        f"A guest at {charge.station} has {to_text(amount)} to be paid out: {charge.user}.",
        station=charge.station,
    )


def _note_pay_out(charge: GuestCharge, now: dt.datetime) -> None:
    charge.is_pay_out = False
    charge.save(update_fields=["is_pay_out"])
    alerts.resolve_alert(PAY_OUT, str(charge.pk))


def _make_guest(language: str) -> User:
    """A person who is nobody: no log-in, and an account for this one payment."""
    guest = User(username=f"guest-{uuid.uuid4()}", is_guest=True, language=language)
    guest.set_unusable_password()
    guest.save(force_insert=True)
    ledger.account_of(guest)
    return guest
