"""Follow running sessions without reading their rows, and store their steps together.

`follow` makes the state that a socket keeps (see `running`), `store` commits what many sockets
have to say in one transaction. A step whose session moved meanwhile is not stored: its message
then goes the whole way (services/meter).
"""

import json
import uuid
from collections.abc import Collection, Sequence
from decimal import Decimal

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from billing.pricing import total_by_energy
from stations import meters
from stations.metering import CORRECTIONS, Habits, Quirk, Register, SampleUnit, Source
from stations.models import Station

from ..models import ChargingSession, Reading, SessionStatus
from ..running import Running, StationFacts, Step
from .bill import terms_of
from .limits import bounds_of, silent_after, warning_of

UNUSUAL = CORRECTIONS | {Quirk.UNCLEAR}
"""Flags of a session whose samples are not taken as they are labelled."""


def follow(session: ChargingSession) -> Running | None:
    """What the next sample of a session is judged by; None where that takes the whole use case.

    The caller holds the session's lock, and its station was read with the meter's profile.
    """
    start_wh, last_wh = session.meter_start_wh, session.meter_last_wh
    if session.status != SessionStatus.CHARGING or None in (start_wh, last_wh):
        return None
    if session.started_at is None or session.meter_start_at is None or not session.transaction_id:
        return None
    assert start_wh is not None
    assert last_wh is not None
    if last_wh <= start_wh or UNUSUAL & set(session.flags) or not _is_plain(session.station):
        return None
    price = total_by_energy(terms_of(session))
    last_at = session.readings.aggregate(at=Max("at"))["at"]
    heard_at = session.last_reading_at
    if price is None or last_at is None or heard_at is None:
        return None
    return Running(
        session_id=session.pk,
        version=session.version,
        transaction_id=session.transaction_id,
        station_pk=session.station_id,
        connector_id=session.connector_id or 0,
        facts=_facts_of(session.station),
        started_at=session.started_at,
        meter_start_at=session.meter_start_at,
        start_wh=start_wh,
        last_wh=last_wh,
        last_at=last_at,
        heard_at=heard_at,
        due_at=session.due_at or heard_at,
        silent_after=silent_after(session),
        power_kw=session.station.max_power_kw or Decimal(settings.CSMS_ASSUMED_POWER_KW),
        bounds=bounds_of(session),
        price=price,
        warning=warning_of(session),
    )


def facts_now(station_pks: Collection[int]) -> dict[int, StationFacts]:
    """The present facts of these stations: who keeps others forgets what was derived from them."""
    rows = Station.objects.filter(pk__in=station_pks).values_list(
        "pk", "clock_offset_s", "max_power_kw", "meter_profile__changed_at"
    )
    return {pk: StationFacts(offset_s, power, said) for pk, offset_s, power, said in rows}


def store(steps: Sequence[Step]) -> list[bool]:
    """Commit steps together; return which of them were stored.

    One that was not found its session moved, locked by somebody else, or twice among the steps.
    """
    firsts = {step.session_id: step for step in reversed(steps)}
    stored = _STORES.get(connection.vendor, _store_by_rows)(list(firsts.values()))
    return [step.session_id in stored and firsts[step.session_id] is step for step in steps]


def _is_plain(station: Station) -> bool:
    """Whether nothing is known or stated of a meter by which it must be read otherwise."""
    profile = meters.profile_of(station)
    if profile is None:
        return True
    stated = profile.stated
    return (
        profile.likely == Habits()
        and stated.sample_unit in (SampleUnit.AUTO, SampleUnit.LABELLED)
        and stated.register in (Register.AUTO, Register.LIFETIME)
        and stated.source in (Source.AUTO, Source.IMPORT)
    )


def _facts_of(station: Station) -> StationFacts:
    profile = meters.profile_of(station)
    said_at = profile.changed_at if profile else None
    return StationFacts(station.clock_offset_s, station.max_power_kw, said_at)


def _store_by_rows(steps: Sequence[Step]) -> set[uuid.UUID]:
    """Store by one UPDATE a session and one INSERT for all readings."""
    with transaction.atomic():
        stored = [step for step in steps if _move(step)]
        rows = [_reading(step) for step in stored]
        Reading.objects.bulk_create(rows, ignore_conflicts=True)
    return {step.session_id for step in stored}


def _move(step: Step) -> int:
    rows = ChargingSession.objects.filter(
        pk=step.session_id, version=step.version, status=SessionStatus.CHARGING
    )
    return rows.update(
        meter_last_wh=step.register_wh,
        energy_wh=step.energy_wh,
        cost_minor=step.cost_minor,
        last_reading_at=step.heard_at,
        due_at=step.due_at,
        version=step.version + 1,
    )


def _reading(step: Step) -> Reading:
    return Reading(
        session_id=step.session_id,
        station_id=step.station_pk,
        connector_id=step.connector_id,
        at=step.at,
        received_at=step.received_at,
        register_wh=step.register_wh,
        power_w=step.power_w,
        soc=step.soc,
        context=step.context,
        flags=json.loads(step.flags),
        frame_id=step.frame_id,
    )


_COLUMNS = (
    ("session_id", "uuid"),
    ("version", "integer"),
    ("register_wh", "numeric"),
    ("energy_wh", "bigint"),
    ("cost_minor", "bigint"),
    ("heard_at", "timestamptz"),
    ("due_at", "timestamptz"),
    ("station_pk", "bigint"),
    ("connector_id", "integer"),
    ("at", "timestamptz"),
    ("received_at", "timestamptz"),
    ("power_w", "numeric"),
    ("soc", "numeric"),
    ("context", "text"),
    ("flags", "jsonb"),
    ("frame_id", "uuid"),
)
"""The fields of a step and their types, in its order."""

_IN_ONE_STATEMENT = f"""
WITH step AS (
    SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for _, kind in _COLUMNS)})
        AS step ({", ".join(name for name, _ in _COLUMNS)})
), unmoved AS (
    SELECT mine.id
    FROM step CROSS JOIN LATERAL (
        SELECT id FROM sessions_app_chargingsession
        WHERE id = step.session_id AND version = step.version AND status = 'charging'
        FOR NO KEY UPDATE SKIP LOCKED
    ) mine
), moved AS (
    UPDATE sessions_app_chargingsession session
    SET meter_last_wh = step.register_wh, energy_wh = step.energy_wh,
        cost_minor = step.cost_minor, last_reading_at = step.heard_at, due_at = step.due_at,
        version = step.version + 1
    FROM step JOIN unmoved ON unmoved.id = step.session_id
    WHERE session.id = step.session_id
    RETURNING session.id
), kept AS (
    INSERT INTO sessions_app_reading (session_id, station_id, connector_id, at, received_at,
        register_wh, power_w, soc, context, flags, frame_id)
    SELECT session_id, station_pk, connector_id, at, received_at,
        register_wh, power_w, soc, context, flags, frame_id
    FROM step JOIN moved ON moved.id = step.session_id
    ON CONFLICT (session_id, at) DO NOTHING
)
SELECT id FROM moved
"""


def _store_in_one_statement(steps: Sequence[Step]) -> set[uuid.UUID]:
    """Lock, move and keep in one statement; a row that somebody else holds is passed over.

    It is prepared once a connection: to read and plan it anew costs as much as ten sessions.
    """
    columns = [list(column) for column in zip(*steps, strict=True)]
    connection.ensure_connection()
    connection.connection.prepare_threshold = 0  # Django switches it off
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_IN_ONE_STATEMENT, columns, prepare=True)
        return {session_id for (session_id,) in cursor.fetchall()}


_STORES = {"postgresql": _store_in_one_statement}
