"""Firmware and charges: a station with an open session is asked for an update after its end."""

import datetime as dt

from stations.firmware import rollout

from ..models import ChargingSession


def run_due(now: dt.datetime) -> int:
    """Advance the campaigns; called by the worker."""
    charging = ChargingSession.objects.open().values("station_id")
    return rollout.run_due(now, charging=charging)
