from .backstop import Backstop, BackstopRefusal
from .guest import GuestCharge
from .id_tag import IdTag
from .local_list import LocalList
from .orphan import Orphan
from .reading import Reading
from .reconcile_run import ReconcileRun
from .reservation import Reservation
from .session import ChargingSession, SessionEvent, SessionStatus, TransactionNumber
from .stop_step import STOP_IGNORED, StopStep

__all__ = [
    "STOP_IGNORED",
    "Backstop",
    "BackstopRefusal",
    "ChargingSession",
    "GuestCharge",
    "IdTag",
    "LocalList",
    "Orphan",
    "Reading",
    "ReconcileRun",
    "Reservation",
    "SessionEvent",
    "SessionStatus",
    "StopStep",
    "TransactionNumber",
]
