"""The one place between what a station's meter told and what is stored (docs/metering.md).

Samples are placed on the scale of meterStart by what is known of the meter; what was changed is
flagged on the reading with what was told, and on the session with the quirk that it shows. The
caller holds the session's lock. A meter that keeps the rules costs no query here.
"""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Iterable
from decimal import Decimal

from django.conf import settings

from stations import meters
from stations.metering import (
    CORRECTIONS,
    WRONG_UNIT,
    BillUnit,
    Habits,
    Quirk,
    Register,
    SampleUnit,
    Source,
)

from ..facts import Sample, Stopped
from ..models import ChargingSession, Reading, SessionStatus
from ..models.session import RUNNING
from ..placing import Meter, Placed, Told, place, read_bill
from .evidence import note
from .phases import count_phases, lacks_a_phase
from .told import IN_KWH, TOLD, read_as, told_by

MAY_CORRECT = (*RUNNING, SessionStatus.REVIEW)
NOTED = frozenset({Quirk.EXPORTED, Quirk.PHASES, Quirk.UNREADABLE, Quirk.UNCLEAR})
"""Flags of a reading that are worth knowing of its station, and change no number."""


def normalise(
    session: ChargingSession,
    samples: Iterable[Sample],
    *,
    received_at: dt.datetime,
    frame_id: uuid.UUID | None = None,
) -> list[Sample]:
    """Return samples on the scale of meterStart, in the order of the station's clock.

    Notes on the session, and on its station's meter, which quirks they show; may correct a
    meterStart that was told in kWh, and samples that were read before their unit was known.
    """
    stated, likely = _habits(session)
    done = []
    for sample in sorted(samples, key=lambda sample: sample.at):
        chosen = _choose(sample, stated)
        if chosen.register_wh is None or session.meter_start_wh is None:
            placed, register = Placed(chosen.register_wh), None
        else:
            register = Told(chosen.register_wh, chosen.is_kwh, chosen.at, chosen.power_w)
            placed = (
                Placed(None)
                if lacks_a_phase(session, chosen)
                else place(register, _meter(session, register, stated, likely, received_at))
            )
        read = read_as(chosen, register, placed)
        _apply(session, chosen, read, placed, frame_id)
        done.append(read)
    return done


def take_start(session: ChargingSession, told_wh: Decimal) -> None:
    """Write meterStart in Wh on the session, as an operator says that its station tells it.

    The flag makes the stop be read alike, whatever is said of the station meanwhile.
    """
    session.meter_start_wh = session.meter_last_wh = read_bill(told_wh, _habits(session)[0])
    if session.meter_start_wh != told_wh:
        session.flags = sorted({*session.flags, Quirk.KWH_BILL.value})


def read_stop(session: ChargingSession, fact: Stopped) -> Stopped:
    """A stop with its meterStop on the scale of meterStart, by what this session has shown.

    Of the ways that its quirks leave open, the one that is nearest to the last sample is taken.
    """
    told_wh, last_wh = fact.meter_stop_wh, session.meter_last_wh
    if told_wh is None or session.meter_start_wh is None:
        return fact
    stated = _habits(session)[0]
    ways = [told_wh * 1000 if Quirk.KWH_BILL in session.flags else told_wh]
    if Quirk.PER_TRANSACTION in session.flags or stated.register == Register.TRANSACTION:
        ways.append(session.meter_start_wh + ways[0])
    base = _restart(session)[0] if Quirk.RESTARTED in session.flags else None
    if base is not None:
        ways.append(base + ways[0])
    elif stated.register == Register.BOOT and ways[0] < session.meter_start_wh:
        ways.append((last_wh or session.meter_start_wh) + ways[0])
    nearest = last_wh if last_wh is not None else session.meter_start_wh
    best = min(ways, key=lambda way: abs(way - nearest))
    return dataclasses.replace(fact, meter_stop_wh=best)


def unstated(session: ChargingSession) -> set[str]:
    """The corrections of this session that Kubat found out, and no operator has stated."""
    found = CORRECTIONS & set(session.flags)
    return {str(quirk) for quirk in found - _stated_quirks(session)} if found else set()


def place_rows(session: ChargingSession, rows: Iterable[Reading]) -> list[Sample]:
    """Place stored readings of a session as if they came now, in the order given."""
    done = []
    for row in rows:
        (read,) = normalise(
            session, [told_by(row)], received_at=row.received_at, frame_id=row.frame_id
        )
        if (read.register_wh, list(read.flags)) != (row.register_wh, row.flags):
            row.register_wh, row.flags = read.register_wh, list(read.flags)
            row.save(update_fields=["register_wh", "flags"])
        done.append(read)
    return done


def _habits(session: ChargingSession) -> tuple[Habits, Habits]:
    profile = meters.profile_of(session.station)
    return (profile.stated, profile.likely) if profile else (Habits(), Habits())


def _stated_quirks(session: ChargingSession) -> set[Quirk]:
    stated = _habits(session)[0]
    quirks: set[Quirk] = set()
    if stated.sample_unit != SampleUnit.AUTO:
        quirks |= WRONG_UNIT
    if stated.bill_unit == BillUnit.KWH:
        quirks.add(Quirk.KWH_BILL)
    if stated.register == Register.TRANSACTION:
        quirks.add(Quirk.PER_TRANSACTION)
    if stated.register == Register.BOOT:
        quirks.add(Quirk.RESTARTED)
    return quirks


def _choose(sample: Sample, stated: Habits) -> Sample:
    """Take the register that an operator says is the one."""
    if stated.source == Source.EXPORT and sample.export_wh is not None:
        flags = (*sample.flags, Quirk.EXPORTED.value)
        return dataclasses.replace(sample, register_wh=sample.export_wh, flags=flags)
    if stated.source == Source.IMPORT and Quirk.EXPORTED in sample.flags:
        return dataclasses.replace(sample, register_wh=None)
    return sample


def _meter(
    session: ChargingSession, told: Told, stated: Habits, likely: Habits, received_at: dt.datetime
) -> Meter:
    start = session.meter_start_wh or Decimal(0)
    power_kw = session.station.max_power_kw
    if session.status not in MAY_CORRECT:  # what is settled keeps its meterStart
        stated = dataclasses.replace(stated, bill_unit=BillUnit.WH)
    restart = _restart(session) if Quirk.RESTARTED in session.flags else None
    is_after = restart and told.at >= restart[1]
    return Meter(
        start_wh=start,
        last_wh=max(start, session.meter_last_wh or start),
        power_kw=power_kw or Decimal(settings.CSMS_ASSUMED_POWER_KW),
        is_power_stated=bool(power_kw),
        elapsed=_elapsed(session, told.at, received_at),
        stated=stated,
        likely=likely,
        quirks=frozenset(Quirk(flag) for flag in CORRECTIONS & set(session.flags)),
        pending=_pending(session, told) if Quirk.UNCLEAR in session.flags else None,
        restart_wh=restart[0] if restart and is_after else None,
    )


def _elapsed(session: ChargingSession, at: dt.datetime, received_at: dt.datetime) -> dt.timedelta:
    """The longest that a session can have lasted by now, by either clock."""
    by_ours = received_at - (session.started_at or received_at)
    return max(by_ours, at - (session.meter_start_at or at))


def _pending(session: ChargingSession, told: Told) -> Told | None:
    """The register just before this one, where it was unclear."""
    before = session.readings_since_start().filter(at__lt=told.at).order_by("-at").first()
    if before is None or Quirk.UNCLEAR not in before.flags:
        return None
    sample = told_by(before)
    return Told(sample.register_wh or Decimal(0), sample.is_kwh, before.at, sample.power_w)


def _restart(session: ChargingSession) -> tuple[Decimal, dt.datetime]:
    """The register at which the meter began again, and the first moment after that."""
    rows = list(session.readings.order_by("at").values_list("at", "register_wh", "flags"))
    first = next(at for at, _, flags in rows if Quirk.RESTARTED in flags)
    before = [register for at, register, _ in rows if at < first and register is not None]
    return max(before, default=session.meter_start_wh or Decimal(0)), first


def _apply(
    session: ChargingSession, told: Sample, read: Sample, placed: Placed, frame_id: uuid.UUID | None
) -> None:
    """Take what a sample shows into the session, so that the next one is read by it."""
    shown = placed.quirks | {Quirk(flag) for flag in NOTED & set(read.flags)}
    new = [quirk for quirk in sorted(shown) if quirk not in session.flags]
    if placed.start_wh is not None:
        _correct_start(session, placed.start_wh)
    for quirk in new:
        note(session, quirk, f"{told.register_wh} Wh", f"{read.register_wh} Wh", frame_id)
    if Quirk.WH_SAMPLES in new:
        _correct_unit(session)
    count_phases(session, read)
    if read.register_wh is not None:
        session.meter_last_wh = max(read.register_wh, session.meter_last_wh or Decimal(0))


def _correct_start(session: ChargingSession, start_wh: Decimal) -> None:
    """Read meterStart again: it was told in kWh."""
    told = f"{TOLD}{session.meter_start_wh:f} Wh"
    session.meter_start_wh = session.meter_last_wh = start_wh
    session.save(update_fields=["meter_start_wh", "meter_last_wh"])
    assert session.meter_start_at is not None
    session.readings.filter(at=session.meter_start_at).update(
        register_wh=start_wh, flags=[Quirk.KWH_BILL.value, told]
    )


def _correct_unit(session: ChargingSession) -> None:
    """Read again what was taken as kWh before this session's samples proved to be Wh."""
    told = session.readings_since_start().filter(register_wh__isnull=False)
    samples = told.filter(context__startswith="Sample")
    rows = [row for row in samples if IN_KWH in row.flags]
    for row in rows:
        value = (row.register_wh or Decimal(0)) / 1000
        row.register_wh = value
        kept = [flag for flag in row.flags if flag != IN_KWH]
        row.flags = [*kept, Quirk.WH_SAMPLES.value, f"{TOLD}{value:f} kWh"]
    Reading.objects.bulk_update(rows, ["register_wh", "flags"])
    registers = [row.register_wh for row in rows if row.register_wh is not None]
    session.meter_last_wh = max([*registers, session.meter_start_wh or Decimal(0)])
