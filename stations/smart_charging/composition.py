"""What a set of profiles adds up to over an interval (OCPP 1.6 §3.13.3–3.13.5).

At each moment one profile of a purpose prevails: the highest stack level that says something
then; at the same level the connector's own before one of connector 0. A TxProfile overrules the
TxDefaultProfile; where it says nothing the default holds. ChargePointMaxProfile caps the result.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .profiles import ChargingProfile, Kind, Period, Purpose, Unit
from .wire import limited

DEFAULT_PHASES = 3
DEFAULT_VOLTAGE = 230


@dataclass(frozen=True, slots=True)
class Installed:
    """A profile and the connector that it was installed for; 0 is the station."""

    profile: ChargingProfile
    connector_id: int


@dataclass(frozen=True, slots=True)
class Limit:
    """What holds from `start_s` seconds into the interval. None: nothing limits then."""

    start_s: int
    limit: Decimal | None
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class _Window:
    """One run of a profile's schedule, in seconds from the start of the interval."""

    start_s: int
    end_s: int
    periods: tuple[Period, ...]

    def at(self, second: int) -> Period | None:
        if not self.start_s <= second < self.end_s:
            return None
        begun = [period for period in self.periods if self.start_s + period.start_s <= second]
        return begun[-1] if begun else None


@dataclass(frozen=True, slots=True)
class _Layer:
    profile: ChargingProfile
    rank: tuple[int, bool]
    windows: tuple[_Window, ...]

    def at(self, second: int) -> Period | None:
        return next((found for window in self.windows if (found := window.at(second))), None)


def compose(
    installed: Iterable[Installed],
    *,
    connector_id: int,
    start_at: dt.datetime,
    duration_s: int,
    unit: Unit,
    charge_began_at: dt.datetime | None = None,
    voltage: int = DEFAULT_VOLTAGE,
) -> tuple[Limit, ...]:
    """Return the limits of a connector from `start_at` for `duration_s`, first one at 0.

    Connector 0 is the station: only ChargePointMaxProfile limits it. A Relative profile counts
    from `charge_began_at`, and with no charge as if one began at `start_at`. Times are taken in
    whole seconds. `voltage` is that of one phase, for limits in the other unit; results are
    rounded down to one decimal.
    """
    layers = sorted(
        (
            _layer(item, start_at, duration_s, charge_began_at or start_at)
            for item in installed
            if _concerns(item, connector_id)
        ),
        key=lambda layer: layer.rank,
        reverse=True,
    )
    limits: list[Limit] = []
    for second in _breaks(layers, duration_s):
        found = _prevailing(layers, second, unit, voltage)
        if not limits or (found.limit, found.phases) != (limits[-1].limit, limits[-1].phases):
            limits.append(found)
    return tuple(limits)


def _concerns(item: Installed, connector_id: int) -> bool:
    if item.profile.purpose is Purpose.STATION_MAX:
        return True
    return connector_id != 0 and item.connector_id in (0, connector_id)


def _layer(
    item: Installed, start_at: dt.datetime, duration_s: int, began_at: dt.datetime
) -> _Layer:
    profile = item.profile
    valid_from = _seconds(profile.valid_from, start_at, default=0)
    valid_to = _seconds(profile.valid_to, start_at, default=duration_s)
    begins = began_at if profile.kind is Kind.RELATIVE else profile.schedule.start_at
    first = _seconds(begins, start_at, default=0)
    windows = tuple(
        window
        for window in _runs(profile, first, duration_s)
        if window.end_s > 0 and window.start_s < duration_s
    )
    clipped = tuple(
        _clip(window, max(0, valid_from), min(duration_s, valid_to)) for window in windows
    )
    return _Layer(profile, (profile.stack_level, item.connector_id != 0), clipped)


def _runs(profile: ChargingProfile, first: int, duration_s: int) -> Iterator[_Window]:
    """The runs of a schedule that may touch the interval."""
    schedule = profile.schedule
    if profile.recurrence is None:
        length = duration_s - first if schedule.duration_s is None else schedule.duration_s
        yield _Window(first, first + length, schedule.periods)
        return
    cycle = profile.recurrence.length_s
    length = min(cycle, cycle if schedule.duration_s is None else schedule.duration_s)
    begins = first if first >= 0 else first % cycle - cycle
    for start in range(begins, duration_s, cycle):
        yield _Window(start, start + length, schedule.periods)


def _clip(window: _Window, lowest: int, highest: int) -> _Window:
    """Cut a run to the time that its profile is valid; its periods keep their places."""
    start = max(window.start_s, lowest)
    shifted = tuple(
        Period(period.start_s + window.start_s - start, period.limit, period.phases)
        for period in window.periods
    )
    return _Window(start, min(window.end_s, highest), shifted)


def _breaks(layers: Sequence[_Layer], duration_s: int) -> list[int]:
    """The seconds at which the result may change."""
    moments = {0}
    for layer in layers:
        for window in layer.windows:
            moments |= {window.start_s, window.end_s}
            moments |= {window.start_s + period.start_s for period in window.periods}
    return sorted(moment for moment in moments if 0 <= moment < duration_s)


def _prevailing(layers: Sequence[_Layer], second: int, unit: Unit, voltage: int) -> Limit:
    charge = _first(layers, Purpose.TX, second) or _first(layers, Purpose.TX_DEFAULT, second)
    found = [
        (_convert(period, layer.profile.schedule.unit, unit, voltage), period.phases)
        for layer, period in filter(None, (charge, _first(layers, Purpose.STATION_MAX, second)))
    ]
    if not found:
        return Limit(second, None)
    lowest, phases = min(found, key=lambda pair: pair[0])
    return Limit(second, limited(lowest), phases)


def _first(layers: Sequence[_Layer], purpose: Purpose, second: int) -> tuple[_Layer, Period] | None:
    """The highest layer of a purpose that says something at this second."""
    for layer in layers:
        if layer.profile.purpose is purpose and (period := layer.at(second)) is not None:
            return layer, period
    return None


def _convert(period: Period, given: Unit, wanted: Unit, voltage: int) -> Decimal:
    """Ampere are per phase, watt the sum of the phases (OCPP 1.6 §7.12)."""
    if given is wanted:
        return period.limit
    watt_per_ampere = voltage * (period.phases or DEFAULT_PHASES)
    if wanted is Unit.WATT:
        return period.limit * watt_per_ampere
    return period.limit / watt_per_ampere


def _seconds(moment: dt.datetime | None, start_at: dt.datetime, *, default: int) -> int:
    if moment is None:
        return default
    return int(moment.timestamp()) - int(start_at.timestamp())
