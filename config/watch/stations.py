"""Rules about stations: away, alone or with their whole site; contested; faulted; babbling."""

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db.models import (
    Count,
    DateTimeField,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
)
from django.db.models.functions import Coalesce

from stations.models import (
    Connector,
    ConnectorStatus,
    GatewayProcess,
    IgnoredFrames,
    Site,
    Station,
    Takeovers,
)
from stations.models.station import LEASE, StationQuerySet
from stations.takeovers import Contest, contest_of

from ..models import WorkerProcess
from .rule import Found, Look, told_of

AT_ONCE = 500
"""So many alerts a look: the rest of a great many comes with the next ones."""
SITE, STATION = "site_offline", "station_offline"
IS_EXPECTED = Q(
    enabled=True,
    registration=Station.Registration.ACCEPTED,
    connected_at__isnull=False,
)
"""Stations that should be there: on sale, accepted, and seen before."""


# --- Away -----------------------------------------------------------------------------------


def stations_away(look: Look) -> Iterator[Found]:
    """Each station that has been away too long, but for those whose whole site is."""
    if not _is_judged(look):
        return
    rows = _away(look).exclude(pk__in=look.told()).exclude(site__in=told_of(SITE, "site"))
    stations = list(rows.select_related("site").order_by("pk")[:AT_ONCE])
    dark = _dark_sites(look, {row.site_id for row in stations if row.site_id})
    for station in stations:
        if station.site_id not in dark:
            gone_at: dt.datetime = station.gone_at  # type: ignore[attr-defined]  # annotated
            since = f"{gone_at:%Y-%m-%d %H:%M} UTC"
            yield Found(str(station.pk), f"{station} is not connected since {since}.", station)


def stations_back(look: Look) -> Iterable[str]:
    """Those that are connected, or that nobody expects any more."""
    is_here = Q(station__owner__lease_at__gt=look.now - LEASE)
    is_wanted = Q(station__enabled=True, station__registration=Station.Registration.ACCEPTED)
    return look.causes(look.open.filter(is_here | ~is_wanted))


def sites_away(look: Look) -> Iterator[Found]:
    """Each site with all of its stations away, one of them for too long."""
    if not _is_judged(look):
        return
    away = _away(look).filter(site__isnull=False).exclude(pk__in=told_of(STATION, "station"))
    rows = away.exclude(site__in=told_of(SITE, "site"))
    dark = _dark_sites(look, rows.order_by().values("site"))
    for site in Site.objects.filter(pk__in=dark).order_by("pk"):
        text = f"None of the {dark[site.pk]} stations at {site} is connected."
        yield Found(str(site.pk), text, site=site, detail={"stations": dark[site.pk]})


def sites_back(look: Look) -> Iterator[str]:
    """Sites with all stations back, or with one that has been back for as long as others get to
    come; then those that have not are alerts of their own."""
    alerts = list(look.open.values_list("cause", "site"))
    settled = look.ago(settings.CSMS_OFFLINE_ALERT_S)
    rows = (
        _expected()
        .filter(site__in=[site for _, site in alerts if site])
        .order_by()
        .values_list("site")
        .annotate(
            away=Count("pk", filter=~_is_online(look)),
            settled=Count("pk", filter=_is_online(look) & Q(connected_at__lte=settled)),
        )
    )
    still = {site for site, away, settled in rows if away and not settled}
    for cause, site in alerts:
        if site not in still:
            yield look.bare(cause)


def gateways_gone(look: Look) -> Iterator[Found]:
    """No process holds sockets, though stations are expected and workers have run for a while."""
    if _living(look).exists():
        return
    patient = look.ago(settings.CSMS_OFFLINE_ALERT_S)
    workers = WorkerProcess.objects.alive().aggregate(first=Min("started_at"))
    heard = _expected().aggregate(last=Max("last_seen_at"), number=Count("pk"))
    leased = GatewayProcess.objects.aggregate(last=Max("lease_at"))
    moments = (workers["first"], heard["last"], leased["last"])
    if heard["number"] and all(at is None or at < patient for at in moments):
        text = f"No process holds sockets: none of {heard['number']} stations is connected."
        yield Found("all", text)


def gateways_back(look: Look) -> Iterable[str]:
    is_over = _living(look).exists() or not _expected().exists()
    return look.causes(look.open) if is_over else ()


def _expected() -> StationQuerySet:
    return Station.objects.filter(IS_EXPECTED)


def _is_online(look: Look) -> Q:
    return Q(owner__lease_at__gt=look.now - LEASE)


def _away(look: Look) -> StationQuerySet:
    """Expected stations that are away for too long, with `gone_at`.

    Who closed its socket was last seen then; who lost its process, when that last renewed.
    """
    patient = look.ago(settings.CSMS_OFFLINE_ALERT_S)
    gone_at = Coalesce(F("owner__lease_at"), F("last_seen_at"), output_field=DateTimeField())
    is_away = Q(owner=None, last_seen_at__lte=patient) | Q(owner__lease_at__lte=patient)
    return _expected().filter(is_away).annotate(gone_at=gone_at)


def _dark_sites(look: Look, among: Any) -> dict[int, int]:
    """Which of these sites have no station online, and how many stations each."""
    if isinstance(among, set) and not among:
        return {}
    stations = _expected().filter(site__in=among).order_by()
    counted = stations.values_list("site").annotate(
        number=Count("pk"), here=Count("pk", filter=_is_online(look))
    )
    dark = counted.filter(here=0, number__gte=settings.CSMS_SITE_OFFLINE_STATIONS)
    return {site: number for site, number, _ in dark if site is not None}


def _living(look: Look) -> QuerySet[GatewayProcess]:
    return GatewayProcess.objects.filter(lease_at__gt=look.now - LEASE)


def _is_judged(look: Look) -> bool:
    """Whether our own sockets have been open for as long as a station may be away.

    After we were down ourselves every station looks away; then it has that time to come back.
    """
    first = _living(look).aggregate(first=Min("started_at"))["first"]
    return first is not None and first <= look.ago(settings.CSMS_OFFLINE_ALERT_S)


# --- Contested ------------------------------------------------------------------------------


def contests_begun(look: Look) -> Iterator[Found]:
    """Identities whose young sockets are replaced again and again."""
    rows = Takeovers.objects.filter(last_at__gte=look.ago(settings.CSMS_FLAPPING_WINDOW_S))
    for row in rows.select_related("station").exclude(station__in=look.told()):
        contest = contest_of(row, look.now)
        if contest.count >= settings.CSMS_FLAPPING_TAKEOVERS:
            detail = {"peers": contest.peers, "serial_numbers": contest.serials}
            text = _contest(row.station, contest)
            yield Found(str(row.station_id), text, row.station, detail=detail)


def contests_over(look: Look) -> Iterable[str]:
    quiet = look.ago(settings.CSMS_FLAPPING_WINDOW_S)
    fought = Takeovers.objects.filter(station=OuterRef("station"), last_at__gte=quiet)
    return look.causes(look.open.exclude(Exists(fought)))


def _contest(station: Station, contest: Contest) -> str:
    minutes = settings.CSMS_FLAPPING_WINDOW_S // 60
    text = f"Sockets of {station} replaced each other {contest.count} times in {minutes} min"
    if contest.peers:
        text += f", from {' and '.join(contest.peers[:3])}"
    if len(contest.serials) > 1:
        text += f", serial numbers {' and '.join(contest.serials[:3])}"
    return f"{text}."


# --- Faulted --------------------------------------------------------------------------------


def faults_begun(look: Look) -> Iterator[Found]:
    """Connectors that have said nothing but Faulted for long enough, by our clock."""
    patient = look.ago(settings.CSMS_FAULT_ALERT_S)
    said = ConnectorStatus.objects.filter(
        station=OuterRef("station"), connector_id=OuterRef("connector_id")
    )
    rows = (
        _faulted()
        .filter(Exists(said.filter(status=Connector.Status.FAULTED, received_at__lte=patient)))
        .exclude(Exists(said.filter(received_at__gt=patient).exclude(status="Faulted")))
        .select_related("station")
        .order_by("pk")
    )
    for row in rows:
        code = f": {row.error_code}" if row.error_code not in ("", "NoError") else ""
        yield Found(
            f"{row.station_id}:{row.connector_id}",
            f"Connector {row.connector_id} of {row.station} is faulted{code}.",
            row.station,
            detail={"connector": row.connector_id},
        )


def faults_over(look: Look) -> Iterator[str]:
    """Connectors that are faulted no more, or out of sale."""
    causes = {look.bare(cause) for cause in look.open.values_list("cause", flat=True)}
    if causes:
        faulted = _faulted().values_list("station", "connector_id")
        still = {f"{station}:{connector}" for station, connector in faulted}
        yield from sorted(causes - still)


def _faulted() -> QuerySet[Connector]:
    return Connector.objects.filter(status=Connector.Status.FAULTED, station__enabled=True)


# --- Babbling -------------------------------------------------------------------------------


def breaches_begun(look: Look) -> Iterator[Found]:
    """Stations many of whose calls break their schema."""
    rows = IgnoredFrames.objects.filter(
        kind=IgnoredFrames.Kind.BREACH,
        last_at__gte=look.ago(settings.CSMS_SCHEMA_WINDOW_S),
        window_count__gte=settings.CSMS_SCHEMA_ERRORS,
    )
    for row in rows.select_related("station").exclude(station__in=look.told()):
        text = f"{row.window_count} calls of {row.station} broke their schema within minutes."
        yield Found(str(row.station_id), text, row.station)


def breaches_over(look: Look) -> Iterable[str]:
    lately = IgnoredFrames.objects.filter(
        station=OuterRef("station"),
        kind=IgnoredFrames.Kind.BREACH,
        last_at__gte=look.ago(settings.CSMS_SCHEMA_WINDOW_S),
    )
    return look.causes(look.open.exclude(Exists(lately)))
