"""What a meter told, beside what it was read as: the flags of a reading (docs/metering.md)."""

import dataclasses
from decimal import Decimal

from django.db.models import Q, QuerySet

from stations.metering import CORRECTIONS, Quirk

from ..facts import Sample
from ..models import ChargingSession, Reading
from ..placing import Placed, Told

TOLD = "told:"
"""The flag of a register that was changed, with the value and the unit that were told."""
IN_KWH = "kWh"
"""The flag of a register that was taken as labelled, where the label was kWh."""


def samples_of(session: ChargingSession) -> QuerySet[Reading]:
    """What was sampled in a session, whatever its context: all but meterStart and meterStop."""
    ends = Q(context="Transaction.End")
    if session.meter_start_at is not None:
        ends |= Q(context="Transaction.Begin", at=session.meter_start_at)
    return session.readings_since_start().exclude(ends).order_by("at")


def told_flags(told_wh: Decimal | None, read_wh: Decimal | None) -> list[str]:
    """The flag of a meterStart or meterStop that was read otherwise than told."""
    return [] if told_wh is None or told_wh == read_wh else [f"{TOLD}{told_wh:f} Wh"]


def told_by(reading: Reading) -> Sample:
    """A stored reading as its station told it."""
    told = next((flag for flag in reading.flags if flag.startswith(TOLD)), "")
    value, _, unit = told.removeprefix(TOLD).partition(" ")
    is_kwh = unit == "kWh" or IN_KWH in reading.flags
    register = Decimal(value) * (1000 if is_kwh else 1) if told else reading.register_wh
    ours = CORRECTIONS | {Quirk.UNCLEAR, IN_KWH}
    return Sample(
        reading.at,
        register,
        reading.power_w,
        reading.soc,
        reading.context,
        tuple(f for f in reading.flags if not (f.startswith(TOLD) or f in ours)),
        is_kwh=is_kwh,
    )


def read_as(chosen: Sample, told: Told | None, placed: Placed) -> Sample:
    if told is None or placed.register_wh == told.register_wh:
        if not chosen.is_kwh:
            return chosen
        return dataclasses.replace(chosen, flags=(*chosen.flags, IN_KWH))
    unit = "kWh" if told.is_kwh else "Wh"
    value = told.register_wh / 1000 if told.is_kwh else told.register_wh
    marks = sorted(placed.quirks) if placed.register_wh is not None else [Quirk.UNCLEAR.value]
    flags = (*chosen.flags, *(str(mark) for mark in marks), f"{TOLD}{value:f} {unit}")
    return dataclasses.replace(chosen, register_wh=placed.register_wh, flags=flags)
