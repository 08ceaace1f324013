"""Read tariffs from JSON in the form of OCPI 2.2.1 (§11.3.1, §11.4), and say what is wrong."""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import Invalid
from ..money import round_minor, to_minor
from .terms import DIMENSIONS, Component, Dimension, Element, PriceBound, Restrictions, Terms

MAX_ELEMENTS = 64
MAX_PRICE = Decimal(100_000_000)
MAX_STEP = 1_000_000
MAX_DURATION_S = 366 * 24 * 3600
MAX_KILO = Decimal(1_000_000)
PRICE_DECIMALS = 6
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
RESERVATIONS = ("RESERVATION", "RESERVATION_EXPIRES")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DATE = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9]")


def parse_elements(raw: object) -> tuple[Element, ...]:
    """Read tariff elements. Raises Invalid with `fields` like `elements.0.restrictions.min_kwh`.

    Prices become gross. `step_size` may be left out and is then 1. Restrictions by current are
    refused: readings do not carry it, and a restriction that is not judged is a wrong price.
    """
    problems = _Problems()
    elements = _elements(raw, problems)
    problems.raise_any()
    return elements


def parse_terms(
    *,
    currency: str,
    price_per_kwh: Decimal | None = None,
    vat_percent: Decimal = Decimal(0),
    elements: object = (),
    more: Mapping[str, Any] | None = None,
) -> Terms:
    """Read the terms of a tariff as they are stored or sent. Raises Invalid with `fields`.

    `more` may hold `min_price` and `max_price` ({excl_vat, incl_vat}, decimal) and
    `parking_grace_s`. A bound that states one of its two amounts gets the other by the tax rate
    of the tariff, if it has only one.
    """
    problems = _Problems()
    parsed = _elements(elements, problems)
    fields = _Object(more or {}, "", problems)
    rates = {one.vat_percent for element in parsed for one in element.components}
    rates |= {vat_percent} if price_per_kwh is not None else set()
    bounds = {
        name: _bound(fields.take(name), name, rates, problems)
        for name in ("min_price", "max_price")
    }
    grace_s = fields.whole("parking_grace_s", most=MAX_DURATION_S)
    least, most = bounds["min_price"], bounds["max_price"]
    if least and most and (least.incl_vat > most.incl_vat or least.excl_vat > most.excl_vat):
        problems.note("min_price", "Must not be above max_price.")
    problems.raise_any()
    return Terms(currency, price_per_kwh, vat_percent, parsed, least, most, grace_s or 0)


class _Problems:
    """What is wrong, by the path of the field."""

    def __init__(self) -> None:
        self._fields: dict[str, list[str]] = {}

    def note(self, path: str, sentence: str) -> None:
        self._fields.setdefault(path, []).append(sentence)

    def raise_any(self) -> None:
        if self._fields:
            raise Invalid("The tariff is not valid.", fields=self._fields)


class _Object:
    """A JSON object, read field by field: what is wrong is noted, and what is left is unknown."""

    def __init__(self, raw: Mapping[str, Any], path: str, problems: _Problems) -> None:
        self._path = path
        self._problems = problems
        self._left = dict(raw)

    @classmethod
    def read(cls, raw: object, path: str, problems: _Problems) -> "_Object | None":
        """The object to read, or None when it is none, which is noted."""
        if isinstance(raw, Mapping):
            return cls(raw, path, problems)
        problems.note(path, "Must be an object.")
        return None

    def path(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def note(self, name: str, sentence: str) -> None:
        self._problems.note(self.path(name), sentence)

    def has(self, name: str) -> bool:
        return self._left.get(name) is not None

    def take(self, name: str) -> Any:
        return self._left.pop(name, None)

    def number(self, name: str, *, decimals: int, most: Decimal) -> Decimal | None:
        """A number from 0 to `most`, as JSON number or string; None when absent or wrong."""
        raw = self.take(name)
        if raw is None:
            return None
        number = _decimal(raw)
        if number is None or not 0 <= number <= most:
            self.note(name, f"Must be a number from 0 to {most}.")
        elif number != round(number, decimals):
            self.note(name, f"Must have at most {decimals} decimals.")
        else:
            return number
        return None

    def whole(self, name: str, *, most: int) -> int | None:
        number = self.number(name, decimals=0, most=Decimal(most))
        return None if number is None else int(number)

    def kilo(self, name: str) -> int | None:
        """A number in kWh or kW with at most three decimals, in Wh or W."""
        number = self.number(name, decimals=3, most=MAX_KILO)
        return None if number is None else int(number.scaleb(3))

    def duration(self, name: str) -> dt.timedelta | None:
        seconds = self.whole(name, most=MAX_DURATION_S)
        return None if seconds is None else dt.timedelta(seconds=seconds)

    def time(self, name: str) -> dt.time | None:
        raw = self._text(name, _TIME, "Must be a time of day, 00:00 to 23:59.")
        return dt.time.fromisoformat(raw) if raw else None

    def date(self, name: str) -> dt.date | None:
        sentence = "Must be a date, YYYY-MM-DD."
        raw = self._text(name, _DATE, sentence)
        try:
            return dt.date.fromisoformat(raw) if raw else None
        except ValueError:
            self.note(name, sentence)
            return None

    def _text(self, name: str, pattern: re.Pattern[str], sentence: str) -> str | None:
        raw = self.take(name)
        if raw is None:
            return None
        if isinstance(raw, str) and pattern.fullmatch(raw):
            return raw
        self.note(name, sentence)
        return None

    def finish(self) -> None:
        """Note what nobody read."""
        for name in self._left:
            self.note(name, "Is not known.")


def _decimal(raw: object) -> Decimal | None:
    """A number exactly as it is written: a float is read by its shortest form."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(raw))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _elements(raw: object, problems: _Problems) -> tuple[Element, ...]:
    if not isinstance(raw, list | tuple):
        problems.note("elements", "Must be a list.")
        return ()
    if len(raw) > MAX_ELEMENTS:
        problems.note("elements", f"Must have at most {MAX_ELEMENTS} entries.")
        return ()
    read = [_element(one, f"elements.{i}", problems) for i, one in enumerate(raw)]
    return tuple(one for one in read if one is not None)


def _element(raw: object, path: str, problems: _Problems) -> Element | None:
    fields = _Object.read(raw, path, problems)
    if fields is None:
        return None
    components = fields.take("price_components")
    restrictions = fields.take("restrictions")
    fields.finish()
    place = fields.path("price_components")
    if not isinstance(components, list) or not components:
        problems.note(place, "Must be a list with at least one component.")
        components = []
    read = [_component(one, f"{place}.{i}", problems) for i, one in enumerate(components)]
    found = tuple(one for one in read if one is not None)
    if len({one.type for one in found}) < len(found):
        problems.note(place, "Must have each type at most once.")
    if restrictions is None:
        return Element(found)
    return Element(found, _restrictions(restrictions, fields.path("restrictions"), problems))


def _component(raw: object, path: str, problems: _Problems) -> Component | None:
    fields = _Object.read(raw, path, problems)
    if fields is None:
        return None
    kind = _dimension(fields)
    if not fields.has("price"):
        fields.note("price", "Is required.")
    price = fields.number("price", decimals=PRICE_DECIMALS, most=MAX_PRICE)
    vat = fields.number("vat", decimals=4, most=Decimal(100)) or Decimal(0)
    step = fields.whole("step_size", most=MAX_STEP)
    fields.finish()
    if kind is None or price is None:
        return None
    return Component(kind, price * (100 + vat) / 100, vat, 1 if step is None else step)


def _dimension(fields: _Object) -> Dimension | None:
    raw = fields.take("type")
    for dimension in DIMENSIONS:
        if raw == dimension:
            return dimension
    fields.note("type", f"Must be one of {', '.join(DIMENSIONS)}.")
    return None


def _restrictions(raw: object, path: str, problems: _Problems) -> Restrictions | None:
    fields = _Object.read(raw, path, problems)
    if fields is None:
        return None
    for name in ("min_current", "max_current"):
        if fields.take(name) is not None:
            fields.note(name, "Restrictions by current are not supported.")
    read = Restrictions(
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
        start_date=fields.date("start_date"),
        end_date=fields.date("end_date"),
        days=_days(fields),
        min_wh=fields.kilo("min_kwh"),
        max_wh=fields.kilo("max_kwh"),
        min_power_w=fields.kilo("min_power"),
        max_power_w=fields.kilo("max_power"),
        min_duration=fields.duration("min_duration"),
        max_duration=fields.duration("max_duration"),
        is_reservation=_is_reservation(fields),
    )
    fields.finish()
    return None if read == Restrictions() else read


def _days(fields: _Object) -> frozenset[int]:
    raw = fields.take("day_of_week")
    if raw is None:
        return frozenset()
    if isinstance(raw, list) and all(day in DAYS for day in raw):
        return frozenset(DAYS.index(day) for day in raw)
    fields.note("day_of_week", f"Must be a list of {', '.join(DAYS)}.")
    return frozenset()


def _is_reservation(fields: _Object) -> bool:
    raw = fields.take("reservation")
    if raw is not None and raw not in RESERVATIONS:
        fields.note("reservation", f"Must be one of {', '.join(RESERVATIONS)}.")
    return raw is not None


def _bound(raw: object, path: str, rates: set[Decimal], problems: _Problems) -> PriceBound | None:
    fields = _Object.read(raw, path, problems) if raw is not None else None
    if fields is None:
        return None
    excl = fields.number("excl_vat", decimals=2, most=MAX_PRICE)
    incl = fields.number("incl_vat", decimals=2, most=MAX_PRICE)
    fields.finish()
    if excl is None and incl is None:
        problems.note(path, "Must have excl_vat or incl_vat.")
        return None
    bound = _completed(excl, incl, rates or {Decimal(0)})
    if bound is None:
        problems.note(path, "Must have excl_vat and incl_vat, because the tax rates differ.")
    elif bound.excl_vat > bound.incl_vat:
        problems.note(path, "Must not have excl_vat above incl_vat.")
    return bound


def _completed(
    excl: Decimal | None, incl: Decimal | None, rates: set[Decimal]
) -> PriceBound | None:
    """Both amounts, the missing one by the only tax rate; None when there are several."""
    if excl is not None and incl is not None:
        return PriceBound(to_minor(excl), to_minor(incl))
    if len(rates) > 1:
        return None
    (rate,) = rates
    factor = 1 + rate / 100
    net = excl if excl is not None else (incl or Decimal(0)) / factor
    gross = incl if incl is not None else net * factor
    return PriceBound(round_minor(net * 100), round_minor(gross * 100))
