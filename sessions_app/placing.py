"""Where a sampled register belongs on the scale of meterStart (docs/metering.md). Pure.

A meter that keeps the rules is placed by one comparison. One that does not is placed where only
one way to read it can be true; where several can, it is *unclear*, which is as good as silence:
the session is then projected and stopped in time (design section 5).
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from stations.metering import WRONG_UNIT, BillUnit, Habits, Quirk, Register, SampleUnit

NOISE_WH = Decimal(100)
THOUSAND = Decimal(1000)
UTMOST_KW = Decimal(1000)
"""No socket delivers more; beyond it a reading is not as labelled, if another fits."""
TELLING_START_WH = Decimal(1000)
"""Above this meterStart a factor of 1000 shows in the first sample; below it only in time."""
TELLING_TIME = dt.timedelta(minutes=1)
FULLEST_WH = Decimal(200_000)
"""No car takes more: a register that counts from the start of its charge stays below."""
LEAST_POWER_KW = Decimal(1)
"""No car charges below it: what counts more slowly is the station's own need, or a wrong unit."""
LEAST_START_KWH = Decimal(100)
"""A meterStart below it is never taken for kWh: too many registers begin near 0."""

NOTHING_KNOWN = Habits()


@dataclass(frozen=True, slots=True)
class Told:
    """One register as its station told it: in Wh by its label, and when."""

    register_wh: Decimal
    is_kwh: bool
    at: dt.datetime
    power_w: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known of a session's meter when a register is told.

    `power_kw` is the most that the session can take, `elapsed` the longest that it can have
    lasted. `quirks` were decided in this session before. `pending` is the last unclear register,
    `restart_wh` the register at which the meter began again.
    """

    start_wh: Decimal
    last_wh: Decimal
    power_kw: Decimal
    elapsed: dt.timedelta
    is_power_stated: bool = False
    stated: Habits = NOTHING_KNOWN
    likely: Habits = NOTHING_KNOWN
    quirks: frozenset[Quirk] = frozenset()
    pending: Told | None = None
    restart_wh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A register on the scale of meterStart, None where it is unclear, and the quirks it shows.

    `start_wh` is the meterStart that makes sense of it, where that was told in kWh.
    """

    register_wh: Decimal | None
    quirks: frozenset[Quirk] = frozenset()
    start_wh: Decimal | None = None


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to read a register: times `factor`, plus `base`, from `start`."""

    factor: Decimal
    base: Decimal
    start: Decimal
    quirks: frozenset[Quirk]

    def read(self, told: Told) -> Decimal:
        return told.register_wh * self.factor + self.base

    def placed(self, told: Told, meter: Meter) -> Placed:
        start = self.start if self.start != meter.start_wh else None
        return Placed(self.read(told), self.quirks, start)


def place(told: Told, meter: Meter) -> Placed:
    """Place one register, or say that it is unclear."""
    if meter.restart_wh is not None:
        return _after_restart(told, meter)
    ways = _ways(told, meter)
    if _is_restart(told, meter):
        return Placed(meter.last_wh + told.register_wh, frozenset({Quirk.RESTARTED}))
    if len(ways) == 1:
        return _only(ways[0], told)
    plain = ways[0]
    others = [way for way in ways[1:] if _fits(way, told, _most(meter))]
    likely = next((way for way in others if _is_likely(way, meter)), None)
    if likely:
        return likely.placed(told, meter)
    if _fits(plain, told, _utmost(meter)):
        return _as_labelled(plain, others, told, meter)
    if plain.read(told) < plain.start:
        return _from_below(others, told, meter)
    return _from_above(plain, others, told, meter)


def read_bill(register_wh: Decimal, habits: Habits) -> Decimal:
    """A meterStart or meterStop in Wh, as an operator says that it is told."""
    return register_wh * THOUSAND if habits.bill_unit == BillUnit.KWH else register_wh


def _ways(told: Told, meter: Meter) -> list[_Way]:
    """All ways to read a register that are still open; the first is the one that was stated,
    decided, or written in the specification.
    """
    wrong = Quirk.WH_SAMPLES if told.is_kwh else Quirk.KWH_SAMPLES
    shift = frozenset({Quirk.PER_TRANSACTION})
    units = _units(told, meter, wrong)
    ways = [
        _Way(
            _factor(told) if quirks else Decimal(1),
            meter.start_wh if is_shifted else Decimal(0),
            meter.start_wh,
            quirks | (shift if is_shifted else frozenset()),
        )
        for is_shifted in _bases(meter)
        for quirks in units
        if not (is_shifted and quirks) or len(units) == 1 or _is_unit_likely(meter)
    ]
    if _may_be_kwh_start(meter):
        start = meter.start_wh * THOUSAND
        ways.append(_Way(Decimal(1), Decimal(0), start, frozenset({Quirk.KWH_BILL})))
    return ways


def _units(told: Told, meter: Meter, wrong: Quirk) -> list[frozenset[Quirk]]:
    unit = meter.stated.sample_unit
    if meter.quirks & WRONG_UNIT:
        return [frozenset({wrong})]
    if unit == SampleUnit.AUTO:
        # What has counted as labelled may still prove too much, never too little.
        is_open = told.is_kwh or not _has_gained(meter)
        return [frozenset(), frozenset({wrong})] if is_open else [frozenset()]
    is_wrong = unit == (SampleUnit.WH if told.is_kwh else SampleUnit.KWH)
    return [frozenset({wrong}) if is_wrong else frozenset()]


def _bases(meter: Meter) -> list[bool]:
    is_stated = meter.stated.register == Register.TRANSACTION
    if is_stated or Quirk.PER_TRANSACTION in meter.quirks:
        return [True, False]
    may_shift = meter.stated.register == Register.AUTO and not _has_gained(meter)
    return [False, True] if may_shift else [False]


def _may_be_kwh_start(meter: Meter) -> bool:
    return (
        meter.stated.bill_unit != BillUnit.WH
        and not meter.quirks
        and meter.start_wh >= LEAST_START_KWH
        and not _has_gained(meter)
    )


def _is_unit_likely(meter: Meter) -> bool:
    return meter.likely.sample_unit != SampleUnit.AUTO


def _has_gained(meter: Meter) -> bool:
    return meter.last_wh > meter.start_wh


def _factor(told: Told) -> Decimal:
    return 1 / THOUSAND if told.is_kwh else THOUSAND


def _fits(way: _Way, told: Told, most_wh: Decimal) -> bool:
    """Whether a way of reading gives what can have been delivered by now."""
    slack = THOUSAND if Quirk.KWH_BILL in way.quirks else NOISE_WH
    return way.start - NOISE_WH <= way.read(told) <= way.start + most_wh + slack


def _is_likely(way: _Way, meter: Meter) -> bool:
    shown = meter.likely
    units = {SampleUnit.KWH: Quirk.KWH_SAMPLES, SampleUnit.WH: Quirk.WH_SAMPLES}
    expected = {units[SampleUnit(shown.sample_unit)]} if shown.sample_unit in units else set()
    if shown.register == Register.TRANSACTION:
        expected.add(Quirk.PER_TRANSACTION)
    if shown.bill_unit == BillUnit.KWH:
        expected.add(Quirk.KWH_BILL)
    return bool(expected) and way.quirks <= expected


def _as_labelled(plain: _Way, others: list[_Way], told: Told, meter: Meter) -> Placed:
    """A register that can be true as it is labelled, unless it is as true in kWh."""
    in_kwh = next((way for way in others if _is_a_charge_in_kwh(way, told, meter)), None)
    if in_kwh is None:
        return plain.placed(told, meter)
    is_proved = _agrees_with_power(in_kwh, told, meter.pending)
    return in_kwh.placed(told, meter) if is_proved else Placed(None)


def _is_a_charge_in_kwh(way: _Way, told: Told, meter: Meter) -> bool:
    """Whether a register with a fraction is a charge as kWh, and next to nothing as Wh."""
    if way.quirks != {Quirk.KWH_SAMPLES} or told.register_wh % 1 == 0:
        return False
    return way.read(told) - way.start >= _energy(LEAST_POWER_KW, meter.elapsed)


def _agrees_with_power(way: _Way, told: Told, before: Told | None) -> bool:
    """Whether the register gained since the last unclear one what its power says."""
    if before is None or before.power_w is None or told.power_w is None:
        return False
    least, most = sorted((before.power_w, told.power_w))
    hours = Decimal((told.at - before.at).total_seconds()) / 3600
    gained = way.read(told) - way.read(before)
    return least >= LEAST_POWER_KW * THOUSAND and least * hours / 2 <= gained <= most * hours * 2


def _most(meter: Meter) -> Decimal:
    return _energy(meter.power_kw, meter.elapsed)


def _utmost(meter: Meter) -> Decimal:
    return _energy(meter.power_kw if meter.is_power_stated else UTMOST_KW, meter.elapsed)


def _energy(power_kw: Decimal, elapsed: dt.timedelta) -> Decimal:
    hours = Decimal(max(0.0, elapsed.total_seconds())) / 3600
    return power_kw * THOUSAND * hours * Decimal("1.1")


def _only(way: _Way, told: Told) -> Placed:
    """Read in the one way that is left; below meterStart not even that is true."""
    if way.read(told) < way.start - NOISE_WH:
        return Placed(None)
    return Placed(way.read(told), way.quirks)


def _from_below(others: list[_Way], told: Told, meter: Meter) -> Placed:
    """A register below meterStart is in another unit or has another zero.

    A register of 0 says nothing: many a meter is not ready at the start.
    """
    if len(others) == 1 and told.register_wh > 0:
        return others[0].placed(told, meter)
    if meter.pending is None:
        return Placed(None)
    before = meter.pending
    in_unit = [way for way in others if way.quirks <= WRONG_UNIT]
    if in_unit and _fits(in_unit[0], before, _most(meter)):
        return in_unit[0].placed(told, meter)
    is_open = True in _bases(meter)
    if is_open and not others and 0 <= before.register_wh < told.register_wh <= FULLEST_WH:
        shift = frozenset({Quirk.PER_TRANSACTION})
        return Placed(meter.start_wh + told.register_wh, shift)
    return Placed(None)


def _from_above(plain: _Way, others: list[_Way], told: Told, meter: Meter) -> Placed:
    """A register that no socket delivers: only where one other reading is true, it is that."""
    if len(others) > 1:
        return Placed(None)
    is_telling = meter.start_wh >= TELLING_START_WH or meter.elapsed >= TELLING_TIME
    if others and (is_telling or Quirk.KWH_BILL in others[0].quirks):
        return others[0].placed(told, meter)
    return plain.placed(told, meter)


def _is_restart(told: Told, meter: Meter) -> bool:
    """Whether a register that had counted began again: two falls in a row, and the second no
    lower; where staff say that it does so, one is enough.
    """
    is_low = 0 <= told.register_wh < meter.last_wh - NOISE_WH
    if not (_has_gained(meter) and is_low) or meter.quirks & WRONG_UNIT:
        return False
    if meter.stated.register == Register.BOOT:
        return True
    before = meter.pending
    return (
        meter.stated.register == Register.AUTO
        and before is not None
        and 0 <= before.register_wh <= told.register_wh
    )


def _after_restart(told: Told, meter: Meter) -> Placed:
    assert meter.restart_wh is not None
    return Placed(meter.restart_wh + told.register_wh, frozenset({Quirk.RESTARTED}))
