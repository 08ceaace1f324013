"""What a session shows of its station's meter, and what its end teaches (docs/metering.md)."""

import uuid
from decimal import Decimal

from stations import meters
from stations.metering import CORRECTIONS, WRONG_UNIT, Quirk
from stations.meters import Example

from ..models import ChargingSession
from ..placing import NOISE_WH
from .told import samples_of, told_by


def note(
    session: ChargingSession, quirk: Quirk, told: str, read_as: str, frame_id: uuid.UUID | None
) -> None:
    """Flag a quirk on the session, and count it for the station's meter."""
    session.flags = sorted({*session.flags, quirk.value})
    session.save(update_fields=["flags"])
    meters.observe(session.station, quirk, Example(session.pk, told, read_as, frame_id))


def learn(session: ChargingSession, told_stop_wh: Decimal | None) -> None:
    """Compare the samples of an ended session with its meterStop: a factor of 1000 is a unit."""
    start, last = session.meter_start_wh, session.meter_last_wh
    is_known = (CORRECTIONS - {Quirk.PER_TRANSACTION}) & set(session.flags)
    if is_known or None in (start, last, told_stop_wh):
        return
    billed = (told_stop_wh or Decimal(0)) - (start or Decimal(0))
    sampled = (last or Decimal(0)) - (start or Decimal(0)) or _last_unclear_wh(session)
    if sampled <= 0 or billed <= 0 or max(sampled, billed) < 5 * NOISE_WH:
        return
    ratio = billed / sampled
    if 500 <= ratio <= 2000:
        note(session, Quirk.KWH_SAMPLES, f"{sampled} Wh", f"{billed} Wh", None)
    elif 500 <= 1 / ratio <= 2000:
        note(session, Quirk.WH_SAMPLES, f"{sampled} Wh", f"{billed} Wh", None)
    elif Decimal("0.5") <= ratio <= 2:
        meters.observe_otherwise(session.station, tuple(WRONG_UNIT))


def _last_unclear_wh(session: ChargingSession) -> Decimal:
    """The last register as it was labelled, where none was clear; 0 where none was told."""
    if Quirk.UNCLEAR not in session.flags:
        return Decimal(0)
    row = samples_of(session).last()
    return (told_by(row).register_wh if row else None) or Decimal(0)
