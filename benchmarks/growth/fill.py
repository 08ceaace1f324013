"""Fill a PostgreSQL database with stations and a year of history, within minutes.

One row of each kind is made by the real path; its copies are made inside the database.
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from billing.models import Payment, Tariff, Transfer, User
from billing.payments import topups
from config import partitions
from sessions_app.facts import Started, Stopped
from sessions_app.models import ChargingSession, SessionEvent
from sessions_app.services import begin, calls, end, start
from sessions_app.services.holds import Limit
from stations.models import (
    Command,
    Connector,
    ConnectorStatus,
    GatewayProcess,
    Station,
    TariffAssignment,
)

YEAR = dt.timedelta(days=365)
FRAME_DAYS = 30
TEXT_CHARS = 568
"""A MeterValues of four samples."""


@dataclass(frozen=True, slots=True)
class Size:
    stations: int
    sessions: int
    readings: int
    frames: int


def fill(size: Size) -> None:
    """Fill a migrated, empty database. The user must be a superuser of the server."""
    template = _first_charge()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger a row
    _add_stations(template, size.stations)
    if size.sessions:
        _add_history(template, size)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")


def _first_charge() -> ChargingSession:
    """One driver with money, one station that is online, and one charge that is paid."""
    driver = User.objects.create_user("driver", password="x", name="Driver")  # noqa: S106
    User.objects.create_superuser("staff", password="x")  # noqa: S106
    payment = Payment.objects.create(
        user=driver, provider="manual", amount_minor=10**12, currency="KGS"
    )
    topups.confirm(payment.pk)
    tariff = Tariff.objects.create(currency="KGS", price_per_kwh=Decimal("12.50"))
    TariffAssignment.objects.create(
        scope="default", tariff=tariff, valid_from=timezone.now() - 2 * YEAR
    )
    process = GatewayProcess.objects.create(
        channel="growth", host="growth", lease_at=timezone.now() + 10 * YEAR
    )
    station = Station.objects.create(
        station_id="G-0", identity="g-0", security_profile=0, owner=process, fence=1
    )
    for status in Connector.Status.AVAILABLE, Connector.Status.CHARGING:
        now = timezone.now()
        facts = {"station": station, "connector_id": 1, "status": status}
        ConnectorStatus.objects.create(**facts, at=now, received_at=now)
    Connector.objects.create(station=station, connector_id=1, status=Connector.Status.AVAILABLE)
    session = ask(driver, station)
    number = begun(station, session)
    stopped = Stopped(number, Decimal(3000), timezone.now(), timezone.now(), reason="Remote")
    end.end(station=station, fact=stopped)
    session.refresh_from_db()
    return session


def ask(driver: User, station: Station) -> ChargingSession:
    """What POST /ocpp/start_charge does."""
    limit = Limit(ChargingSession.LimitType.AMOUNT, Decimal(500), None)
    return start.request_start(
        driver=driver, station_id=station.station_id, connector_id=1, limit=limit, actor=driver
    )


def begun(station: Station, session: ChargingSession) -> int:
    """What the station's answer and its StartTransaction do; return the transaction id."""
    command = calls.claim(station_pk=station.pk, fence=station.fence)
    assert command is not None
    calls.record_answer(command.pk, {"status": "Accepted"})
    now = timezone.now()
    begin.begin(station=station, fact=Started(1, session.id_tag, Decimal(1000), now, now))
    session.refresh_from_db()
    assert session.transaction_id is not None
    return session.transaction_id


def _add_stations(template: ChargingSession, count: int) -> None:
    station = template.station_id
    named = {"station_id": "'G-' || i", "identity": "'g-' || i"}
    _copy("stations_station", station, count - 1, {"id": f"{station} + i", **named})
    connector = Connector.objects.get(station=station).pk
    ids = {"id": f"{connector} + i", "station_id": f"{station} + i"}
    _copy("stations_connector", connector, count - 1, ids)


def _add_history(template: ChargingSession, size: Size) -> None:
    """Sessions with all that one leaves behind, evenly over a year and all stations."""
    at = f"now() - interval '1 year' * (1 - i::float / {size.sessions}) - interval '1 day'"
    station = f"{template.station_id} + i % {size.stations}"
    reference = "'session:' || md5('s' || i)::uuid"
    begun_at = {"requested_at": at, "started_at": at, "meter_start_at": at}
    ended_at = dict.fromkeys(("stopped_at", "ended_at"), f"{at} + interval '1 hour'")
    own = {"id": "md5('s' || i)::uuid", "transaction_id": "1000000 + i", "station_id": station}
    number = size.sessions
    _copy(
        "sessions_app_chargingsession",
        template.pk,
        number,
        {**own, **begun_at, **ended_at, "id_tag": "'T' || i", "due_at": "NULL::timestamptz"},
    )
    for event in SessionEvent.objects.filter(session=template):
        ids = {"id": f"{event.pk} * 10000000 + i", "session_id": "md5('s' || i)::uuid"}
        _copy("sessions_app_sessionevent", event.pk, number, {**ids, "at": at})
    for transfer in Transfer.objects.filter(reference=template.reference):
        ids = {"id": f"md5('{transfer.pk}' || i)::uuid", "key": f"'{transfer.pk}' || i"}
        if transfer.resolves_id:
            ids["resolves_id"] = f"md5('{transfer.resolves_id}' || i)::uuid"
        more = {"reference": reference, "created_at": at}
        _copy("billing_transfer", transfer.pk, number, ids | more)
    for command in Command.objects.all():
        ids = {"id": f"md5('{command.pk}' || i)::uuid", "station_id": station}
        times = {"created_at": at, "resolved_at": at}
        more = {"reference": reference, "status": "'answered'"}
        _copy("stations_command", command.pk, number, ids | times | more)
    for status in ConnectorStatus.objects.all():
        ids = {"id": f"{status.pk} * 10000000 + i", "station_id": station}
        _copy("stations_connectorstatus", status.pk, number, {**ids, "at": at, "received_at": at})
    _add_readings(size, at=at, station=station)
    _add_frames(template, size)


def _add_readings(size: Size, *, at: str, station: str) -> None:
    now = timezone.now()
    for days in range(0, 400, 28):
        partitions.make_ahead(partitions.READINGS, now - dt.timedelta(days=days))
    moment = f"{at} + j * interval '10 seconds'"
    _run(
        "INSERT INTO sessions_app_reading (session_id, station_id, connector_id, at, received_at, "
        f"register_wh, power_w, context, flags) SELECT md5('s' || i)::uuid, {station}, 1, "
        f"{moment}, {moment}, 1000 + j * 20, 7200, 'Sample.Periodic', '[]' "
        f"FROM generate_series(1, {size.sessions}) i, "
        f"generate_series(1, {size.readings // size.sessions}) j"
    )


def _add_frames(template: ChargingSession, size: Size) -> None:
    now = timezone.now()
    for day in range(FRAME_DAYS + 1):
        partitions.make_ahead(partitions.FRAMES, now - dt.timedelta(days=day))
    part = f"(1 - i::float / {size.frames})"
    _run(
        "INSERT INTO stations_frame (id, station_id, direction, action, message_id, text, at) "
        f"SELECT md5('f' || i)::uuid, {template.station_id} + i % {size.stations}, "
        f"'in', 'MeterValues', i::text, repeat('x', {TEXT_CHARS}), "
        f"now() - interval '{FRAME_DAYS} days' * {part} FROM generate_series(1, {size.frames}) i"
    )


def _copy(table: str, pk: int | uuid.UUID, count: int, changes: Mapping[str, str]) -> None:
    """Copy one row `count` times; `changes` are SQL by column, over the number `i`."""
    changed = ", ".join(f"'{column}', {sql}" for column, sql in changes.items())
    _run(
        f"INSERT INTO {table} SELECT new.* FROM {table} old, generate_series(1, {count}) i, "
        f"LATERAL jsonb_populate_record(old, jsonb_build_object({changed})) new "
        f"WHERE old.id = '{pk}'"
    )


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
