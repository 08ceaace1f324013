"""Money and energy as the API writes them: decimal strings outside, integers inside."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction
from rest_framework import serializers

from .. import energy, money

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


class _ScaledField(serializers.DecimalField):
    """An integer inside that is a decimal string with a fixed number of places outside.

    Reads a number or a string, at most `places` decimals; `is_positive` refuses 0 and less.
    """

    places: int
    example: str
    to_integer: Callable[[Decimal], int]
    to_text: Callable[[int], str]

    default_error_messages = {"not_positive": "Ensure this value is greater than 0."}

    def __init__(
        self, *, is_positive: bool = False, max_integer: int = money.MAX_MINOR, **kwargs: Any
    ) -> None:
        self.is_positive = is_positive
        self.max_integer = max_integer
        super().__init__(max_digits=18, decimal_places=self.places, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        # Decimal() also reads "1_000", "inf" and the digits of every script.
        if isinstance(data, bool) or not _NUMBER.fullmatch(str(data).strip()):
            self.fail("invalid")
        value = type(self).to_integer(super().to_internal_value(data))
        if self.is_positive and value <= 0:
            self.fail("not_positive")
        if abs(value) > self.max_integer:
            self.fail("max_value", max_value=type(self).to_text(self.max_integer))
        return value

    def to_representation(self, value: Any) -> Any:
        return type(self).to_text(value)


class MoneyField(_ScaledField):
    """Minor units inside, "23.00" outside."""

    places = money.DECIMALS
    example = "23.00"
    to_integer = staticmethod(money.to_minor)
    to_text = staticmethod(money.to_text)


class EnergyField(_ScaledField):
    """Watt-hours inside, kWh as "2.300" outside."""

    places = 3
    example = "2.300"
    to_integer = staticmethod(energy.to_wh)
    to_text = staticmethod(energy.to_text)


class _ScaledFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """OpenAPI: a string that looks so; a request may also write a number."""

    target_class = _ScaledField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        text = {
            "type": "string",
            "format": "decimal",
            "pattern": rf"^-?\d+\.\d{{{self.target.places}}}$",
            "example": self.target.example,
        }
        if direction == "response":
            return text
        text["pattern"] = rf"^-?\d+(\.\d{{1,{self.target.places}}})?$"
        return {"oneOf": [text, {"type": "number"}]}
