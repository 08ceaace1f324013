"""What reservations mean for a start: who may charge where, with which tag, and who has come.

The caller holds the station's lock, which guards its reservations. `reserve` makes and ends them.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from billing.models import User
from stations import alerts, commands
from stations.clock import wire_time
from stations.commands import error_code
from stations.configuration import NO_SUCH_CALL
from stations.models import Command, Connector, Station

from ..facts import Started
from ..models import ChargingSession, IdTag, Reservation
from ..models.session import RUNNING

HOLD, RELEASE = "ReserveNow", "CancelReservation"
FREE = (Connector.Status.PREPARING, Connector.Status.AVAILABLE, Connector.Status.UNKNOWN)
PASSED_OVER = "reservation_passed_over"
"""Alert: a transaction of another began where a reservation held the connector."""

State = Reservation.State


@dataclass(frozen=True, slots=True)
class Claims:
    """The active reservations of a station as one driver sees them.

    `free` are the connectors where a charge could begin. Of `own` those count whose tag no open
    session carries: a tag is good for one transaction.
    """

    own: tuple[Reservation, ...]
    others: tuple[Reservation, ...]
    free: frozenset[int]

    def own_at(self, connector_id: int) -> Reservation | None:
        """The driver's reservation that covers a connector, one for this very connector first."""
        covering = [row for row in self.own if row.covers(connector_id)]
        return max(covering, key=lambda row: row.connector_id, default=None)

    def bars(self, connector_id: int) -> bool:
        """Whether others have the connector, or every one that would be left is promised.

        A reservation of connector 0 keeps one connector free, whichever (OCPP 1.6 §5.13).
        """
        if self.own_at(connector_id):
            return False
        named = {row.connector_id for row in self.others}
        left = self.free - named - {connector_id}
        anywhere = sum(row.connector_id == 0 for row in self.others)
        return connector_id in named or (anywhere > 0 and len(left) < anywhere)


def claims_at(
    station: Station,
    driver: User | None,
    connectors: Sequence[Connector],
    taken: set[int | None],
) -> Claims:
    """Read what is reserved at a locked station; `taken` are connectors with an open session."""
    rows = list(station.reservations.active().select_related("user").order_by("pk"))
    in_use = set(station.sessions.open().values_list("id_tag", flat=True)) if rows else set()
    mine = [row for row in rows if row.is_of(driver)]
    is_free = [
        row.connector_id
        for row in connectors
        if row.status in FREE and row.connector_id not in taken
    ]
    return Claims(
        own=tuple(row for row in mine if row.id_tag not in in_use),
        others=tuple(row for row in rows if row not in mine),
        free=frozenset(is_free),
    )


def reserved_card(station: Station, id_tag: str, at: dt.datetime) -> IdTag | None:
    """The tag that was made for a reservation, as a card of its driver while it is valid."""
    if "\0" in id_tag:
        return None
    rows = station.reservations.valid_at(at).filter(has_own_tag=True, id_tag=id_tag.upper())
    found = rows.select_related("user").first()
    if found is None:
        return None
    return IdTag(id_tag=found.id_tag, user=found.user, parent_id_tag=found.parent_id_tag)


def hand_over(reservation: Reservation, session: ChargingSession) -> None:
    """Let a session take the place of a reservation whose tag it does not carry.

    The station would refuse the session's own tag there, so the place is given back first: the
    order of commands is that of their making.
    """
    _use(reservation, session)
    ask_to_release(reservation)


def take_up(station: Station, fact: Started, session: ChargingSession) -> None:
    """Note what a start means for reservations: one is used, or others are passed over.

    The station decides who charges; what it lets begin has begun (OCPP 1.6 §4.8, §5.13).
    """
    if session.status not in RUNNING or session.started_at is None:
        return
    rows = list(station.reservations.valid_at(session.started_at).order_by("-connector_id", "pk"))
    used = _find_used(rows, fact, session)
    if used is not None:
        _use(used, session)
        if not _is_ended_by(used, fact):
            ask_to_release(used)
    for row in rows:
        if row is not used and row.is_active and row.connector_id == fact.connector_id:
            _tell_passed_over(row, session)


def ask_to_hold(reservation: Reservation) -> None:
    """Queue a ReserveNow; the same reservationId replaces what the station has (§5.13)."""
    payload = {
        "reservationId": reservation.pk,
        "connectorId": reservation.connector_id,
        "idTag": reservation.id_tag,
        "expiryDate": wire_time(reservation.expires_at),
    }
    if reservation.parent_id_tag:
        payload["parentIdTag"] = reservation.parent_id_tag
    _send(reservation, HOLD, payload)


def ask_to_release(reservation: Reservation) -> None:
    """Take back what is not sent yet, and queue a CancelReservation for what is (§5.1).

    It waits for a station that is away, until the reservation would end there by itself.
    """
    commands.withdraw(reservation.reference)
    asked = Command.objects.filter(reference=reservation.reference, action=HOLD)
    if any(_may_be_held_by(command) for command in asked):
        _send(reservation, RELEASE, {"reservationId": reservation.pk})


def close(reservation: Reservation, state: State, *, error_code: str = "") -> None:
    """End a reservation, and the alert that someone was at its place."""
    reservation.end(state, error_code=error_code)
    alerts.resolve_alert(PASSED_OVER, str(reservation.pk))


def tries(reservation: Reservation, action: str) -> int:
    return Command.objects.filter(reference=reservation.reference, action=action).count()


def _find_used(
    rows: Sequence[Reservation], fact: Started, session: ChargingSession
) -> Reservation | None:
    """The one that the station names, else the one of this tag or its parent, else the driver's."""
    named = [row for row in rows if row.pk == fact.reservation_id]
    here = [row for row in rows if row.covers(fact.connector_id)]
    by_tag = [row for row in here if _has_tag(row, fact) or _has_parent(row, fact)]
    of_driver = [row for row in here if row.is_of(session.user)]
    return next(iter([*named, *by_tag, *of_driver]), None)


def _is_ended_by(reservation: Reservation, fact: Started) -> bool:
    """Whether the station knows by itself that this start used the reservation."""
    is_named = fact.reservation_id == reservation.pk
    return is_named or _has_tag(reservation, fact) or _has_parent(reservation, fact)


def _has_tag(reservation: Reservation, fact: Started) -> bool:
    return reservation.id_tag.casefold() == fact.id_tag.casefold()


def _has_parent(reservation: Reservation, fact: Started) -> bool:
    """Whether the tag that began has the parent that the reservation names."""
    if not reservation.parent_id_tag or "\0" in fact.id_tag:
        return False
    card = IdTag.objects.filter(identity=fact.id_tag.casefold()).first()
    parent = card.parent_id_tag if card else ""
    return parent.casefold() == reservation.parent_id_tag.casefold()


def _use(reservation: Reservation, session: ChargingSession) -> None:
    reservation.session = session
    reservation.save(update_fields=["session"])
    close(reservation, State.USED)


def _tell_passed_over(reservation: Reservation, session: ChargingSession) -> None:
    alerts.open_alert(
        PASSED_OVER,
        str(reservation.pk),
        f"{reservation.station} began transaction {session.transaction_id} at a connector that "
        f"reservation {reservation.pk} holds for another.",
        station=reservation.station,
    )


def _may_be_held_by(command: Command) -> bool:
    """Whether the station may hold a place because of this ReserveNow."""
    is_unknown_there = error_code(command) in NO_SUCH_CALL
    return command.sent_at is not None and not is_unknown_there


def _send(reservation: Reservation, action: str, payload: dict[str, object]) -> None:
    left = (reservation.expires_at - timezone.now()).total_seconds()
    commands.send(
        station=reservation.station,
        action=action,
        payload=payload,
        lane=Command.Lane.ASKED,
        reference=reservation.reference,
        timeout_s=settings.CSMS_CALL_TIMEOUT_S,
        expires_in_s=max(1, int(left)),
        requested_by=reservation.requested_by,
    )
