"""The steps of a session in its trace, which begins with its request, or with its card.

Readings are nearly all the traffic, so none is a step of its own: when a session is settled, the
step of its charge shows the curve of its meter as a few events.
"""

import datetime as dt
from contextlib import AbstractContextManager
from decimal import Decimal

from django.db import transaction

from billing import tracing
from billing.tracing import Span, Value
from stations.models import Station

from ..models import ChargingSession

SHOWN = 20
"""How many readings stand for all of them in the step of a charge."""
MOST_READ = 20_000

Row = tuple[dt.datetime, Decimal | None, Decimal | None, Decimal | None]


def step(
    session: ChargingSession,
    name: str,
    *,
    start: dt.datetime | None = None,
    kind: str = "internal",
    **attributes: Value | None,
) -> AbstractContextManager[Span]:
    """Measure the block as a step of this session. Nothing is asked where nothing is traced."""
    if not tracing.is_on():
        return tracing.span(name)
    return tracing.span(
        name,
        within=session.trace_parent,
        start=start,
        kind=kind,
        attributes={**_names_of(session), **attributes},
    )


def from_station(
    session: ChargingSession | None, station: Station, name: str, received_at: dt.datetime
) -> AbstractContextManager[Span]:
    """The step of a message from a station, from when it came; it may begin a trace."""
    if session is None:
        told = {"station_id": station.station_id}
        return tracing.span(name, start=received_at, kind="server", attributes=told)
    return step(session, name, start=received_at, kind="server")


def tell_charge(session: ChargingSession) -> None:
    """Put the charge itself into the trace once its end is stored: from its start to its stop."""
    if tracing.is_on() and session.started_at is not None:
        transaction.on_commit(lambda: _tell_charge(session), robust=True)


def _tell_charge(session: ChargingSession) -> None:
    start = session.started_at
    end = session.stopped_at
    assert start is not None
    with tracing.span(
        "charge",
        parent=session.trace_parent,
        start=start,
        end=None if end is None else max(start, end),
        attributes=_names_of(session),
    ) as span:
        span.set(
            energy_wh=session.energy_wh,
            cost_minor=session.cost_minor,
            hold_minor=session.hold_minor,
            currency=session.currency,
            stop_reason=session.stop_reason,
        )
        if span.is_kept:
            _tell_readings(session, span)


def _names_of(session: ChargingSession) -> dict[str, Value | None]:
    """What an operator looks a session up by."""
    return {
        "session_id": str(session.pk),
        "station_id": session.station.station_id,
        "transaction_id": session.transaction_id,
    }


def _tell_readings(session: ChargingSession, span: Span) -> None:
    rows = list(
        session.readings_since_start()
        .order_by("at")
        .values_list("at", "register_wh", "power_w", "soc")[:MOST_READ]
    )
    span.set(readings=len(rows))
    for at, register_wh, power_w, soc in _spread(rows):
        span.event(
            "reading",
            at,
            register_wh=_number(register_wh),
            power_w=_number(power_w),
            soc=_number(soc),
        )


def _spread(rows: list[Row]) -> list[Row]:
    """The first, the last, and as many between them as are shown."""
    if len(rows) <= SHOWN:
        return rows
    last = len(rows) - 1
    return [rows[round(number * last / (SHOWN - 1))] for number in range(SHOWN)]


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
