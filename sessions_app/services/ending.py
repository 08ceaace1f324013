"""How a session ends, whoever says so."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Ending:
    """The register in Wh at the end, our time of it, why, and who says so."""

    register_wh: Decimal | None
    at: dt.datetime
    reason: str
    actor: str
