"""Hold a connector for someone, until they come, give it back, or the time is over.

Each takes the station's lock first: it guards the reservations of that station.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing.errors import Forbidden, InsufficientFunds, Invalid
from billing.models import User
from stations import audit, registry
from stations.apart import apart
from stations.commands import error_code
from stations.configuration import NO_SUCH_CALL
from stations.errors import ConnectorBusy, ConnectorReserved, StationDisabled, StationOffline
from stations.models import Command, Station
from stations.rotation import UNKNOWN_OUTCOME

from ..errors import ReservationEnded, ReservationLimit, ReservationNotFound
from ..models import IdTag, Reservation
from .authorize import can_pay, judge_rights, make_tag
from .reservations import (
    HOLD,
    Claims,
    ask_to_hold,
    ask_to_release,
    claims_at,
    close,
    tries,
)

State, Status = Reservation.State, Command.Status
STAFF_MINUTES = 24 * 60
"""The longest that staff may hold a place; a driver has CSMS_RESERVATION_MINUTES."""
MAX_TRIES = 5
"""How often a station is asked that does not answer."""
UNKNOWN = UNKNOWN_OUTCOME | {"timeout"}
CONNECTOR_ZERO = "ReserveConnectorZeroSupported"


@dataclass(frozen=True, slots=True)
class Holder:
    """For whom a place is held: a driver, a card, or a driver with their card."""

    user: User | None = None
    card: IdTag | None = None

    @property
    def driver(self) -> User | None:
        return self.user or (self.card.user if self.card else None)


def reserve(
    *,
    holder: Holder,
    station_id: str,
    connector_id: int | None,
    expires_at: dt.datetime,
    actor: User,
    reason: str = "",
) -> Reservation:
    """Hold a place until `expires_at`, and queue its ReserveNow (OCPP 1.6 §5.13).

    Connector 0 is any of the station; None lets Kubat choose. A connector that is named is asked
    for whatever its status is: the station knows best. Raises Invalid, Forbidden, StationNotFound,
    StationDisabled, StationOffline, ConnectorBusy, ConnectorReserved, ReservationLimit and, for
    drivers who reserve for themselves, InsufficientFunds.
    """
    _check_holder(holder, actor)
    _check_time(expires_at, actor)
    with transaction.atomic():
        station = _lock(station_id)
        if not station.enabled:
            raise StationDisabled
        if not station.is_online:
            raise StationOffline
        place = _choose(station, holder.driver, connector_id)
        _check_limits(holder.driver, station, actor)
        reservation = Reservation.objects.create(
            station=station,
            connector_id=place,
            user=holder.driver,
            id_tag=holder.card.id_tag if holder.card else make_tag(),
            parent_id_tag=_parent_of(holder),
            has_own_tag=holder.card is None,
            requested_by=actor,
            expires_at=expires_at,
        )
        ask_to_hold(reservation)
        _record(reservation, audit.ADDITION, actor, reason)
        return reservation


def cancel(*, reservation_id: int, actor: User, reason: str = "") -> Reservation:
    """Give a place back; the station is told as soon as it can be (OCPP 1.6 §5.1).

    Repeating it is harmless. Raises ReservationNotFound (also for another driver's),
    ReservationEnded.
    """
    with transaction.atomic():
        reservation = _locked(reservation_id)
        if not actor.is_staff and not reservation.is_of(actor):
            raise ReservationNotFound
        if reservation.state == State.CANCELLED:
            return reservation
        if not reservation.is_active:
            raise ReservationEnded
        close(reservation, State.CANCELLED)
        ask_to_release(reservation)
        _record(reservation, audit.CHANGE, actor, reason)
        return reservation


def run_due(now: dt.datetime, *, limit: int = 100) -> int:
    """End the reservations whose time is over; return how many. The worker calls it.

    The station ends them by itself (OCPP 1.6 §5.13).
    """
    over = Reservation.objects.filter(state__in=Reservation.ACTIVE, expires_at__lte=now)
    due = list(over.order_by("expires_at").values_list("pk", flat=True)[:limit])
    for reservation_id in due:
        apart(_expire, reservation_id)
    return len(due)


def hear(command: Command) -> None:
    """Take note of how a ReserveNow or CancelReservation ended; staff's own are theirs alone.

    The caller holds the station's lock.
    """
    kind, _, reservation_id = command.reference.partition(":")
    if kind != "reservation":
        return
    rows = Reservation.objects.select_related("station", "user", "requested_by")
    reservation = rows.get(pk=int(reservation_id))
    if command.action == HOLD:
        _hear_hold(reservation, command)
    else:
        _hear_release(reservation, command)


@transaction.atomic
def _expire(reservation_id: int) -> None:
    """End one, unless it was used or given back in the meantime."""
    reservation = _locked(reservation_id)
    if reservation.is_active:
        close(reservation, State.EXPIRED)


def _hear_hold(reservation: Reservation, command: Command) -> None:
    answer = (command.response or {}).get("status", "")
    if answer == "Accepted":
        reservation.is_at_station = True
        reservation.save(update_fields=["is_at_station"])
    if reservation.state != State.REQUESTED:
        return  # cancelled, used or over before the answer came
    if answer == "Accepted":
        _hold(reservation)
    elif answer:
        close(reservation, State.REFUSED, error_code=answer.lower())
    elif error_code(command) in NO_SUCH_CALL:
        _hold_alone(reservation)
    elif error_code(command) in UNKNOWN:
        _ask_again(reservation)
    else:
        is_late = command.status == Status.EXPIRED
        code = "station_timeout" if is_late else "station_rejected"
        close(reservation, State.REFUSED, error_code=code)


def _hold(reservation: Reservation) -> None:
    reservation.state = State.HELD
    reservation.save(update_fields=["state"])


def _hold_alone(reservation: Reservation) -> None:
    """Hold at Kubat what the station has no call for, where someone could charge now."""
    station = reservation.station
    claims = _claims(station, reservation.user)
    wanted = claims.free if reservation.connector_id == 0 else {reservation.connector_id}
    if claims.free & wanted:
        _hold(reservation)
    else:
        close(reservation, State.REFUSED, error_code="occupied")


def _ask_again(reservation: Reservation) -> None:
    """Nobody knows whether the station holds the place: the same id again replaces it (§5.13)."""
    is_over = reservation.expires_at <= timezone.now()
    if not is_over and tries(reservation, HOLD) < MAX_TRIES:
        ask_to_hold(reservation)
        return
    close(reservation, State.REFUSED, error_code="station_timeout")
    ask_to_release(reservation)


def _hear_release(reservation: Reservation, command: Command) -> None:
    """Accepted or Rejected, the place is not held any more; what got lost is asked again."""
    code = error_code(command)
    if code not in UNKNOWN:
        reservation.is_at_station = False
        reservation.save(update_fields=["is_at_station"])
        return
    may_answer = code == "disconnected" or tries(reservation, command.action) < MAX_TRIES
    if may_answer and reservation.expires_at > timezone.now():
        ask_to_release(reservation)


def _check_holder(holder: Holder, actor: User) -> None:
    """Refuse what nobody could use: a blocked driver, a card that may not charge."""
    driver, card = holder.driver, holder.card
    if card and holder.user and card.user_id != holder.user.pk:
        raise Invalid(fields={"id_tag": ["This tag is not of this driver."]})
    if driver is not None and not driver.is_active:
        raise Forbidden("This driver is blocked.")
    if driver is None and not actor.is_staff:
        raise Forbidden("This is for staff.")
    if card and judge_rights(card, timezone.now()).status != "Accepted":
        raise Invalid(fields={"id_tag": ["This tag may not charge."]})


def _check_time(expires_at: dt.datetime, actor: User) -> None:
    minutes = STAFF_MINUTES if actor.is_staff else settings.CSMS_RESERVATION_MINUTES
    now = timezone.now()
    if expires_at <= now:
        raise Invalid(fields={"expires_at": ["This is past."]})
    if expires_at > now + dt.timedelta(minutes=minutes, seconds=1):
        raise Invalid(fields={"expires_at": [f"At most {minutes} minutes from now."]})


def _choose(station: Station, driver: User | None, connector_id: int | None) -> int:
    """Return the connector to ask for. Raises Invalid, ConnectorBusy, ConnectorReserved."""
    claims = _claims(station, driver)
    if connector_id is None:
        return _choose_free(station, claims)
    known = station.connectors.filter(connector_id=connector_id)
    if connector_id and not known.exists():
        raise Invalid(fields={"connector_id": ["This station has no such connector."]})
    if connector_id in {row.connector_id for row in (*claims.own, *claims.others)} - {0}:
        raise ConnectorReserved
    return connector_id


def _choose_free(station: Station, claims: Claims) -> int:
    """Any connector where the station can keep one free, else the lowest that is free."""
    own = {row.connector_id for row in claims.own}
    open_to_us = [n for n in sorted(claims.free) if n not in own and not claims.bars(n)]
    if not open_to_us:
        raise ConnectorReserved if claims.free else ConnectorBusy
    value = str(station.configuration.get(CONNECTOR_ZERO, {}).get("value") or "")
    return 0 if value.casefold() == "true" else open_to_us[0]


def _claims(station: Station, driver: User | None) -> Claims:
    taken = set(station.sessions.open().values_list("connector_id", flat=True))
    return claims_at(station, driver, list(station.connectors.all()), taken)


def _check_limits(driver: User | None, station: Station, actor: User) -> None:
    """Let a driver hold no more than the setting says, and nothing without any money."""
    if driver is None:
        return
    User.objects.select_for_update(no_key=True).get(pk=driver.pk)  # one at a time, at all stations
    active = Reservation.objects.active().filter(user=driver).count()
    if active >= settings.CSMS_RESERVATIONS_PER_DRIVER:
        raise ReservationLimit
    if driver.pk == actor.pk and not can_pay(driver, station):
        raise InsufficientFunds


def _parent_of(holder: Holder) -> str:
    """The group whose cards may use the place: that of the card, or the one of all their cards."""
    if holder.card or not holder.user:
        return holder.card.parent_id_tag if holder.card else ""
    cards = holder.user.id_tags.filter(status=IdTag.Status.ACCEPTED).exclude(parent_id_tag="")
    parents = {text.casefold(): text for text in cards.values_list("parent_id_tag", flat=True)}
    return next(iter(parents.values())) if len(parents) == 1 else ""


def _lock(station_id: str) -> Station:
    rows = Station.objects.select_for_update(no_key=True, of=("self",)).select_related("owner")
    return registry.find(station_id, among=rows)


def _locked(reservation_id: int) -> Reservation:
    """Lock the station of a reservation, and read it after that."""
    station_id = Reservation.objects.by_id(reservation_id).station_id
    Station.objects.select_for_update(no_key=True).get(pk=station_id)
    rows = Reservation.objects.select_related("station", "user", "requested_by")
    return rows.get(pk=reservation_id)


def _record(reservation: Reservation, act: int, actor: User, reason: str) -> None:
    """What staff do is on record (P10)."""
    if actor.is_staff:
        audit.record(actor, act, reservation, reservation.state, reason=reason)
