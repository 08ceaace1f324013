"""Read a run's database into plain values, over a connection of its own."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import environ
from django.db import connections

from billing.models import Account, Transfer
from sessions_app.models import ChargingSession, Orphan, Reading, SessionEvent
from sessions_app.models.session import OPEN
from sessions_app.services.bill import terms_of
from stations.models import Command, Station

from .evidence import (
    AccountRow,
    CommandRow,
    EventRow,
    OrphanRow,
    ReadingRow,
    Rows,
    SessionRow,
    StationRow,
    TransferRow,
)

ALIAS = "chaos"


@contextmanager
def connected(url: str) -> Iterator[str]:
    """Make a database reachable under an alias, for this thread, as long as the block lasts."""
    settings: dict[str, Any] = environ.Env.db_url_config(url)
    connections.databases[ALIAS] = connections.configure_settings(
        {"default": connections.databases["default"], ALIAS: settings}
    )[ALIAS]
    try:
        yield ALIAS
    finally:
        connections[ALIAS].close()
        del connections[ALIAS]


def unfinished(alias: str) -> list[str]:
    """What is still on its way: open sessions and open commands, in words."""
    sessions = ChargingSession.objects.using(alias).filter(status__in=OPEN)
    commands = Command.objects.using(alias).filter(status__in=Command.OPEN)
    return [
        *(f"session {pk} is {status}" for pk, status in sessions.values_list("pk", "status")),
        *(f"command {pk} ({action})" for pk, action in commands.values_list("pk", "action")),
    ]


def load(alias: str) -> Rows:
    """Read everything that the checks look at."""
    return Rows(
        sessions=tuple(_sessions(alias)),
        transfers=tuple(_transfers(alias)),
        accounts=tuple(_accounts(alias)),
        stations=tuple(_stations(alias)),
        readings=tuple(_readings(alias)),
        orphans=tuple(_orphans(alias)),
        commands=tuple(_commands(alias)),
        events=tuple(_events(alias)),
    )


def _sessions(alias: str) -> Iterator[SessionRow]:
    rows = ChargingSession.objects.using(alias).select_related("station", "tariff")
    for row in rows.order_by("requested_at", "pk"):
        start_wh = row.meter_start_wh
        yield SessionRow(
            id=str(row.pk),
            user_id=_text(row.user_id),
            station_id=row.station.station_id,
            connector_id=row.connector_id,
            origin=row.origin,
            status=row.status,
            error_code=row.error_code,
            id_tag=row.id_tag,
            transaction_id=row.transaction_id,
            meter_start_wh=None if start_wh is None else int(start_wh),
            energy_wh=row.energy_wh,
            cost_minor=row.cost_minor,
            hold_minor=row.hold_minor,
            bill=row.bill,
            terms=terms_of(row),
            zone=row.station.zone,
            flags=tuple(row.flags),
            has_stop=row.stop_received_at is not None,
            meter_start_at=row.meter_start_at,
            requested_at=row.requested_at,
            ended_at=row.ended_at,
        )


def _transfers(alias: str) -> Iterator[TransferRow]:
    rows = Transfer.objects.using(alias).select_related("debit", "credit")
    for row in rows.order_by("created_at", "pk"):
        yield TransferRow(
            id=str(row.pk),
            key=row.key,
            kind=row.kind,
            code=row.code,
            debit=row.debit_id,
            credit=row.credit_id,
            payer=_text(row.debit.owner_id),
            payee=_text(row.credit.owner_id),
            amount_minor=row.amount_minor,
            resolves=_text(row.resolves_id),
            reference=row.reference,
        )


def _accounts(alias: str) -> Iterator[AccountRow]:
    for row in Account.objects.using(alias).order_by("pk"):
        owner = _text(row.owner_id)
        yield AccountRow(row.pk, owner, row.kind, row.balance_minor, row.held_minor)


def _stations(alias: str) -> Iterator[StationRow]:
    rows = Station.objects.using(alias).select_related("owner").order_by("station_id")
    return (StationRow(row.station_id, row.is_online, row.fence) for row in rows)


def _readings(alias: str) -> Iterator[ReadingRow]:
    rows = Reading.objects.using(alias).order_by("at")
    columns = ("session_id", "station__station_id", "at")
    return (ReadingRow(_text(pk), name, at) for pk, name, at in rows.values_list(*columns))


def _orphans(alias: str) -> Iterator[OrphanRow]:
    rows = Orphan.objects.using(alias).select_related("station").order_by("received_at")
    return (
        OrphanRow(row.station.station_id, row.kind, row.cause, _text(row.session_id))
        for row in rows
    )


def _commands(alias: str) -> Iterator[CommandRow]:
    rows = Command.objects.using(alias).select_related("station").order_by("created_at")
    return (CommandRow(str(row.pk), row.station.station_id, row.action, row.status) for row in rows)


def _events(alias: str) -> Iterator[EventRow]:
    for row in SessionEvent.objects.using(alias).order_by("at", "pk"):
        text = f"{row.kind} {row.from_status} → {row.to_status} by {row.actor} {row.detail or ''}"
        yield EventRow(str(row.session_id), row.at, text.rstrip())


def _text(key: uuid.UUID | int | None) -> str:
    return "" if key is None else str(key)
