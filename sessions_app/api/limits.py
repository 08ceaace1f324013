"""What `start_charge` may be asked for: each kind of limit with its precision and its bounds."""

import re
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.fields import EnergyField, MoneyField
from billing.energy import to_kwh
from billing.money import to_major

from ..models import ChargingSession
from ..services.holds import Limit

LimitType = ChargingSession.LimitType

MAX_AMOUNT_MINOR = 99_999_999_999
MAX_ENERGY_WH = 1_000_000_000
MAX_MINUTES = 30 * 24 * 60
MAX_CONNECTOR_ID = 2**31 - 1

_WHOLE = re.compile(r"-?[0-9]{1,15}(\.0*)?")


class WholeField(serializers.IntegerField):
    """A whole number, or a string of digits; 30.0 is whole, too."""

    def to_internal_value(self, data: Any) -> Any:
        # int() also reads "1_000" and the digits of every script.
        if isinstance(data, bool) or not _WHOLE.fullmatch(str(data).strip()):
            self.fail("invalid")
        return super().to_internal_value(str(data).strip())


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "number"}]})
class LimitValueField(serializers.Field[Any, Any, Any, Any]):
    """Taken as it came: what it may be depends on the kind of limit."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class StartRequest(serializers.Serializer[Any]):
    """What to charge, where, and up to which limit."""

    station_id = serializers.CharField(max_length=48)
    connector_id = WholeField(
        min_value=1,
        max_value=MAX_CONNECTOR_ID,
        allow_null=True,
        default=None,
        help_text="Default: the one in Preparing, else the lowest that is free.",
    )
    user_id = serializers.UUIDField(
        allow_null=True, default=None, help_text="Another driver: staff only."
    )
    limit_type = serializers.ChoiceField(choices=LimitType.choices)
    limit_value = LimitValueField(
        allow_null=True,
        default=None,
        help_text=(
            "amount: money, at most 2 decimals, up to 999999999.99. energy: kWh, at most 3 "
            "decimals, up to 1000000. time: whole minutes, up to 43200. soc: whole percent, "
            "1 to 100. full: no value."
        ),
    )
    max_amount = MoneyField(
        is_positive=True,
        max_integer=MAX_AMOUNT_MINOR,
        allow_null=True,
        default=None,
        help_text=(
            "The most to set aside, with any kind of limit. The session stops at whichever "
            "comes first."
        ),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        limit_type = LimitType(attrs["limit_type"])
        try:
            value = read_value(limit_type, attrs["limit_value"])
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"limit_value": error.detail}) from None
        # For the use case; `limit_type`, `limit_value` and `max_amount` are in it.
        return attrs | {"limit": Limit(limit_type, value, attrs["max_amount"])}


class RaiseRequest(serializers.Serializer[Any]):
    """What to raise of a running session; what is not named stays as it is."""

    limit_value = LimitValueField(
        allow_null=True,
        default=None,
        help_text="The new limit as a whole, in the unit of the session's kind of limit.",
    )
    max_amount = MoneyField(
        is_positive=True,
        max_integer=MAX_AMOUNT_MINOR,
        allow_null=True,
        default=None,
        help_text="The new sum to set aside at most, as a whole.",
    )


def read_raised(limit_type: ChargingSession.LimitType, data: Any) -> Decimal | None:
    """Return a raised limit's value, None where none is named. Raises ValidationError."""
    if data is None:
        return None
    try:
        return read_value(limit_type, data)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"limit_value": error.detail}) from None


def read_value(limit_type: ChargingSession.LimitType, data: Any) -> Decimal | None:
    """Return a limit's value in som, kWh, minutes or percent. Raises ValidationError."""
    if limit_type == LimitType.FULL:
        if data is not None:
            raise serializers.ValidationError(["This limit takes no value."])
        return None
    if data is None:
        raise serializers.ValidationError(["This limit needs a value."])
    match limit_type:
        case LimitType.AMOUNT:
            money = MoneyField(is_positive=True, max_integer=MAX_AMOUNT_MINOR)
            return to_major(money.run_validation(data))
        case LimitType.ENERGY:
            energy = EnergyField(is_positive=True, max_integer=MAX_ENERGY_WH)
            return to_kwh(energy.run_validation(data))
        case LimitType.TIME:
            return Decimal(WholeField(min_value=1, max_value=MAX_MINUTES).run_validation(data))
        case LimitType.SOC:
            return Decimal(WholeField(min_value=1, max_value=100).run_validation(data))
