"""The keys of a station beside what is wanted of them, and how many of them differ."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from .comparison import is_same
from .models import ConfigurationReport, ConfigurationWish, Station
from .models.configuration import scopes_of
from .models.station import StationQuerySet
from .wanted import Want, wanted

CHUNK = 500


class KeyState(TextChoices):
    """How a key stands. The last four of them are not as wanted."""

    FREE = "free", _("nothing wanted")
    SAME = "same", _("as wanted")
    REBOOT = "reboot", _("reboot required")
    DIFFERS = "differs", _("differs")
    REFUSED = "refused", _("refused")
    UNKNOWN = "unknown", _("unknown to the station")
    UNREPORTED = "unreported", _("not reported")


NOT_AS_WANTED = frozenset(
    {KeyState.DIFFERS, KeyState.REFUSED, KeyState.UNKNOWN, KeyState.UNREPORTED}
)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key of one station; `cause` is why the station refused it."""

    key: str
    value: str | None
    want: Want | None
    is_readonly: bool
    state: KeyState
    cause: str = ""


def rows(station: Station, wants: dict[str, Want] | None = None) -> list[KeyRow]:
    """All keys that are known or wanted, in the order of the alphabet."""
    wants = wanted(station) if wants is None else wants
    names = sorted(station.configuration.keys() | wants.keys(), key=str.casefold)
    return [_row(name, station.configuration.get(name, {}), wants.get(name)) for name in names]


def refresh(station: Station, *, read_at: dt.datetime | None = None, left_out: int = 0) -> None:
    """Count again what is not as it is wanted; `read_at` where it has just reported all keys."""
    counts = _counts(rows(station))
    if read_at is not None:
        counts |= {"read_at": read_at, "left_out": left_out}
    ConfigurationReport.objects.update_or_create(station=station, defaults=counts)


def refresh_all(stations: StationQuerySet) -> None:
    """Count again at many stations, after a wish has changed, in a few queries."""
    by_scope: dict[str, list[ConfigurationWish]] = defaultdict(list)
    for wish in ConfigurationWish.objects.order_by("id"):
        by_scope[wish.scope].append(wish)
    reports = []
    for station in stations.iterator(CHUNK):
        wishes = [wish for scope in scopes_of(station) for wish in by_scope[scope]]
        counts = _counts(rows(station, wanted(station, wishes)))
        reports.append(ConfigurationReport(station=station, **counts))
    ConfigurationReport.objects.bulk_create(
        reports,
        batch_size=CHUNK,
        update_conflicts=True,
        unique_fields=["station"],
        update_fields=["differing", "refused"],
    )


def differing(table: list[KeyRow]) -> int:
    """How many keys are not as they are wanted."""
    return sum(bool(row.want) and row.state in NOT_AS_WANTED for row in table)


def _counts(table: list[KeyRow]) -> dict[str, Any]:
    return {
        "differing": differing(table),
        "refused": sum(row.state == KeyState.REFUSED for row in table),
    }


def _row(key: str, entry: dict[str, Any], want: Want | None) -> KeyRow:
    value, cause = entry.get("value"), str(entry.get("refused", ""))
    state = _state(entry, value, want)
    return KeyRow(key, value, want, bool(entry.get("readonly")), state, cause)


def _state(entry: dict[str, Any], value: str | None, want: Want | None) -> KeyState:
    """A refusal counts for the value that was asked for, not for one that is wanted since."""
    if entry.get("reboot"):
        return KeyState.REBOOT
    if entry.get("unknown"):
        return KeyState.UNKNOWN
    if want is None:
        return KeyState.FREE
    if is_same(value, want.value):
        return KeyState.SAME
    if "refused" in entry and entry.get("wanted", want.value) == want.value:
        return KeyState.REFUSED
    return KeyState.UNREPORTED if value is None else KeyState.DIFFERS
