"""Sums of phases: one that lacks a phase is no register (docs/metering.md)."""

from collections.abc import Iterable

from stations.metering import PHASE_COUNT

from ..facts import Sample
from ..models import ChargingSession


def lacks_a_phase(session: ChargingSession, sample: Sample) -> bool:
    """Whether a sum has fewer phases than one before it: so it is no register, and no fall."""
    count = _phases(sample.flags)
    return 0 < count < _phases(session.flags)


def count_phases(session: ChargingSession, sample: Sample) -> None:
    count, known = _phases(sample.flags), _phases(session.flags)
    if count > known:
        others = {flag for flag in session.flags if not flag.startswith(PHASE_COUNT)}
        session.flags = sorted({*others, f"{PHASE_COUNT}{count}"})
        session.save(update_fields=["flags"])


def _phases(flags: Iterable[str]) -> int:
    """How many phases a sum has; 0 where it is none."""
    counts = (flag.removeprefix(PHASE_COUNT) for flag in flags if flag.startswith(PHASE_COUNT))
    return max((int(count) for count in counts), default=0)
