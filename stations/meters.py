"""Use cases on the meter profile of a station: what was seen, and what staff say of it.

None of them changes a session: a profile counts for what is read after it.
"""

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing.models import User
from billing.reasons import stated

from . import alerts, audit
from .metering import SHOWS, Habits, Quirk
from .models import MeterProfile, Station

ALERT = "meter_quirk"
MAX_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One sight of a quirk: the session and the frame, what was told and what it was read as."""

    session_id: uuid.UUID
    told: str
    read_as: str
    frame_id: uuid.UUID | None = None


def profile_of(station: Station) -> MeterProfile | None:
    """The profile of a station; no query where the station was read together with it."""
    try:
        return station.meter_profile
    except MeterProfile.DoesNotExist:
        return None


@transaction.atomic
def observe(station: Station, quirk: Quirk, example: Example) -> None:
    """Count a session that shows a quirk, with an example; the first one is told to staff, where
    it is one that they can confirm.

    A session that is read again counts once. The row is the last lock that is taken.
    """
    profile = _locked(station)
    row = profile.findings.setdefault(quirk, _nothing_seen())
    if any(kept["session"] == str(example.session_id) for kept in row["examples"]):
        return
    row["sessions"] += 1
    row["last_seen"] = timezone.now().isoformat()
    row["examples"] = [_plain(example, row["last_seen"]), *row["examples"]][:MAX_EXAMPLES]
    profile.save(update_fields=["findings", "changed_at"])
    if row["sessions"] == 1 and quirk in (*SHOWS, Quirk.UNCLEAR):
        alerts.open_alert(
            ALERT,
            f"{station.pk}:{quirk}",
            f"The meter of {station} shows a quirk that waits for an operator: {quirk}.",
            station=station,
        )


@transaction.atomic
def observe_otherwise(station: Station, quirks: tuple[Quirk, ...]) -> None:
    """Count a session that speaks against quirks which were seen before."""
    if profile_of(station) is None:
        return
    profile = _locked(station)
    seen = [quirk for quirk in quirks if quirk in profile.findings]
    for quirk in seen:
        profile.findings[quirk]["against"] += 1
    if seen:
        profile.save(update_fields=["findings", "changed_at"])


@transaction.atomic
def state_habits(*, station: Station, habits: Habits, by: User, reason: str) -> MeterProfile:
    """Let staff say how the meter speaks. Raises Invalid without a reason."""
    profile = _locked(station)
    for name in ("sample_unit", "bill_unit", "register", "source"):
        setattr(profile, name, getattr(habits, name))
    profile.save()
    said = f"meter: {habits.sample_unit}, {habits.bill_unit}, {habits.register}, {habits.source}"
    _settle_alerts(profile)
    audit.record(by, audit.CHANGE, station, said, reason=stated(reason))
    return profile


@transaction.atomic
def confirm_habits(*, station: Station, by: User, reason: str) -> MeterProfile:
    """Let staff confirm what is likely; what they have stated before stays."""
    likely, said = _locked(station).likely, _locked(station).stated
    habits = Habits(
        *(
            getattr(likely, name) if getattr(said, name) == "auto" else getattr(said, name)
            for name in ("sample_unit", "bill_unit", "register", "source")
        )
    )
    return state_habits(station=station, habits=habits, by=by, reason=reason)


@transaction.atomic
def forget_evidence(*, station: Station, by: User, reason: str) -> MeterProfile:
    """Throw away what was seen, e.g. after another meter or firmware; what staff say stays."""
    profile = _locked(station)
    _settle_alerts(profile)
    profile.findings = {}
    profile.save(update_fields=["findings", "changed_at"])
    audit.record(by, audit.CHANGE, station, "meter: evidence forgotten", reason=stated(reason))
    return profile


def _locked(station: Station) -> MeterProfile:
    MeterProfile.objects.get_or_create(station=station)
    return MeterProfile.objects.select_for_update(no_key=True, of=("self",)).get(station=station)


def _settle_alerts(profile: MeterProfile) -> None:
    for quirk in profile.findings:
        alerts.resolve_alert(ALERT, f"{profile.station_id}:{quirk}")


def _nothing_seen() -> dict[str, Any]:
    now = timezone.now().isoformat()
    return {"sessions": 0, "against": 0, "first_seen": now, "last_seen": now, "examples": []}


def _plain(example: Example, at: str) -> dict[str, str]:
    return {
        "session": str(example.session_id),
        "frame": str(example.frame_id or ""),
        "told": example.told,
        "read_as": example.read_as,
        "at": at,
    }
