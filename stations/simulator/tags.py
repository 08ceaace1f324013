"""What a station knows of tags without asking: the local list, and the cache (OCPP 1.6 §3.5)."""

import datetime as dt

from .configuration import Configuration
from .memory import Memory
from .wire import Payload, Wire


class KnownTags:
    """The list comes before the cache; both outlive the power."""

    def __init__(self, memory: Memory, configuration: Configuration) -> None:
        self._memory, self._configuration = memory, configuration

    @property
    def has_list(self) -> bool:
        return self._configuration.is_on("LocalAuthListEnabled")

    def find(self, id_tag: str, now: dt.datetime) -> Payload | None:
        """Return the idTagInfo of a tag that is known; what has expired says so."""
        known = self._memory.local_list.get(id_tag) if self.has_list else None
        if known is None and self._configuration.is_on("AuthorizationCacheEnabled"):
            known = self._memory.cached_tags.get(id_tag)
        if known is None or not _is_over(known, now):
            return known
        return {**known, "status": "Expired"}

    async def authorise(self, id_tag: str, *, wire: Wire | None, now: dt.datetime) -> Payload:
        """Return the idTagInfo of a tag: what is known of it, or else what the server says.

        Without a network, one that is unknown is taken where AllowOfflineTxForUnknownId says so.
        """
        known, switches = self.find(id_tag, now), self._configuration
        if wire is None:
            if known is not None and switches.is_on("LocalAuthorizeOffline"):
                return known
            is_trusted = switches.is_on("AllowOfflineTxForUnknownId")
            return {"status": "Accepted" if is_trusted else "Invalid"}
        if known and known["status"] == "Accepted" and switches.is_on("LocalPreAuthorize"):
            return known
        info: Payload = (await wire.call("Authorize", {"idTag": id_tag}))["idTagInfo"]
        self.learn(id_tag, info)
        return info

    def learn(self, id_tag: str, info: Payload) -> None:
        """Keep what the central system said of a tag; the list is not touched."""
        if self._configuration.is_on("AuthorizationCacheEnabled"):
            self._memory.cached_tags[id_tag] = info

    def forget(self) -> None:
        self._memory.cached_tags.clear()

    def replace(self, version: int, rows: list[Payload]) -> str:
        """Take a full list; answer SendLocalList with its status (OCPP 1.6 §5.15)."""
        return self._take(version, rows, {})

    def update(self, version: int, rows: list[Payload]) -> str:
        """Take a differential list; an entry that says nothing of its tag removes it."""
        if version <= self._memory.list_version:
            return "VersionMismatch"
        removed = {row["idTag"] for row in rows if "idTagInfo" not in row}
        kept = {t: info for t, info in self._memory.local_list.items() if t not in removed}
        return self._take(version, [row for row in rows if row["idTag"] not in removed], kept)

    def _take(self, version: int, rows: list[Payload], kept: dict[str, Payload]) -> str:
        tags: dict[str, Payload] = {
            row["idTag"]: row["idTagInfo"] for row in rows if "idTagInfo" in row
        }
        if len(tags) < len(rows):
            return "Failed"
        new = kept | tags
        if len(new) > self._configuration.number("LocalAuthListMaxLength"):
            return "Failed"
        self._memory.local_list, self._memory.list_version = new, version
        return "Accepted"


def _is_over(info: Payload, now: dt.datetime) -> bool:
    expiry = info.get("expiryDate")
    return expiry is not None and dt.datetime.fromisoformat(expiry) <= now
