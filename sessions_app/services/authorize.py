"""Judge a tag: is it known, whose is it, may it charge here and now?"""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from stations.models import Station

TagStatus = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]


@dataclass(frozen=True, slots=True)
class TagVerdict:
    """What a station is told about a tag (OCPP 1.6 §7.27 IdTagInfo)."""

    status: TagStatus
    parent_id_tag: str = ""
    expires_at: dt.datetime | None = None


def judge_tag(*, station: Station, id_tag: str, at: dt.datetime) -> TagVerdict:
    """Judge a tag at the station's time `at` (OCPP 1.6 §4.2 Authorize). Changes nothing."""
    raise NotImplementedError
