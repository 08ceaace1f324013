"""Use cases on stations and sites: register, change, remove, and ask one for something.

Each opens its own transaction and records who did it. Who may call them is judged at the edges.
"""

import functools
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q
from django.utils import timezone

from billing.errors import Invalid
from billing.models import User

from . import audit, commands, doorbell, key_table, keys, storage
from .errors import SiteInUse, SiteNotFound, StationInUse, StationNotFound, StationOffline
from .models import Command, Connector, PendingKey, ReceivedFile, Site, Station
from .models.station import StationQuerySet
from .uptime import history

ASKED_EXPIRES_S = 60
"""How long a staff command may wait for its turn; its socket seldom lets it wait for seconds."""
MAX_IDENTITY = 96
"""The column of the identity without case, which may be longer than what was written."""


class StationFacts(TypedDict, total=False):
    """What staff say of a station; a fact that is absent is not touched.

    `connectors` is a count. A `key` of None asks for a new one.
    """

    station_id: str
    name: str
    site: Site | None
    address: str
    latitude: Decimal | None
    longitude: Decimal | None
    time_zone: str
    enabled: bool
    max_power_kw: Decimal | None
    security_profile: int
    is_lenient: bool
    is_provisioned: bool
    registration: str
    key: str | None
    connectors: int


class SiteFacts(TypedDict, total=False):
    name: str
    address: str
    latitude: Decimal | None
    longitude: Decimal | None


@dataclass(frozen=True, slots=True)
class Keyed:
    """A station, and the key that may be told this once: one that was just made, or None."""

    station: Station
    key: str | None


def find(station_id: str, *, among: StationQuerySet | None = None) -> Station:
    """Return the station of this identity, in whatever case. Raises StationNotFound."""
    stations = Station.objects.all() if among is None else among
    # PostgreSQL refuses U+0000 in a query, and no identity holds such a character.
    station = stations.by_identity(station_id).first() if station_id.isprintable() else None
    if station is None:
        raise StationNotFound
    return station


@transaction.atomic
def register_station(*, facts: StationFacts, by: User, reason: str = "") -> Keyed:
    """Make a station and its connectors (1 when not stated).

    The key is made when its profile needs one and none is given. A station that waits for
    approval is taken as it is registered here. Raises Invalid, also for an identity that is
    taken in another case.
    """
    waiting = Station.objects.by_identity(facts["station_id"]).filter(
        registration=Station.Registration.PENDING
    )
    if waiting.exists():
        return _approve(facts, by=by, reason=reason)
    station = Station(identity=_identity(facts["station_id"]), **_columns(facts))
    made = _settle_key(station, facts)
    try:
        with transaction.atomic():
            station.save(force_insert=True)
    except IntegrityError:
        raise _refused("station_id", "There is a station with this identity.") from None
    _set_connectors(station, facts.get("connectors", 1))
    if not station.enabled:
        history.note_sale(station, at=timezone.now())
    audit.record(by, audit.ADDITION, station, reason=reason)
    return Keyed(station, made or facts.get("key"))


def _approve(facts: StationFacts, *, by: User, reason: str) -> Keyed:
    """Accept a station that introduced itself; its key is told, for it is new."""
    changes: StationFacts = {
        "security_profile": Station._meta.get_field("security_profile").default,
        **facts,
        "registration": Station.Registration.ACCEPTED.value,
    }
    reported = Connector.objects.filter(station__identity=_identity(facts["station_id"])).count()
    if changes.get("connectors", reported) < reported:
        del changes["connectors"]
    approved = update_station(station_id=facts["station_id"], changes=changes, by=by, reason=reason)
    return Keyed(approved.station, approved.key or facts.get("key"))


@transaction.atomic
def update_station(*, station_id: str, changes: StationFacts, by: User, reason: str = "") -> Keyed:
    """Change what `changes` names and nothing else: the gateway writes the same row.

    A new key counts from the next handshake. It is told only when it was made here: asked for by
    a key of None, or needed by a new profile. Raises StationNotFound, Invalid.
    """
    station = find(station_id, among=Station.objects.select_for_update(no_key=True))
    if _identity(changes.get("station_id", station.station_id)) != station.identity:
        raise _refused("station_id", "A station keeps its identity; register a new one.")
    columns = _columns(changes)
    for name, value in columns.items():
        setattr(station, name, value)
    made = None
    if changes.keys() & {"key", "security_profile"}:
        made = _settle_key(station, changes)
        columns |= {"key_digest": station.key_digest}
    station.save(update_fields=list(columns))
    if "enabled" in columns:
        history.note_sale(station, at=timezone.now())
    if "connectors" in changes:
        _set_connectors(station, changes["connectors"])
    if changes.keys() & {"site", "is_provisioned"}:
        key_table.refresh(station)
    audit.record(by, audit.CHANGE, station, ", ".join(sorted(changes)), reason=reason)
    return Keyed(station, made)


@transaction.atomic
def remove_station(*, station_id: str, by: User, reason: str = "") -> None:
    """Delete a station that never had a session, and close its socket.

    Raises StationNotFound, StationInUse.
    """
    station = find(station_id, among=Station.objects.select_for_update(no_key=True))
    audit.record(by, audit.DELETION, station, reason=reason)
    station_pk, fence = station.pk, station.fence
    channel = station.owner.channel if station.owner else ""
    files = ReceivedFile.objects.filter(request__station=station).values_list("path", flat=True)
    paths = list(files)
    try:
        station.delete()
    except ProtectedError:
        raise StationInUse from None
    for path in paths:
        transaction.on_commit(functools.partial(storage.remove, path))
    if channel:
        transaction.on_commit(lambda: doorbell.tell_moved(channel, {station_pk: fence + 1}))


def ask_station(
    *,
    station: Station,
    action: str,
    payload: dict[str, Any],
    by: User,
    reason: str = "",
    reference: str = "",
    lane: Command.Lane = Command.Lane.ASKED,
) -> Command:
    """Queue a call that staff want, bound to the present socket. Raises StationOffline.

    Of `station` only the key is used. The lock keeps a newer socket from taking over between the
    look and the row: that socket ends what the older one leaves behind, and must find it.
    """
    with transaction.atomic():
        now_known = (
            Station.objects.select_for_update(of=("self",), no_key=True)
            .select_related("owner")
            .only("station_id", "fence", "owner__lease_at", "owner__channel")
            .get(pk=station.pk)
        )
        if not now_known.is_online:
            raise StationOffline
        return commands.send(
            station=now_known,
            action=action,
            payload=payload,
            lane=lane,
            is_bound=True,
            expires_in_s=ASKED_EXPIRES_S,
            reference=reference,
            requested_by=by,
            reason=reason,
        )


def find_site(site_id: int) -> Site:
    """Return a site. Raises SiteNotFound."""
    site = Site.objects.filter(pk=site_id).first()
    if site is None:
        raise SiteNotFound
    return site


@transaction.atomic
def add_site(*, facts: SiteFacts, by: User, reason: str = "") -> Site:
    site = Site.objects.create(**facts)
    audit.record(by, audit.ADDITION, site, reason=reason)
    return site


@transaction.atomic
def update_site(*, site_id: int, changes: SiteFacts, by: User, reason: str = "") -> Site:
    """Change what `changes` names. Raises SiteNotFound."""
    site = find_site(site_id)
    for name, value in changes.items():
        setattr(site, name, value)
    site.save(update_fields=list(changes))
    audit.record(by, audit.CHANGE, site, ", ".join(sorted(changes)), reason=reason)
    return site


@transaction.atomic
def remove_site(*, site_id: int, by: User, reason: str = "") -> None:
    """Delete a site that no station is at. Raises SiteNotFound, SiteInUse."""
    site = find_site(site_id)
    audit.record(by, audit.DELETION, site, reason=reason)
    try:
        site.delete()
    except ProtectedError:
        raise SiteInUse from None


def _identity(station_id: str) -> str:
    identity = station_id.casefold()
    if len(identity) > MAX_IDENTITY:
        raise _refused("station_id", "This is too long without case.")
    return identity


def _columns(facts: StationFacts) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in {"key", "connectors"}}


def _settle_key(station: Station, facts: StationFacts) -> str | None:
    """Bring the stored digest in line with the profile; return the key if one was made."""
    given = facts.get("key")
    if station.security_profile not in keys.KEYED_PROFILES:
        if given:
            raise _refused("key", "A station of this security profile has no key.")
        station.key_digest = ""
        _forget_pending_keys(station)
        return None
    if not given and station.key_digest and "key" not in facts:
        return None
    made = None if given else keys.make()
    station.key_digest = keys.digest(given or made or "")
    _forget_pending_keys(station)
    return made


def _forget_pending_keys(station: Station) -> None:
    """Staff have said what the key is: what was on its way before is good no more."""
    if station.pk:
        PendingKey.objects.filter(station=station).delete()


def _set_connectors(station: Station, count: int) -> None:
    """Make connectors 1…count, and remove those above that nothing was ever sold at."""
    known: Collection[int] = set(station.connectors.values_list("connector_id", flat=True))
    Connector.objects.bulk_create(
        [
            Connector(station=station, connector_id=number)
            for number in range(1, count + 1)
            if number not in known
        ],
        ignore_conflicts=True,  # the station may report one at this moment
    )
    surplus = station.connectors.filter(connector_id__gt=count)
    used = surplus.filter(
        Q(tariffassignment__isnull=False)
        | Q(connector_id__in=station.sessions.values("connector_id"))
    ).first()
    if used is not None:
        raise _refused(
            "connectors", f"Connector {used.connector_id} has had a session or a tariff."
        )
    surplus.delete()


def _refused(field: str, why: str) -> Invalid:
    return Invalid(fields={field: [why]})
