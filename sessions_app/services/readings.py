"""Keep meter readings: one row a moment of the station's clock (design section 6, A reading)."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterable
from decimal import Decimal

from stations.models import Station

from ..facts import Sample
from ..models import ChargingSession, Reading


def store(
    session: ChargingSession,
    samples: Iterable[Sample],
    *,
    received_at: dt.datetime,
    frame_id: uuid.UUID | None = None,
) -> None:
    """Store the samples of a session; a moment that is known keeps its row (P3).

    Stations whose clock ticks in seconds send several samples a tick: the row of a moment takes
    the highest register that was said of it. The caller holds the session's lock.
    """
    rows = {
        row.at: row
        for row in sorted(
            _rows(session.station, session.connector_id or 0, samples, received_at, frame_id),
            key=_register,
        )
    }
    known = {row.at: row for row in session.readings.filter(at__in=rows)}
    for row in rows.values():
        row.session = session
    Reading.objects.bulk_create([row for at, row in rows.items() if at not in known])
    risen = [
        row for at, row in rows.items() if at in known and _register(row) > _register(known[at])
    ]
    for row in risen:
        row.pk = known[row.at].pk
    Reading.objects.bulk_update(risen, ["register_wh", "flags", "frame_id"])


def store_without_session(
    station: Station,
    connector_id: int,
    samples: Iterable[Sample],
    *,
    received_at: dt.datetime,
    frame_id: uuid.UUID | None = None,
) -> None:
    """Store samples of no session; a moment of a connector that is known keeps its row."""
    rows = {row.at: row for row in _rows(station, connector_id, samples, received_at, frame_id)}
    known = Reading.objects.filter(
        session=None, station=station, connector_id=connector_id, at__in=rows
    )
    times = set(known.values_list("at", flat=True))
    Reading.objects.bulk_create([row for at, row in rows.items() if at not in times])


def claim_of(transaction_id: int | None) -> str:
    """The flag of a reading that named a transaction which is no session's."""
    return f"transaction:{transaction_id}"


def claimed(station: Station, transaction_id: int | None, *, since: dt.datetime) -> list[Reading]:
    """The stored readings of no session that named this transaction, by the station's clock."""
    strays = Reading.objects.filter(session=None, station=station, received_at__gte=since)
    claim = claim_of(transaction_id)
    return [row for row in strays.order_by("at").iterator() if claim in row.flags]


def flagged(sample: Sample, flag: str) -> Sample:
    return dataclasses.replace(sample, flags=(*sample.flags, flag))


def adopt(session: ChargingSession, *, transaction_id: int | None) -> list[Reading]:
    """Give a session the readings that named this unknown transaction; return them in order.

    What precedes its start, or is of another connector, stays where it is; so does a moment that
    the session knows already. The caller holds the session's lock.
    """
    strays = Reading.objects.filter(
        session=None,
        station=session.station,
        connector_id__in=(0, session.connector_id or 0),
        at__gte=session.meter_start_at,
    )
    known = set(session.readings.values_list("at", flat=True))
    claim = claim_of(transaction_id)
    claimed = (row for row in strays.order_by("at").iterator() if claim in row.flags)
    rows = {row.at: row for row in sorted(claimed, key=_register) if row.at not in known}
    Reading.objects.filter(pk__in=[row.pk for row in rows.values()]).update(session=session)
    return [rows[at] for at in sorted(rows)]


def store_stop(
    session: ChargingSession,
    *,
    register_wh: Decimal,
    at: dt.datetime,
    received_at: dt.datetime,
    flags: Iterable[str] = (),
) -> None:
    """Store meterStop as the reading of its moment: it rules over a sample of the same one."""
    Reading.objects.update_or_create(
        session=session,
        at=at,
        defaults={
            "station": session.station,
            "connector_id": session.connector_id or 0,
            "received_at": received_at,
            "register_wh": register_wh,
            "context": "Transaction.End",
            "flags": list(flags),
        },
    )


def _rows(
    station: Station,
    connector_id: int,
    samples: Iterable[Sample],
    received_at: dt.datetime,
    frame_id: uuid.UUID | None,
) -> list[Reading]:
    return [
        Reading(
            station=station,
            connector_id=connector_id,
            at=sample.at,
            received_at=received_at,
            register_wh=sample.register_wh,
            power_w=sample.power_w,
            soc=sample.soc,
            context=sample.context,
            flags=list(sample.flags),
            frame_id=frame_id,
        )
        for sample in samples
    ]


def _register(row: Reading) -> Decimal:
    return row.register_wh if row.register_wh is not None else Decimal(-1)


def sample_of(row: Reading) -> Sample:
    return Sample(row.at, row.register_wh, row.power_w, row.soc, row.context, tuple(row.flags))
