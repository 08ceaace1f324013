"""The back office of charging sessions: what happened, what it cost, what staff may do about it."""

from . import (
    backstop,
    event,
    guest,
    id_tag,
    local_list,
    orphan,
    reading,
    reconcile_run,
    reservation,
    session,
    stop_step,
    transaction_number,
)

__all__ = [
    "backstop",
    "event",
    "guest",
    "id_tag",
    "local_list",
    "orphan",
    "reading",
    "reconcile_run",
    "reservation",
    "session",
    "stop_step",
    "transaction_number",
]
