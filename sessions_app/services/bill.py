"""From a session's readings to its bill: the periods that are priced, and the stored form.

The same functions make the running cost, the final bill, and its recomputation from the stored
periods (P9). Money never moves here.
"""

import datetime as dt
import itertools
import operator
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.energy import Wh, round_wh
from billing.pricing import Bill, Period, State, Terms, is_uniform, price
from stations.clock import TRUSTED_FUTURE, shifted
from stations.models import Connector, ConnectorStatus

from ..models import ChargingSession
from ..models.session import WRITTEN_OFF

PARKED = (Connector.Status.SUSPENDED_EV, Connector.Status.FINISHING)


@dataclass(frozen=True, slots=True)
class Priced:
    """A bill with what it was computed from."""

    bill: Bill
    periods: tuple[Period, ...]
    zone: zoneinfo.ZoneInfo

    def to_json(self) -> dict[str, Any]:
        """The form that a session stores."""
        return self.bill.to_json() | {
            "time_zone": self.zone.key,
            "periods": [_period_to_json(period) for period in self.periods],
        }


def price_session(session: ChargingSession, *, energy_wh: Wh, until: dt.datetime) -> Priced:
    """Price what a session took so far: `energy_wh` until our time `until`."""
    terms, zone = terms_of(session), session.station.zone
    start = session.started_at or until
    until = max(start, until)
    if is_uniform(terms) or start == until:
        periods: tuple[Period, ...] = (Period(start, until, energy_wh),)
    else:
        periods = tuple(_split(session, energy_wh=energy_wh, start=start, until=until))
    return Priced(price(terms, periods, zone), periods, zone)


def recompute(session: ChargingSession) -> Bill:
    """Price a settled session again from the periods that its bill stores (P9)."""
    stored = session.bill or {}
    periods = [_period_from_json(row) for row in stored.get("periods", [])]
    zone = zoneinfo.ZoneInfo(stored["time_zone"])
    return price(terms_of(session), periods, zone)


def terms_of(session: ChargingSession) -> Terms:
    """The frozen terms of a session; an operator's own charge has a price of nothing.

    What was taken by a tag that was refused, or by nobody knows whom, has its price: it is a loss.
    """
    is_lost = bool(session.error_code) or session.stop_reason == WRITTEN_OFF
    if session.tariff is None or (session.user_id is None and not is_lost):
        return Terms(currency=session.currency, price_per_kwh=Decimal(0))
    return session.tariff.to_terms()


def session_time(
    session: ChargingSession, at: dt.datetime, received_at: dt.datetime
) -> dt.datetime | None:
    """Translate a moment of the station's clock to ours, within one session.

    Durations are differences of the station's clock. None when that is impossible: before the
    start, or in the future; then the clock was changed meanwhile.
    """
    if session.started_at is None or session.meter_start_at is None:
        return None
    moment = shifted(session.started_at, at - session.meter_start_at)
    if moment is None or not session.started_at <= moment <= received_at + TRUSTED_FUTURE:
        return None
    return moment


def delivered_wh(session: ChargingSession, register_wh: Decimal | None) -> Wh:
    """The energy up to a register value, rounded once; never below zero."""
    if register_wh is None or session.meter_start_wh is None:
        return Wh(0)
    return round_wh(max(Decimal(0), register_wh - session.meter_start_wh))


_TICK = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Point:
    """The energy delivered by a moment of our clock."""

    at: dt.datetime
    energy_wh: Decimal


def _split(
    session: ChargingSession, *, energy_wh: Wh, start: dt.datetime, until: dt.datetime
) -> Iterator[Period]:
    """Cut a session at each reading and at each change between charging and parking.

    Energy at a cut between two readings is interpolated; a gap after the last reading belongs to
    the last period. Energies are differences of rounded totals, so they add up to `energy_wh`.
    """
    points = _points(session, total=Decimal(energy_wh), start=start, until=until)
    changes = _state_changes(session, start=start, until=until)
    moments = sorted({point.at for point in points} | {at for at, _ in changes})
    totals = [round_wh(_energy_at(points, moment)) for moment in moments]
    for (begin, end), (before, after) in zip(
        itertools.pairwise(moments), itertools.pairwise(totals), strict=True
    ):
        yield Period(begin, end, Wh(after - before), state=_state(changes, begin))


def _points(
    session: ChargingSession, *, total: Decimal, start: dt.datetime, until: dt.datetime
) -> list[_Point]:
    points = [_Point(start, Decimal(0))]
    told = session.readings_since_start().filter(register_wh__isnull=False)
    readings = told.order_by("at")
    for at, received_at, register_wh in readings.values_list("at", "received_at", "register_wh"):
        moment = session_time(session, at, received_at)
        if moment and start < moment < until:
            energy = (register_wh or Decimal(0)) - (session.meter_start_wh or Decimal(0))
            points.append(_Point(moment, min(total, max(points[-1].energy_wh, energy))))
    points.append(_Point(until, total))
    return points


def _state_changes(
    session: ChargingSession, *, start: dt.datetime, until: dt.datetime
) -> list[tuple[dt.datetime, State]]:
    """When the connector went from charging to parking and back, in our clock.

    An offline station tells of it later, so what counts is when it says that it was.
    """
    changes: list[tuple[dt.datetime, State]] = []
    for at, status in sorted(_statuses(session), key=operator.itemgetter(0)):
        state: State = "parking" if status in PARKED else "charging"
        if start <= at <= until and state != (changes[-1][1] if changes else "charging"):
            changes.append((at, state))
    return changes


def _statuses(session: ChargingSession) -> Iterator[tuple[dt.datetime, str]]:
    """What the connector was since the session began, each at our time of it."""
    rows = ConnectorStatus.objects.filter(
        station=session.station,
        connector_id=session.connector_id or 0,
        received_at__gte=session.started_at,
    ).order_by("received_at", "id")
    for at, received_at, status in rows.values_list("at", "received_at", "status"):
        is_ours = at == received_at  # the station gave no time, and ours was stored
        moment = at if is_ours else session_time(session, at, received_at)
        if moment is not None:
            yield moment, status


def _state(changes: list[tuple[dt.datetime, State]], at: dt.datetime) -> State:
    return next((state for moment, state in reversed(changes) if moment <= at), "charging")


def _energy_at(points: list[_Point], at: dt.datetime) -> Decimal:
    for before, after in itertools.pairwise(points):
        if before.at <= at < after.at:
            share = Decimal((at - before.at) // _TICK) / ((after.at - before.at) // _TICK)
            return before.energy_wh + (after.energy_wh - before.energy_wh) * share
    return points[-1].energy_wh


def _period_to_json(period: Period) -> dict[str, Any]:
    return {
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "energy_wh": period.energy_wh,
        "power_w": period.power_w,
        "state": period.state,
    }


def _period_from_json(row: dict[str, Any]) -> Period:
    return Period(
        start=dt.datetime.fromisoformat(row["start"]),
        end=dt.datetime.fromisoformat(row["end"]),
        energy_wh=Wh(row["energy_wh"]),
        power_w=row["power_w"],
        state=row["state"],
    )
