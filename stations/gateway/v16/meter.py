"""Meter values of OCPP 1.6 (§3.16, §7.33, §7.43) as samples: Wh, W and percent, one a moment.

Stations leave out units, measurands and totals, send numbers for strings, or sign their values.
One bad value never loses the others: what cannot be read is flagged.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sessions_app.facts import Sample
from stations.metering import PHASE_COUNT

from .values import LARGEST, Payload, amount, moment, objects, text

ENERGY = "Energy.Active.Import.Register"
EXPORT = "Energy.Active.Export.Register"
POWER = "Power.Active.Import"
SOC = "SoC"

FACTORS = {
    ENERGY: {"": Decimal(1), "wh": Decimal(1), "kwh": Decimal(1000)},
    EXPORT: {"": Decimal(1), "wh": Decimal(1), "kwh": Decimal(1000)},
    POWER: {"": Decimal(1), "w": Decimal(1), "kw": Decimal(1000)},
    SOC: {"": Decimal(1), "percent": Decimal(1)},
}
LIMITS = {ENERGY: LARGEST, EXPORT: LARGEST, POWER: LARGEST / 10, SOC: Decimal(101)}
"""From here on a total is no value: rows could not hold it."""
PHASES = ({"L1", "L2", "L3"}, {"L1-N", "L2-N", "L3-N"})
PLACES = ("", "Outlet", "Body", "Cable", "Inlet", "EV")
"""Where a value may be measured, the best first: the driver pays what leaves the outlet."""

UNREADABLE, SIGNED, EXPORTED = "unreadable", "signed", "export_register"
SUMMED = "phases_summed"
MAX_MOMENTS = 2_000
"""Of one message; of more, every n-th moment is read: the frame keeps them all."""


@dataclass(frozen=True, slots=True)
class _Value:
    """One sampled value in our unit."""

    measurand: str
    phase: str
    place: str
    amount: Decimal
    is_kwh: bool = False


def read(payload: Payload, key: str) -> tuple[Sample, ...]:
    """Read the meter values under `key` (meterValue or transactionData), where they have a time.

    Of a message with very many of them, some stand for all, the last one among them.
    """
    entries = objects(payload, key)
    step = -(-len(entries) // MAX_MOMENTS) or 1
    return tuple(
        sample
        for entry in entries[::-step][::-1]
        if (at := moment(entry.get("timestamp"))) is not None
        and (sample := _sample(at, objects(entry, "sampledValue"))) is not None
    )


def has_untimed(payload: Payload, key: str) -> bool:
    """Whether some meter value cannot be placed in time, and so is in no sample."""
    entries = payload.get(key)
    if not isinstance(entries, list):
        return True
    return any(
        not isinstance(entry, dict) or moment(entry.get("timestamp")) is None for entry in entries
    )


def says_nothing(payload: Payload) -> bool:
    """Whether nothing of a sound MeterValues would be stored: other measurands, at known times."""
    return all(
        moment(entry["timestamp"]) is not None
        and not any(item.get("measurand", ENERGY) in FACTORS for item in entry["sampledValue"])
        for entry in payload["meterValue"]
    )


def _sample(at: dt.datetime, sampled: list[dict[str, Any]]) -> Sample | None:
    """One moment of the meter; None when it says nothing that we use."""
    flags: set[str] = set()
    values = [value for item in sampled if (value := _value(item, flags)) is not None]
    register, export = _total(values, ENERGY, flags), _total(values, EXPORT, flags)
    told = ENERGY
    if register is None and export is not None:
        register, export, told = export, None, EXPORT
        flags.add(EXPORTED)
    power, soc = _total(values, POWER, flags), _total(values, SOC, flags)
    if (register, power, soc) == (None, None, None) and not flags:
        return None
    context = text(sampled[0], "context", length=24) if sampled else ""
    return Sample(
        at,
        register,
        power,
        soc,
        context or "Sample.Periodic",
        tuple(sorted(flags)),
        is_kwh=any(value.is_kwh for value in values if value.measurand == told),
        export_wh=export,
    )


def _value(item: dict[str, Any], flags: set[str]) -> _Value | None:
    """One sampled value; None for what we do not use, flagged where it cannot be read."""
    measurand = text(item, "measurand") or ENERGY
    if measurand not in FACTORS:
        return None
    if text(item, "format") == "SignedData":
        flags.add(SIGNED)
        return None
    told, unit = amount(item.get("value")), text(item, "unit").strip().casefold()
    factor = FACTORS[measurand].get(unit)
    if told is None or factor is None:
        flags.add(UNREADABLE)
        return None
    return _Value(
        measurand, text(item, "phase"), text(item, "location"), told * factor, unit == "kwh"
    )


def _total(values: Iterable[_Value], measurand: str, flags: set[str]) -> Decimal | None:
    """The total of a measurand; one that no meter can show is flagged."""
    total = _told_total(values, measurand, flags)
    if total is not None and abs(total) >= LIMITS[measurand]:
        flags.add(UNREADABLE)
        return None
    return total


def _told_total(values: Iterable[_Value], measurand: str, flags: set[str]) -> Decimal | None:
    """The total at the best place; the sum of its phases when none is told."""
    mine = [value for value in values if value.measurand == measurand]
    for place in PLACES:
        here = [value for value in mine if value.place == place]
        total = next((value.amount for value in here if not value.phase), None)
        if total is not None:
            return total
        for names in PHASES:
            phases = {value.phase: value.amount for value in here if value.phase in names}
            if phases:
                flags |= {SUMMED, f"{PHASE_COUNT}{len(phases)}"} if measurand != POWER else set()
                return sum(phases.values(), Decimal(0))
    return None
