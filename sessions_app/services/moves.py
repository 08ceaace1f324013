"""The one way by which use cases move a session: what moves is told to who wants to know."""

from typing import Any

from billing.hooks.events import EventType, emit

from ..models import ChargingSession, SessionStatus

_S = SessionStatus
TOLD = {
    _S.CHARGING: EventType.SESSION_STARTED,
    _S.STOPPING: EventType.SESSION_STOPPING,
    _S.COMPLETED: EventType.SESSION_COMPLETED,
    _S.REVIEW: EventType.SESSION_REVIEW,
    _S.ERROR: EventType.SESSION_ERROR,
}
"""What the operator's systems are told of a move to these states; nobody waits for `starting`."""


def move(session: ChargingSession, status: SessionStatus, *, actor: str, **detail: Any) -> None:
    """Move a session as `ChargingSession.move_to` does, and tell of it (docs/webhooks.md).

    What is told is what the session holds now: its other fields are set first.
    """
    was = session.status
    session.move_to(status, actor=actor, **detail)
    if status in TOLD:
        resumed = was == _S.STOPPING and status == _S.CHARGING
        emit(EventType.SESSION_RESUMED if resumed else TOLD[status], session)
