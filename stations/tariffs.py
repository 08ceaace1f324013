"""Which tariff applies where, and how a scope gets a new version."""

import datetime as dt

from billing.models import Tariff

from .models import Station, TariffAssignment


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
        .select_related("tariff")
    }
    return next((found[scope] for scope in scopes if scope in found), None)
