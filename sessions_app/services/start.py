"""Begin a session by an app: hold the money, record the session, ask the station to start."""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import context, tracing
from billing.errors import Forbidden, InsufficientFunds, Invalid
from billing.models import Tariff, User
from billing.money import Minor
from stations import commands
from stations.errors import (
    ConnectorBusy,
    ConnectorReserved,
    NoTariff,
    StationDisabled,
    StationNotFound,
    StationOffline,
)
from stations.models import Command, Connector, Station
from stations.tariffs import tariff_for

from ..models import ChargingSession, Reservation, SessionStatus
from . import backstop
from .authorize import make_tag
from .holds import Limit, Sale, available_of, size_hold, take_hold
from .moves import move
from .reservations import FREE, Claims, claims_at, hand_over

START_ACTION = "RemoteStartTransaction"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a charge will be, what it is sold at, and the reservation that it uses."""

    station: Station
    connector_id: int
    tariff: Tariff
    reservation: Reservation | None = None


def request_start(
    *,
    driver: User,
    station_id: str,
    connector_id: int | None,
    limit: Limit,
    actor: User,
    reason: str = "",
) -> ChargingSession:
    """Hold the money, record the session and queue its RemoteStartTransaction.

    Idempotency is the caller's (Idempotency-Key). With too little money it returns the session
    in `error` with `error_code` insufficient_funds, and nothing is held. Raises StationNotFound,
    StationDisabled, NoTariff, StationOffline, ConnectorBusy, ConnectorReserved, in this order;
    then no row is left. OCPP 1.6 §5.11 RemoteStartTransaction.
    """
    if not driver.is_active:
        raise Forbidden("This driver is blocked.")
    with tracing.span("start requested") as told, transaction.atomic():
        place = find_place(station_id, connector_id, driver=driver)
        sale = Sale.at(place.station, place.tariff.to_terms(), timezone.now())
        available = available_of(driver)
        try:
            hold = size_hold(sale, limit, available)
        except InsufficientFunds:
            return _record(driver, place, limit, actor=actor, error_code="insufficient_funds")
        session = _record(driver, place, limit, actor=actor)
        told.set(session_id=str(session.pk), station_id=place.station.station_id)
        session.energy_limit_wh = sale.energy_limit_wh(limit, hold)
        _ask_station(session, place, hold, actor=actor, reason=reason)
        return session


def find_place(station_id: str, connector_id: int | None, *, driver: User | None) -> Place:
    """Lock the station, and say where and at what tariff it sells now. Raises as request_start.

    A reservation of the driver opens its connector, and keeps everyone else away from it.
    """
    station = Station.objects.select_for_update(no_key=True, of=("self",)).select_related("owner")
    found = station.by_identity(station_id).first()
    if found is None:
        raise StationNotFound
    if not found.enabled:
        raise StationDisabled
    connectors = list(found.connectors.order_by("connector_id"))
    taken = _taken(found)
    claims = claims_at(found, driver, connectors, taken)
    if connector_id is None:
        chosen = _choose([row for row in connectors if row.connector_id not in taken], claims)
    else:
        chosen = next((row for row in connectors if row.connector_id == connector_id), None)
        if chosen is None:
            raise Invalid(fields={"connector_id": ["This station has no such connector."]})
    tariff = tariff_for(found, chosen.connector_id if chosen else None, timezone.now())
    if tariff is None:
        raise NoTariff
    if not found.is_online:
        raise StationOffline
    if chosen is None or chosen.connector_id in taken:
        raise ConnectorBusy
    if _is_reserved(chosen, claims):
        raise ConnectorReserved
    if chosen.status not in (*FREE, Connector.Status.RESERVED):
        raise ConnectorBusy
    return Place(found, chosen.connector_id, tariff, claims.own_at(chosen.connector_id))


def _taken(station: Station) -> set[int | None]:
    return set(station.sessions.open().values_list("connector_id", flat=True))


def _is_reserved(connector: Connector, claims: Claims) -> bool:
    """Whether another has this connector, by our word or by the station's."""
    if claims.own_at(connector.connector_id):
        return False
    is_kept = connector.status in FREE and claims.bars(connector.connector_id)
    return connector.status == Connector.Status.RESERVED or is_kept


def _choose(connectors: list[Connector], claims: Claims) -> Connector | None:
    """The one that is reserved for the driver, else one in Preparing, else the lowest Available
    or not yet reported, else a reserved one.
    """
    for row in claims.own:
        for connector in connectors:
            if connector.connector_id == row.connector_id:
                return connector
    is_open = [row for row in connectors if not _is_reserved(row, claims)]
    for rows, wanted in (
        (is_open, FREE[:1]),
        (is_open, (*FREE[1:], Connector.Status.RESERVED)),
        (connectors, (*FREE, Connector.Status.RESERVED)),
    ):
        for connector in rows:
            if connector.status in wanted:
                return connector
    return None


def _record(
    driver: User, place: Place, limit: Limit, *, actor: User, error_code: str = ""
) -> ChargingSession:
    """Insert the session; with an error code it is over before it began.

    It takes over the tag that was made for its reservation: the station knows that one.
    """
    reserved = place.reservation
    tag = reserved.id_tag if reserved and reserved.has_own_tag else make_tag()
    session = ChargingSession.objects.create(
        user=driver,
        station=place.station,
        connector_id=place.connector_id,
        origin=ChargingSession.Origin.REMOTE,
        limit_type=limit.type,
        limit_value=limit.value,
        max_amount_minor=limit.max_amount,
        currency=settings.CSMS_CURRENCY,
        tariff=place.tariff,
        id_tag="" if error_code else tag,
        error_code=error_code,
        ended_at=timezone.now() if error_code else None,
        trace_parent=tracing.traceparent(),
    )
    context.add(session_id=str(session.pk))
    if error_code:
        move(session, SessionStatus.ERROR, actor=actor.username, error_code=error_code)
    return session


def _ask_station(
    session: ChargingSession, place: Place, hold: Minor, *, actor: User, reason: str
) -> None:
    timeout_s = settings.CSMS_CALL_TIMEOUT_S
    session.due_at = timezone.now() + dt.timedelta(seconds=timeout_s)
    session.save(update_fields=["energy_limit_wh", "due_at"])
    take_hold(session, hold, actor=actor.username)
    if place.reservation and not place.reservation.has_own_tag:
        hand_over(place.reservation, session)
    commands.send(
        station=place.station,
        action=START_ACTION,
        payload={
            "connectorId": place.connector_id,
            "idTag": session.id_tag,
            **backstop.with_start(session),
        },
        lane=Command.Lane.ASKED,
        reference=session.reference,
        timeout_s=timeout_s,
        expires_in_s=timeout_s,
        requested_by=actor,
        reason=reason,
    )
