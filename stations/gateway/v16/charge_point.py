"""python-ocpp's ChargePoint for one socket, adapted: what a 1.6 station may say, by profile."""

from .core import Core
from .maintenance import Maintenance
from .security import Security


class ChargePoint(Core, Maintenance, Security):
    """OCPP 1.6 with its security extension, over one socket."""
