"""Receipts: numbered without a gap, issued once, never changed."""

import pytest
from django.db import IntegrityError, transaction

from billing.models import Receipt, ReceiptCounter

from .sales import bill_of, document

pytestmark = pytest.mark.django_db


def numbers():
    return list(Receipt.objects.order_by("number").values_list("number", flat=True))


def test_numbers_follow_each_other_over_all_users(alice, bob):
    for count in range(1, 6):
        document(alice if count % 2 else bob, reference=f"session:{count}")
    assert numbers() == [1, 2, 3, 4, 5]


def test_a_transaction_that_fails_leaves_no_gap(alice):
    document(alice, reference="session:1")
    with transaction.atomic():
        assert document(alice, reference="session:2").number == 2
        transaction.set_rollback(True)
    assert document(alice, reference="session:3").number == 2
    assert numbers() == [1, 2]
    assert ReceiptCounter.objects.get().last == 2


def test_what_is_documented_is_not_documented_again(alice):
    receipt = document(alice)
    assert document(alice) is None
    assert Receipt.objects.get() == receipt


def test_nothing_paid_is_no_receipt(alice):
    assert document(alice, 0) is None
    assert not Receipt.objects.exists()
    assert not ReceiptCounter.objects.exists()


def test_a_receipt_says_what_was_sold_and_by_whom(alice, settings):
    settings.CSMS_SELLER_NAME = "ОсОО «Кубат»"
    settings.CSMS_SELLER_ADDRESS = "Бишкек, Чүй 1"
    settings.CSMS_SELLER_TAX_ID = "01234567890123"
    settings.CSMS_SELLER_CONTACT = "+996 312 000000"
    receipt = document(alice, 100_000)
    assert (receipt.kind, receipt.refers_to, receipt.user) == ("receipt", None, alice)
    assert (receipt.total_minor, receipt.paid_minor) == (123_125, 100_000)
    assert receipt.difference_minor == 100_000
    stored = Receipt.objects.get().snapshot
    assert stored["seller"] == {
        "name": "ОсОО «Кубат»",
        "address": "Бишкек, Чүй 1",
        "tax_id": "01234567890123",
        "contact": "+996 312 000000",
    }
    assert stored["number"] == 1
    assert stored["issued_at"] == receipt.issued_at.isoformat()
    assert stored["lines"] == bill_of().to_json()["lines"]
    assert (stored["total"], stored["paid"], stored["corrects"]) == ("1231.25", "1000.00", None)
    assert "alice" not in str(stored).lower(), "a person's data must be erasable"


def test_a_correction_has_its_own_number_and_leaves_the_receipt_alone(alice):
    receipt = document(alice, 100_000)
    document(alice, reference="session:2")
    before = Receipt.objects.filter(pk=receipt.pk).values().get()
    lower = document(alice, 90_000)
    higher = document(alice, 95_000)
    assert [lower.number, higher.number] == [3, 4]
    assert {lower.refers_to, higher.refers_to} == {receipt}
    assert [lower.difference_minor, higher.difference_minor] == [-10_000, 5_000]
    assert higher.snapshot["corrects"] == {
        "number": 1,
        "issued_at": receipt.issued_at.isoformat(),
        "paid_before": "900.00",
    }
    assert Receipt.objects.filter(pk=receipt.pk).values().get() == before


def test_a_sale_that_is_paid_back_whole_is_corrected_to_nothing(alice):
    document(alice)
    correction = document(alice, 0)
    assert (correction.paid_minor, correction.tax_minor) == (0, 0)
    assert correction.difference_minor == -123_125


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "correction"},
        {"paid_minor": 0, "difference_minor": 0},
        {"difference_minor": 1},
        {"tax_minor": -1},
    ],
)
def test_the_database_refuses_a_receipt_that_cannot_be(alice, change):
    receipt = document(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Receipt.objects.filter(pk=receipt.pk).update(**change)


def test_the_database_refuses_a_second_receipt_of_one_sale(alice):
    receipt = document(alice)
    receipt.pk, receipt.number = None, 2
    with pytest.raises(IntegrityError), transaction.atomic():
        receipt.save(force_insert=True)
