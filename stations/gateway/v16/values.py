"""Read single values of OCPP 1.6 payloads, strictly but without ever failing: None is "unreadable".

Payloads that break their schema come here too, so any value may be of any type.
"""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Payload = Mapping[str, Any]

_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z", re.ASCII)
"""As nearly all stations write a time; datetime reads it in a tenth of the time."""

LARGEST = Decimal(10) ** 11
"""Above what any meter can show, and below what a row can hold."""
FINEST = Decimal("0.000001")
MAX_INT32 = 2**31 - 1

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)


def text(payload: Payload, key: str, *, length: int = 255) -> str:
    """A string without U+0000, cut to `length`; empty when absent or no string."""
    value = payload.get(key)
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:length]


def integer(payload: Payload, key: str) -> int | None:
    """A whole number that fits int32, also when it came as a string; else None."""
    value = decimal(payload.get(key))
    if value is None or value != value.to_integral_value() or abs(value) > MAX_INT32:
        return None
    return int(value)


def decimal(value: Any) -> Decimal | None:
    """A finite number of a size that a meter can show, to six decimals at most; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= LARGEST:
        return None
    return number.quantize(FINEST).normalize()  # 0E-9999 is a number, and long to write out


_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*", re.ASCII)
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3},\d{3}\s*", re.ASCII)


def amount(value: Any) -> Decimal | None:
    """A number as a meter writes it, also with a decimal comma; "1,234" could be either."""
    if isinstance(value, str) and _COMMA.fullmatch(value) and not _THOUSANDS.fullmatch(value):
        return decimal(value.replace(",", "."))
    return decimal(value)


def moment(value: Any) -> dt.datetime | None:
    """An RFC 3339 time in UTC; one without a zone is taken as UTC, as many stations mean it."""
    if not isinstance(value, str):
        return None
    if _PLAIN_TIME.fullmatch(value):
        try:
            return dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    return _read_moment(value)


def _read_moment(value: str) -> dt.datetime | None:
    found = _TIME.fullmatch(value.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, zone_h, zone_min = found.groups()
    try:
        at = dt.datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=dt.UTC,
        )
        return at - _offset(sign, zone_h, zone_min)
    except (ValueError, OverflowError):
        return None


def _offset(sign: str | None, hours: str | None, minutes: str | None) -> dt.timedelta:
    if sign is None:
        return dt.timedelta()
    size = dt.timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if size >= dt.timedelta(days=1):
        raise ValueError(hours)
    return size if sign == "+" else -size


def objects(payload: Payload, key: str) -> list[dict[str, Any]]:
    """The objects of a list; what is no object is left out."""
    value = payload.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
