"""A station is back: its sessions are no longer lost, and unfinished stops are asked again."""

from django.db import transaction
from django.utils import timezone

from stations.models import Station

from ..models import ChargingSession, SessionStatus
from ..models.session import RUNNING
from .notices import tell_of_return
from .stopping import ask_station_to_stop


def resume(*, station: Station) -> None:
    """Take note of a new socket of this station. Called after each accepted handshake."""
    for session_id in station.sessions.running().values_list("pk", flat=True):
        with transaction.atomic():
            session = ChargingSession.objects.locked(session_id)
            if session.status in RUNNING and session.transaction_id:
                _resume_session(session)


def _resume_session(session: ChargingSession) -> None:
    if session.lost_at:
        tell_of_return(session)
        session.lost_at = None
        session.due_at = timezone.now()
        session.save(update_fields=["lost_at", "due_at"])
    if session.status == SessionStatus.STOPPING:
        ask_station_to_stop(session)
