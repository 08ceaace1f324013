"""The life of a command, seen from sessions: sent, answered, or given up.

The gateway calls these and nothing else about commands; each runs `stations.commands` and moves
the session that the command belongs to in the same transaction.
"""

import uuid
from typing import Any

from stations.models import Command


def claim(*, station_pk: int, fence: int, up_to: Command.Lane = Command.Lane.OWN) -> Command | None:
    """Take the next command to send over the socket with this fence; None when there is none.

    Lanes after `up_to` wait: before Boot is answered Kubat sends nothing of its own.
    """
    raise NotImplementedError


def record_answer(command_id: uuid.UUID, response: dict[str, Any]) -> None:
    """The station answered with a CALLRESULT."""
    raise NotImplementedError


def record_refusal(command_id: uuid.UUID, code: str, description: str) -> None:
    """The station answered with a CALLERROR: the command is `failed`."""
    raise NotImplementedError


def record_silence(command_id: uuid.UUID) -> None:
    """The station did not answer in time: the command is `timed_out`."""
    raise NotImplementedError


def cut_off(*, station_pk: int, fence: int) -> None:
    """Fail, with `disconnected`, what sockets older than `fence` leave unanswered."""
    raise NotImplementedError
