"""How sessions and tags look in the API."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.bills import BillSerializer
from billing.api.fields import EnergyField, MoneyField
from billing.models import Tariff, User
from billing.money import to_minor, to_text
from stations.api.fields import ReasonField, TextOrNull, UnitPriceField

from ..models import ChargingSession, IdTag, SessionStatus
from .filters import TAG_STATES

LimitType = ChargingSession.LimitType
VALUE_DECIMALS = {LimitType.AMOUNT: 2, LimitType.ENERGY: 3, LimitType.TIME: 0, LimitType.SOC: 0}


class SessionBillSerializer(BillSerializer):
    overshoot = serializers.CharField(
        allow_null=True, help_text="Total less cost: the operator's loss. Null until settled."
    )


class SessionTariffSerializer(serializers.Serializer[Tariff]):
    """The terms that this session keeps, whatever is sold now."""

    id = serializers.UUIDField(source="assignment.scope_id", help_text="As at /ocpp/tariffs.")
    version = serializers.IntegerField(source="assignment.version")
    name = TextOrNull()
    currency = serializers.CharField()
    price_per_kwh = UnitPriceField(max_digits=14, decimal_places=6, allow_null=True)
    vat_percent = serializers.DecimalField(max_digits=5, decimal_places=2)
    elements = serializers.ListField(child=serializers.DictField())
    min_price = serializers.JSONField(source="terms.min_price", default=None)
    max_price = serializers.JSONField(source="terms.max_price", default=None)
    parking_grace_s = serializers.IntegerField(source="terms.parking_grace_s", default=0)


class SessionSerializer(serializers.Serializer[ChargingSession]):
    id = serializers.UUIDField()
    user_id = serializers.UUIDField(allow_null=True)
    station_id = serializers.CharField(source="station.station_id")
    connector_id = serializers.IntegerField(allow_null=True)
    transaction_id = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(choices=SessionStatus.choices)
    limit_type = serializers.ChoiceField(choices=LimitType.choices)
    limit_value = serializers.SerializerMethodField()
    max_amount = MoneyField(
        source="max_amount_minor",
        allow_null=True,
        help_text="The most that the driver wants on hold; null: no such bound.",
    )
    energy_limit_kwh = EnergyField(source="energy_limit_wh", allow_null=True)
    hold_amount = MoneyField(source="hold_minor")
    energy_kwh = EnergyField(source="energy_wh")
    cost = MoneyField(source="cost_minor", help_text="Running; in the end what the driver paid.")
    currency = serializers.CharField()
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    stopped_at = serializers.DateTimeField(allow_null=True)
    stop_reason = TextOrNull()
    error_code = TextOrNull()
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
    parent_id_tag = TextOrNull()
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(choices=TAG_STATES))
    def get_status(self, tag: IdTag) -> str:
        """Expired is an accepted tag whose time is over; a blocked one stays blocked."""
        is_over = tag.status == IdTag.Status.ACCEPTED and tag.is_expired()
        return "Expired" if is_over else tag.status


class IdTagRequest(serializers.Serializer[Any]):
    """A tag as staff state it; null clears what may be empty."""

    id_tag = serializers.CharField(max_length=20)
    user_id = serializers.PrimaryKeyRelatedField(
        source="user", queryset=User.objects.all(), allow_null=True, required=False
    )
    status = serializers.ChoiceField(choices=IdTag.Status.choices, required=False)
    parent_id_tag = TextOrNull(max_length=20)
    expires_at = serializers.DateTimeField(allow_null=True, required=False)
    reason = ReasonField()


def overshoot_text(session: ChargingSession) -> str | None:
    """What was delivered and not paid for, once that is decided."""
    if session.bill is None or session.status != SessionStatus.COMPLETED:
        return None
    return to_text(to_minor(Decimal(session.bill["total"])) - session.cost_minor)
