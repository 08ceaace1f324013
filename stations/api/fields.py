"""What the fields of this API have in common: how texts, numbers and JSON are read and written."""

import functools
import re
import zoneinfo
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
_TEXT_OR_NUMBER = {"oneOf": [{"type": "string", "format": "decimal"}, {"type": "number"}]}

REASON = OpenApiParameter("reason", str, description="Why, for the record.")
"""A DELETE has no body to say it in."""


def parse(
    kind: type[serializers.Serializer[Any]], request: Request, *, partial: bool = False
) -> dict[str, Any]:
    """Read the body of a request; with `partial`, only what it names. Raises ValidationError."""
    reader = kind(data=request.data, partial=partial)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


class TextOrNull(serializers.CharField):
    """A text that may be missing: null outside is the empty text inside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, "allow_blank": True, "required": False} | kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation("" if data is None else data)

    def to_representation(self, value: str) -> str | None:  # type: ignore[override]
        return value or None


class ReasonField(TextOrNull):
    """Why staff did it, for the record."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 200, "help_text": "Why, for the record."} | kwargs)


def reason_in_query(request: Request) -> str:
    """Read `?reason=`. Raises ValidationError."""
    reason: str = ReasonField().run_validation(request.query_params.get("reason"))
    return reason


class IdentityField(serializers.CharField):
    """What a station is called: 1 to 48 printable characters except the slash."""

    default_error_messages = {"unprintable": "Use printable characters, and no slash."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=48, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        identity = super().to_internal_value(data)
        if not identity.isprintable() or "/" in identity:
            self.fail("unprintable")
        return identity


class TimeZoneField(TextOrNull):
    """A name of the IANA time zone database."""

    default_error_messages = {"unknown": "There is no such time zone."}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name and name not in _time_zones():
            self.fail("unknown")
        return name


@functools.cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@extend_schema_field(_TEXT_OR_NUMBER)
class NumberField(serializers.DecimalField):
    """A number or its digits as a string; never a boolean, an exponent, infinity or "1_000"."""

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            self.fail("invalid")
        text = data.strip() if isinstance(data, str) else f"{Decimal(str(data)):f}"
        if not _NUMBER.fullmatch(text):
            self.fail("invalid")
        return super().to_internal_value(text)


class UnitPriceField(serializers.DecimalField):
    """A price of one unit, with the decimals that it needs and at least two."""

    def to_representation(self, value: Any) -> str:
        exponent = int(value.normalize().as_tuple().exponent)
        return f"{value:.{max(2, -exponent)}f}"
