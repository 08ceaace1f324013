"""How sessions and tags look in the API."""

from decimal import Decimal
from typing import Any

from billing.api.fields import EnergyField, MoneyField
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import Tariff, User
from billing.money import to_minor, to_text

from ..models import ChargingSession, IdTag, SessionStatus
from .filters import TAG_STATES

LimitType = ChargingSession.LimitType
VALUE_DECIMALS = {LimitType.AMOUNT: 2, LimitType.ENERGY: 3, LimitType.TIME: 0, LimitType.SOC: 0}


class TextOrNull(serializers.CharField):
    """An empty text is null outside."""

    def to_representation(self, value: str) -> str | None:  # type: ignore[override]
        return value or None


class BillLineSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    quantity = serializers.CharField()
    unit = serializers.CharField()
    unit_price = serializers.CharField()
    amount = serializers.CharField()
    tax = serializers.CharField()


class SessionBillSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    lines = BillLineSerializer(many=True)
    total = serializers.CharField(help_text="As priced.")
    tax = serializers.CharField(help_text="Contained in the total.")
    overshoot = serializers.CharField(
        allow_null=True, help_text="Total less cost: the operator's loss. Null until settled."
    )


class SessionTariffSerializer(serializers.Serializer[Tariff]):
    """The terms that this session keeps."""

    id = serializers.SerializerMethodField(help_text="As at /ocpp/tariffs.")
    version = serializers.SerializerMethodField()
    name = TextOrNull(allow_null=True)
    currency = serializers.CharField()
    price_per_kwh = serializers.SerializerMethodField()
    vat_percent = serializers.DecimalField(max_digits=5, decimal_places=2)
    elements = serializers.ListField(child=serializers.DictField())

    def get_id(self, tariff: Tariff) -> str:
        assignment = getattr(tariff, "assignment", None)
        return str(assignment.scope_id if assignment else tariff.pk)

    def get_version(self, tariff: Tariff) -> int | None:
        return getattr(getattr(tariff, "assignment", None), "version", None)

    def get_price_per_kwh(self, tariff: Tariff) -> str | None:
        price = tariff.price_per_kwh
        return None if price is None else price_text(price)


class SessionSerializer(serializers.Serializer[ChargingSession]):
    id = serializers.UUIDField()
    user_id = serializers.UUIDField(allow_null=True)
    station_id = serializers.CharField(source="station.station_id")
    connector_id = serializers.IntegerField(allow_null=True)
    transaction_id = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(choices=SessionStatus.choices)
    limit_type = serializers.ChoiceField(choices=LimitType.choices)
    limit_value = serializers.SerializerMethodField()
    energy_limit_kwh = EnergyField(source="energy_limit_wh", allow_null=True)
    hold_amount = MoneyField(source="hold_minor")
    energy_kwh = EnergyField(source="energy_wh")
    cost = MoneyField(source="cost_minor", help_text="Running; in the end what the driver paid.")
    currency = serializers.CharField()
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    stopped_at = serializers.DateTimeField(allow_null=True)
    stop_reason = TextOrNull(allow_null=True)
    error_code = TextOrNull(allow_null=True)
    lost = serializers.SerializerMethodField()
    tariff = SessionTariffSerializer(allow_null=True)
    bill = serializers.SerializerMethodField()

    def get_limit_value(self, session: ChargingSession) -> str | None:
        if session.limit_value is None:
            return None
        return f"{session.limit_value:.{VALUE_DECIMALS[LimitType(session.limit_type)]}f}"

    def get_lost(self, session: ChargingSession) -> bool:
        return session.lost_at is not None

    @extend_schema_field(SessionBillSerializer(allow_null=True))
    def get_bill(self, session: ChargingSession) -> dict[str, Any] | None:
        if session.bill is None:
            return None
        shown = {name: session.bill[name] for name in ("currency", "lines", "total", "tax")}
        return shown | {"overshoot": overshoot_text(session)}


class RefusedSessionSerializer(SessionSerializer):
    """A start that was not covered: the session that records it, with the error."""

    code = serializers.CharField()
    detail = serializers.CharField()


class StopRequest(serializers.Serializer[Any]):
    session_id = serializers.UUIDField()


class IdTagSerializer(serializers.Serializer[IdTag]):
    id_tag = serializers.CharField()
    user_id = serializers.UUIDField(allow_null=True)
    status = serializers.SerializerMethodField()
    parent_id_tag = TextOrNull(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(choices=TAG_STATES))
    def get_status(self, tag: IdTag) -> str:
        """Expired is an accepted tag whose time is over; a blocked one stays blocked."""
        is_over = tag.status == IdTag.Status.ACCEPTED and tag.is_expired()
        return "Expired" if is_over else tag.status


class IdTagRequest(serializers.Serializer[Any]):
    """A tag as staff states it; null clears what may be empty."""

    id_tag = serializers.CharField(max_length=20)
    user_id = serializers.PrimaryKeyRelatedField(
        source="user", queryset=User.objects.all(), allow_null=True, required=False
    )
    status = serializers.ChoiceField(choices=IdTag.Status.choices, required=False)
    parent_id_tag = serializers.CharField(
        max_length=20, allow_null=True, allow_blank=True, required=False
    )
    expires_at = serializers.DateTimeField(allow_null=True, required=False)

    def validate_parent_id_tag(self, value: str | None) -> str:
        return value or ""


def overshoot_text(session: ChargingSession) -> str | None:
    """What was delivered and not paid for, once that is decided."""
    if session.bill is None or session.status != SessionStatus.COMPLETED:
        return None
    return to_text(to_minor(Decimal(session.bill["total"])) - session.cost_minor)


def price_text(price: Decimal) -> str:
    """A unit price with the decimals that it needs, at least two."""
    exponent = int(price.normalize().as_tuple().exponent)
    return f"{price:.{max(2, -exponent)}f}"
