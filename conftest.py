"""The shared cast: alice (funded driver), bob (empty wallet), olga (operator), one station."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.conf import settings

from billing.models import Payment, Tariff, User
from billing.payments import topups
from stations.models import Connector, Station, TariffAssignment

PRICE = Decimal("12.50")
PASSWORD = "correct horse battery staple"


def top_up(user: User, amount_minor: int, key: str = "") -> None:
    """Pay money in for a user, once a key, as a top-up that its provider confirms."""
    payment, _ = Payment.objects.get_or_create(
        pk=uuid.uuid5(user.pk, key or f"test-topup:{amount_minor}"),
        defaults={
            "user": user,
            "provider": "manual",
            "amount_minor": amount_minor,
            "currency": settings.CSMS_CURRENCY,
        },
    )
    topups.confirm(payment.pk)


@pytest.fixture(autouse=True)
def fast_passwords(settings):
    """Hash quickly: no test is about the strength of the hash."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(db):
    user = User.objects.create_user(
        "alice@example.org", email="alice@example.org", password=PASSWORD, name="Alice"
    )
    top_up(user, 100_000)
    return user


@pytest.fixture
def bob(db):
    return User.objects.create_user(
        "+996700000002", phone="+996700000002", password=PASSWORD, name="Bob"
    )


@pytest.fixture
def olga(db):
    return User.objects.create_user(
        "olga", email="olga@example.org", password=PASSWORD, is_staff=True, is_superuser=True
    )


@pytest.fixture
def tariff(db):
    row = Tariff.objects.create(currency="KGS", price_per_kwh=PRICE)
    TariffAssignment.objects.create(
        scope="default",
        tariff=row,
        valid_from=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    )
    return row


@pytest.fixture
def station(db, tariff):
    """Station K-1 with two connectors, never connected."""
    row = Station.objects.create(station_id="K-1", identity="k-1", security_profile=0)
    for number in (1, 2):
        Connector.objects.create(
            station=row, connector_id=number, status=Connector.Status.AVAILABLE
        )
    return row
