"""Which tags a station's list holds, and what makes of one list another. Nothing is sent here.

A list carries rights, not money: a tag whose driver has nothing to spend is in it. Its start is
judged when the station tells of it, and an unfunded one is stopped (docs/tags.md).
"""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db.models import Max

from ..models import IdTag, LocalList
from .authorize import judge_rights

Info = dict[str, str]
Entries = dict[str, Info]
"""The text of a tag, as its row has it, mapped to its IdTagInfo (OCPP 1.6 §7.27)."""

DEFAULT_LENGTH, DEFAULT_UPDATE = 1000, 100
"""For stations that do not say how long their list, and one update of it, may be."""
NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a station's list should hold, and how many tags did not fit."""

    entries: Entries
    cut_count: int = 0


@dataclass(frozen=True, slots=True)
class Tags:
    """Every tag with what a list says of it, and a digest by which a change of any is seen."""

    told: list[tuple[IdTag, Info]]

    @classmethod
    def at(cls, now: dt.datetime) -> "Tags":
        """Those that may charge first, the newest first.

        One that is blocked or expired stays in the list: it overrules what a station remembers.
        """
        tags = IdTag.objects.select_related("user").order_by("-created_at", "-pk")
        return cls(_rights_first([(tag, _info(tag, now)) for tag in tags]))

    @property
    def digest(self) -> str:
        told = [(tag.id_tag, info) for tag, info in self.told]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def wanted_of(row: LocalList, tags: Tags) -> Wanted:
    """What a station's list should hold: nothing where it is off.

    Where not all fit, those that may charge go before the others, and of them those that charged
    here last, then the newest.
    """
    if not row.is_on:
        return Wanted({})
    length = row.limit("LocalAuthListMaxLength", DEFAULT_LENGTH)
    told = tags.told if len(tags.told) <= length else _by_use(row, tags.told)
    kept = {tag.id_tag: info for tag, info in told[:length]}
    return Wanted(kept, len(told) - len(kept))


def full_update(row: LocalList, wanted: Entries) -> list[dict[str, Any]]:
    """The first entries of a list that replaces whatever is there; the rest follows."""
    return [_entry(tag, info) for tag, info in islice(wanted.items(), _update_length(row))]


def differential_update(row: LocalList, wanted: Entries) -> list[dict[str, Any]]:
    """The first of what differs; an entry without idTagInfo removes, and makes room (§5.15)."""
    gone = [{"idTag": tag} for tag in row.entries if tag not in wanted]
    new = [_entry(tag, info) for tag, info in wanted.items() if row.entries.get(tag) != info]
    return [*gone, *new][: _update_length(row)]


def after(entries: Entries, update: dict[str, Any]) -> Entries:
    """The list that a SendLocalList.req makes of another one."""
    result = {} if update.get("updateType") == "Full" else dict(entries)
    for entry in update.get("localAuthorizationList") or ():
        if "idTagInfo" in entry:
            result[entry["idTag"]] = entry["idTagInfo"]
        else:
            result.pop(entry["idTag"], None)
    return result


def _info(tag: IdTag, now: dt.datetime) -> Info:
    verdict = judge_rights(tag, now)
    info: Info = {"status": verdict.status}
    if verdict.parent_id_tag:
        info["parentIdTag"] = verdict.parent_id_tag
    if verdict.expires_at:
        at = verdict.expires_at.astimezone(dt.UTC)
        info["expiryDate"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return info


def _by_use(row: LocalList, tags: list[tuple[IdTag, Info]]) -> list[tuple[IdTag, Info]]:
    begun = row.station.sessions.filter(started_at__isnull=False).values_list("id_tag")
    last = begun.annotate(last=Max("started_at")).order_by()
    used: dict[str, dt.datetime] = {}
    for id_tag, at in last:
        used[id_tag.casefold()] = max(at, used.get(id_tag.casefold(), NEVER))
    recent = sorted(tags, key=lambda pair: used.get(pair[0].identity, NEVER), reverse=True)
    return _rights_first(recent)


def _rights_first(tags: list[tuple[IdTag, Info]]) -> list[tuple[IdTag, Info]]:
    """A sort is stable: within each part the order stays."""
    return sorted(tags, key=lambda pair: pair[1]["status"] != "Accepted")


def _update_length(row: LocalList) -> int:
    return row.limit("SendLocalListMaxLength", DEFAULT_UPDATE)


def _entry(tag: str, info: Info) -> dict[str, Any]:
    return {"idTag": tag, "idTagInfo": info}
