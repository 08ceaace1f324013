"""Which charging profile counts when, and the limit that follows (OCPP 1.6 §3.13). Pure."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from .wire import Payload

VOLTS = 230
PHASES = 3
WHOLE_STATION, DEFAULT, RUNNING = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"
REPEATS = {"Daily": dt.timedelta(days=1), "Weekly": dt.timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Profile:
    """A charging profile as it was set on one connector; 0 is all of them."""

    connector_id: int
    payload: Payload

    @property
    def profile_id(self) -> int:
        return int(self.payload["chargingProfileId"])

    @property
    def purpose(self) -> str:
        return str(self.payload["chargingProfilePurpose"])

    @property
    def level(self) -> int:
        return int(self.payload["stackLevel"])

    def replaces(self, other: "Profile") -> bool:
        """The same id, or the same place in the stack (OCPP 1.6 §5.16)."""
        place = (self.connector_id, self.purpose, self.level)
        is_same_place = place == (other.connector_id, other.purpose, other.level)
        return is_same_place or self.profile_id == other.profile_id

    def matches(self, wanted: Payload) -> bool:
        """Whether ClearChargingProfile is about this one: by its id, or by all that is said."""
        if "id" in wanted:
            return bool(self.profile_id == wanted["id"])
        said = {
            "connectorId": self.connector_id,
            "chargingProfilePurpose": self.purpose,
            "stackLevel": self.level,
        }
        return all(said[name] == value for name, value in wanted.items() if name in said)

    def limit_w(self, at: dt.datetime, started_at: dt.datetime) -> Decimal | None:
        """The limit at a moment of a charge; None where the profile says nothing."""
        begun_at = self._begun_at(at, started_at)
        if begun_at is None:
            return None
        passed_s, found = (at - begun_at).total_seconds(), None
        for period in self.payload["chargingSchedule"]["chargingSchedulePeriod"]:
            if period["startPeriod"] <= passed_s:
                found = period
        return _watts(found, self._unit) if found else None

    def changes(self, since: dt.datetime, started_at: dt.datetime) -> Iterator[dt.datetime]:
        """The moments after `since` at which its limit may change, of one round of it."""
        schedule = self.payload["chargingSchedule"]
        begun_at, repeat = self._round_of(since, started_at), self._repeat
        lengths = [period["startPeriod"] for period in schedule["chargingSchedulePeriod"]]
        if "duration" in schedule:
            lengths.append(schedule["duration"])
        moments = [begun_at + dt.timedelta(seconds=length) for length in lengths]
        if repeat:
            moments += [moment + repeat for moment in moments]
        moments += [dt.datetime.fromisoformat(at) for at in self._validity if at]
        return (moment for moment in moments if moment > since)

    @property
    def _unit(self) -> str:
        return str(self.payload["chargingSchedule"]["chargingRateUnit"])

    @property
    def _repeat(self) -> dt.timedelta | None:
        if self.payload["chargingProfileKind"] != "Recurring":
            return None
        return REPEATS[self.payload["recurrencyKind"]]

    @property
    def _validity(self) -> tuple[str | None, str | None]:
        return self.payload.get("validFrom"), self.payload.get("validTo")

    def _begun_at(self, at: dt.datetime, started_at: dt.datetime) -> dt.datetime | None:
        """When the schedule that counts at this moment began; None where none counts."""
        valid_from, valid_to = self._validity
        if valid_from and at < dt.datetime.fromisoformat(valid_from):
            return None
        if valid_to and at >= dt.datetime.fromisoformat(valid_to):
            return None
        begun_at = self._round_of(at, started_at)
        duration_s = self.payload["chargingSchedule"].get("duration")
        if duration_s is not None and (at - begun_at).total_seconds() >= duration_s:
            return None
        return begun_at if begun_at <= at else None

    def _round_of(self, at: dt.datetime, started_at: dt.datetime) -> dt.datetime:
        """Where the schedule begins: at its time, or with the charge, or at its latest return."""
        told = self.payload["chargingSchedule"].get("startSchedule")
        if self.payload["chargingProfileKind"] == "Relative" or told is None:
            return started_at
        begun_at, repeat = dt.datetime.fromisoformat(told), self._repeat
        return begun_at + (at - begun_at) // repeat * repeat if repeat else begun_at


def limit_w(
    profiles: Iterable[Profile], connector_id: int, at: dt.datetime, started_at: dt.datetime
) -> Decimal | None:
    """The limit of a connector: the station's, and the charge's own or else the default's."""
    ours = [p for p in profiles if p.connector_id in (0, connector_id)]
    own = _highest(ours, RUNNING, at, started_at)
    if own is None:
        own = _highest(ours, DEFAULT, at, started_at)
    limits = [own, _highest(ours, WHOLE_STATION, at, started_at)]
    return min((limit for limit in limits if limit is not None), default=None)


def compose(
    profiles: list[Profile],
    connector_id: int,
    *,
    at: dt.datetime,
    started_at: dt.datetime,
    duration_s: int,
    most_w: Decimal,
) -> list[tuple[int, Decimal]]:
    """Return the limits from `at` on as (seconds, W); where no profile counts, `most_w`."""
    end = at + dt.timedelta(seconds=duration_s)
    moments = {at} | {m for p in profiles for m in p.changes(at, started_at) if m < end}
    periods: list[tuple[int, Decimal]] = []
    for moment in sorted(moments):
        limit = limit_w(profiles, connector_id, moment, started_at)
        offered_w = most_w if limit is None else min(limit, most_w)
        if not periods or periods[-1][1] != offered_w:
            periods.append((int((moment - at).total_seconds()), offered_w))
    return periods


def _highest(
    profiles: list[Profile], purpose: str, at: dt.datetime, started_at: dt.datetime
) -> Decimal | None:
    """The limit of the highest in the stack that counts now; a connector's own before 0's."""
    stack = sorted(
        (p for p in profiles if p.purpose == purpose),
        key=lambda p: (p.level, p.connector_id),
        reverse=True,
    )
    limits = (p.limit_w(at, started_at) for p in stack)
    return next((limit for limit in limits if limit is not None), None)


def _watts(period: Payload, unit: str) -> Decimal:
    limit = Decimal(str(period["limit"]))
    return limit if unit == "W" else limit * VOLTS * int(period.get("numberPhases", PHASES))
