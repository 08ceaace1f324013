"""Do the work of one row so that its fault keeps no other waiting. It knows nothing of the work."""

import logging
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from django.db import InterfaceError, OperationalError

from billing import context

logger = logging.getLogger(__name__)

Row = TypeVar("Row")
Args = TypeVarTuple("Args")


def apart(act: Callable[[Row, *Args], object], row: Row, *args: *Args) -> bool:
    """Do one row's work, which is a transaction of its own; return whether it went well.

    A fault is logged with the row, or what names it. A database that is away is raised: it is away
    for every row.
    """
    with context.about():  # what one row turns out to be about is not what the next one is
        try:
            act(row, *args)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("%s of %s failed", act.__name__, row)
            return False
    return True
