"""How a bill looks in the API: `billing.pricing.Bill.to_json`."""

from typing import Any

from rest_framework import serializers


class BillLineSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(help_text="ENERGY, TIME, PARKING_TIME, FLAT or a bound.")
    quantity = serializers.CharField()
    unit = serializers.CharField()
    unit_price = serializers.CharField()
    vat_percent = serializers.CharField(
        allow_null=True, help_text="Null in a bound over lines of several rates."
    )
    amount = serializers.CharField(help_text="Tax included.")
    tax = serializers.CharField()


class BillSerializer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    lines = BillLineSerializer(many=True)
    total = serializers.CharField(help_text="As priced.")
    tax = serializers.CharField(help_text="Contained in the total.")
