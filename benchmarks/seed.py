"""Fill a migrated database: an operator, a price, stations, and drivers with money.

`python -m benchmarks.seed STATIONS DRIVERS`, with Kubat's settings in the environment.
"""

import os
import sys

import django

WALLET_MINOR = 100_000_000
PRICE_PER_KWH = "12.50"


def main(stations: int, drivers: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    add_operator()
    add_stations(stations)
    add_price()
    for number in range(1, drivers + 1):
        print(add_driver(number))


def add_operator() -> None:
    from billing.models import User

    from .api import OPERATOR, PASSWORD

    User.objects.create_superuser(OPERATOR, email="olga@example.org", password=PASSWORD)


def add_price() -> None:
    import datetime as dt
    from decimal import Decimal

    from billing.models import Tariff
    from stations.models import TariffAssignment

    tariff = Tariff.objects.create(currency="KGS", price_per_kwh=Decimal(PRICE_PER_KWH))
    since = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    TariffAssignment.objects.create(scope="default", tariff=tariff, valid_from=since)


def add_stations(count: int) -> None:
    from stations import keys
    from stations.models import Connector, Station

    from .fleet import KEY, station_id

    digest = keys.digest(KEY)
    names = [station_id(number) for number in range(1, count + 1)]
    rows = Station.objects.bulk_create(
        [Station(station_id=name, identity=name.casefold(), key_digest=digest) for name in names]
    )
    Connector.objects.bulk_create([Connector(station=row, connector_id=1) for row in rows])


def add_driver(number: int) -> str:
    """Return the id of a new driver with a million."""
    import uuid

    from billing.models import Payment, User
    from billing.payments import topups

    user = User.objects.create_user(f"driver-{number}@example.org")
    payment = Payment.objects.create(
        pk=uuid.uuid4(),
        user=user,
        provider="manual",
        amount_minor=WALLET_MINOR,
        currency="KGS",
    )
    topups.confirm(payment.pk)
    return str(user.pk)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
