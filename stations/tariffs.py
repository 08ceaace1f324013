"""Which tariff applies where, and how a scope gets a new version.

Versions of one scope follow each other and never overlap. What is sold stays as it was written:
a change is a new Tariff row, and a running session keeps the row it started with (P9).
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, F, Min, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from billing.errors import Invalid
from billing.models import Tariff, User

from . import audit
from .errors import TariffNotFound
from .models import Connector, Site, Station, TariffAssignment
from .models.tariff import TariffAssignmentQuerySet

NO_TAX = Decimal(0)
SCOPES = uuid.UUID("6f1d7a52-3c0e-5b8a-9f0d-6b1f4f0c2a11")
"""The name space of scope ids."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a tariff is for: one connector, one station, one site, or by default everything."""

    connector: Connector | None = None
    station: Station | None = None
    site: Site | None = None

    @classmethod
    def of(cls, version: TariffAssignment) -> "Scope":
        return cls(version.connector, version.station, version.site)

    @property
    def at_station(self) -> Station | None:
        """The station that it is at or is."""
        return self.connector.station if self.connector else self.station

    @property
    def name(self) -> str:
        if self.connector:
            return f"connector:{self.connector.pk}"
        if self.station:
            return f"station:{self.station.pk}"
        return f"site:{self.site.pk}" if self.site else "default"


class Offer(TypedDict, total=False):
    """What staff say of a tariff: its price, and from when to when.

    `price_per_kwh` is gross; `elements` are OCPI's, net. Where both are stated, the price is
    that of energy to which no element applies. A `valid_from` that is absent, None or past means
    now.
    """

    name: str
    currency: str | None
    price_per_kwh: Decimal | None
    vat_percent: Decimal | None
    elements: list[dict[str, Any]] | None
    min_price: dict[str, str] | None
    max_price: dict[str, str] | None
    parking_grace_s: int | None
    valid_from: dt.datetime | None
    valid_until: dt.datetime | None


def tariff_for(station: Station, connector_id: int | None, at: dt.datetime) -> Tariff | None:
    """Return the most specific tariff in force: connector, station, site, default; or None."""
    scopes = [f"station:{station.pk}", f"site:{station.site_id}", "default"]
    if connector_id:
        connector = station.connectors.filter(connector_id=connector_id).first()
        if connector:
            scopes.insert(0, f"connector:{connector.pk}")
    found = {
        assignment.scope: assignment.tariff
        for assignment in TariffAssignment.objects.current(at)
        .filter(scope__in=scopes)
        .order_by("valid_from", "version")
        .select_related("tariff")
    }
    return next((found[scope] for scope in scopes if scope in found), None)


def find(scope_id: uuid.UUID) -> TariffAssignment:
    """Return the version that is in force, else the next one. Raises TariffNotFound."""
    version = TariffAssignment.objects.shown().with_places().filter(scope_id=scope_id).first()
    if version is None:
        raise TariffNotFound
    return version


def scope_at(
    *, station_id: str | None = None, connector_id: int | None = None, site_id: int | None = None
) -> Scope:
    """Return the scope that these name; no name is the default. Raises Invalid."""
    if site_id is not None and (station_id is not None or connector_id is not None):
        raise _refused("site_id", "A tariff is for a site or for a station, not for both.")
    if connector_id is not None and station_id is None:
        raise _refused("station_id", "Name the station of this connector.")
    if site_id is not None:
        return Scope(site=_site(site_id))
    if station_id is None:
        return Scope()
    station = _station(station_id)
    if connector_id is None:
        return Scope(station=station)
    connector = station.connectors.select_related("station").filter(connector_id=connector_id)
    if not connector:
        raise _refused("connector_id", "This station has no such connector.")
    return Scope(connector=connector[0])


def draft(offer: Offer) -> Tariff:
    """Return the unsaved tariff of an offer. Raises Invalid, also where pricing cannot read it."""
    price, elements = offer.get("price_per_kwh"), offer.get("elements") or []
    if price is None and not elements:
        raise _refused("price_per_kwh", "State price_per_kwh, or elements.")
    currency = offer.get("currency") or settings.CSMS_CURRENCY
    if currency != settings.CSMS_CURRENCY:
        raise _refused("currency", f"Everything is sold in {settings.CSMS_CURRENCY} here.")
    terms = {name: offer.get(name) for name in ("min_price", "max_price", "parking_grace_s")}
    tariff = Tariff(
        name=offer.get("name", ""),
        currency=currency,
        price_per_kwh=price,
        vat_percent=offer.get("vat_percent") or NO_TAX,
        elements=elements,
        terms={name: value for name, value in terms.items() if value is not None},
    )
    tariff.to_terms()
    return tariff


def assign(*, scope: Scope, offer: Offer, by: User, reason: str = "") -> TariffAssignment:
    """Sell at `offer` within `scope`, as its new version.

    It ends the version in force when it begins, and itself ends when one begins that was planned
    before. Raises Invalid.
    """
    return _add_version(scope, offer, by=by, act=audit.ADDITION, reason=reason)


@transaction.atomic
def revise(*, scope_id: uuid.UUID, changes: Offer, by: User, reason: str = "") -> TariffAssignment:
    """Add a version that differs from the one shown by `changes`. Raises TariffNotFound, Invalid.

    It keeps what it does not name, and the begin of a plan that it changes.
    """
    base = _locked(scope_id)
    offer = offer_of(base)
    if _is_cut_short(base):
        offer["valid_until"] = None  # nobody said that it ends
    return _add_version(
        Scope.of(base),
        offer | changes,
        by=by,
        act=audit.CHANGE,
        what=", ".join(sorted(changes)),
        reason=reason,
    )


@transaction.atomic
def retire(*, scope_id: uuid.UUID, by: User, reason: str = "") -> None:
    """End what is in force in a scope and give up what is planned. Raises TariffNotFound."""
    version, now = _locked(scope_id), timezone.now()
    TariffAssignment.objects.standing(now).filter(scope=version.scope).update(
        valid_until=Greatest(F("valid_from"), Value(now, DateTimeField()))
    )
    audit.record(by, audit.DELETION, version, reason=reason)


def offer_of(version: TariffAssignment) -> Offer:
    """Return what staff said to get this version."""
    tariff = version.tariff
    return Offer(
        name=tariff.name,
        currency=tariff.currency,
        price_per_kwh=tariff.price_per_kwh,
        vat_percent=tariff.vat_percent,
        elements=tariff.elements,
        min_price=tariff.terms.get("min_price"),
        max_price=tariff.terms.get("max_price"),
        parking_grace_s=tariff.terms.get("parking_grace_s", 0),
        valid_from=version.valid_from,
        valid_until=version.valid_until,
    )


@transaction.atomic
def _add_version(
    scope: Scope, offer: Offer, *, by: User, act: int, what: str = "", reason: str = ""
) -> TariffAssignment:
    """Fit one more version between those of the scope, under its lock."""
    tariff = draft(offer)
    _lock(scope.name)
    versions = TariffAssignment.objects.filter(scope=scope.name)
    now = timezone.now()
    start = max(now, offer.get("valid_from") or now)
    end = _end(versions, start, offer.get("valid_until"))
    versions.current(start).update(valid_until=start)
    tariff.created_by = by
    tariff.save(force_insert=True)
    last = versions.order_by("version").last()
    version = TariffAssignment.objects.create(
        scope=scope.name,
        # Made from the name: what is sold again after it was retired keeps its id.
        scope_id=last.scope_id if last else uuid.uuid5(SCOPES, scope.name),
        version=last.version + 1 if last else 1,
        tariff=tariff,
        connector=scope.connector,
        station=scope.station,
        site=scope.site,
        valid_from=start,
        valid_until=end,
    )
    audit.record(by, act, version, what, reason=reason)
    return version


def _site(site_id: int) -> Site:
    site = Site.objects.filter(pk=site_id).first()
    if site is None:
        raise _refused("site_id", "There is no such site.")
    return site


def _station(station_id: str) -> Station:
    station = Station.objects.by_identity(station_id).first()
    if station is None:
        raise _refused("station_id", "There is no such station.")
    return station


def _lock(scope: str) -> None:
    """Wait for everyone else who changes this scope; one without a version has no row to lock.

    SQLite has one writer anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"tariffs of {scope}"])


def _locked(scope_id: uuid.UUID) -> TariffAssignment:
    """Lock the scope, and only then read what speaks for it."""
    _lock(find(scope_id).scope)
    return find(scope_id)


def _is_cut_short(version: TariffAssignment) -> bool:
    """Whether it ends because the next version begins."""
    return (
        version.valid_until is not None
        and TariffAssignment.objects.standing()
        .filter(scope=version.scope, valid_from=version.valid_until)
        .exists()
    )


def _end(
    versions: TariffAssignmentQuerySet, start: dt.datetime, stated: dt.datetime | None
) -> dt.datetime | None:
    """When a version that begins at `start` ends: as stated, but not after the next begins."""
    if stated is not None and stated <= start:
        raise _refused("valid_until", "A tariff cannot end before it begins.")
    planned = versions.standing(start).filter(valid_from__gt=start).aggregate(at=Min("valid_from"))
    return min((at for at in (stated, planned["at"]) if at), default=None)


def _refused(field: str, why: str) -> Invalid:
    return Invalid(fields={field: [why]})
