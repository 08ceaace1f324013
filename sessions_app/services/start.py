"""Begin a session: asked for by an app, or by a tag at the station."""

from dataclasses import dataclass
from decimal import Decimal

from billing.models import User
from billing.money import Minor
from stations.models import Station

from ..facts import Started
from ..models import ChargingSession
from .authorize import TagVerdict


@dataclass(frozen=True, slots=True)
class Limit:
    """When to stop: `type` of ChargingSession.LimitType; `value` in som, kWh, minutes or percent.

    `max_amount` bounds the hold of time, soc and full, in minor units.
    """

    type: ChargingSession.LimitType
    value: Decimal | None = None
    max_amount: Minor | None = None


@dataclass(frozen=True, slots=True)
class StartVerdict:
    """The answer to a StartTransaction: an id always, and what to think of the tag."""

    transaction_id: int
    tag: TagVerdict


def request_start(
    *, driver: User, station_id: str, connector_id: int | None, limit: Limit, actor: User
) -> ChargingSession:
    """Hold the money, record the session and queue its RemoteStartTransaction.

    Idempotency is the caller's (Idempotency-Key). With too little money it returns the session
    in `error` with `error_code` insufficient_funds, and nothing is held. Raises StationNotFound,
    StationDisabled, NoTariff, StationOffline, ConnectorBusy, ConnectorReserved, in this order;
    then no row is left.
    """
    raise NotImplementedError


def begin(*, station: Station, fact: Started) -> StartVerdict:
    """Record that a transaction began (OCPP 1.6 §4.8 StartTransaction).

    The same start again, while its transaction is open, gets the same answer (P3).
    """
    raise NotImplementedError
