"""Sales to document, made up: billing knows nothing of chargers, so its tests need none."""

from decimal import Decimal

from django.db import transaction

from billing.money import Minor
from billing.pricing import Bill, Line
from billing.receipts.issue import issue
from billing.receipts.snapshot import Sale

SALE = Sale(
    place="Дордой",
    address="Бишкек, төмөнкү кире бериш",
    connector=2,
    started_at="2026-11-24T08:05:00+00:00",
    ended_at="2026-11-24T08:47:30+00:00",
    time_zone="Asia/Bishkek",
    energy_kwh="98.500",
    tariff="",
    price_per_kwh="12.50",
)


def bill_of(amount=123_125, vat="12", kind="ENERGY"):
    tax = round(amount * int(vat) / (100 + int(vat))) if vat else 0
    line = Line(
        type=kind,
        quantity=Decimal(amount) / 1250,
        unit="kWh",
        unit_price=Decimal("12.5"),
        amount=Minor(amount),
        tax=Minor(tax),
        vat_percent=Decimal(vat) if vat else None,
    )
    return Bill("KGS", (line,))


def document(user, paid=123_125, *, reference="session:1", bill=None, sale=SALE):
    bill = bill or bill_of()
    tax = Minor(bill.tax * paid // bill.total)
    with transaction.atomic():
        return issue(
            user=user, reference=reference, sale=sale, bill=bill, paid=Minor(paid), tax=tax
        )
