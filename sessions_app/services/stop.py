"""End a session: asked for by a driver, by staff or by the limit, or done at the station."""

import uuid

from billing.models import User
from stations.models import Station

from ..facts import Stopped
from ..models import ChargingSession
from .authorize import TagVerdict


def request_stop(*, session_id: uuid.UUID, actor: User, reason: str = "") -> ChargingSession:
    """Ask the station to stop; a session that has not begun is cancelled.

    Repeating it is harmless. Raises SessionNotFound (also for another driver's), SessionEnded.
    """
    raise NotImplementedError


def end(*, station: Station, fact: Stopped) -> TagVerdict | None:
    """Record that a transaction ended, and settle it (OCPP 1.6 §4.10 StopTransaction).

    Never refused: what belongs to no session becomes an orphan (P8). The same stop again has no
    effect (P3). Returns what to think of the tag that stopped it, None when there was none.
    """
    raise NotImplementedError


def force_end(
    *, session_id: uuid.UUID, meter_stop_wh: int, actor: User, reason: str
) -> ChargingSession:
    """Let staff end a session on a meter value that they state; a later stop corrects it.

    Raises SessionNotFound, SessionEnded, Invalid when the meter is below the session's start.
    """
    raise NotImplementedError
