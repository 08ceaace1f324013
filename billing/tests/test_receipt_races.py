"""Many receipts at the same moment, and some transactions that fail: no gap and none twice."""

from functools import partial

import pytest
from django.db import transaction

from billing.models import Receipt

from .sales import document
from .threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)


class Failed(Exception):
    """What goes wrong after a number was taken."""


def fail(user, reference):
    with transaction.atomic():
        document(user, reference=reference)
        raise Failed


def test_numbers_have_no_gap_whatever_fails_meanwhile(alice):
    calls = [
        partial(fail if count % 3 == 0 else document, alice, reference=f"session:{count}")
        for count in range(18)
    ]
    outcomes = in_parallel(calls)
    assert sum(isinstance(outcome, Failed) for outcome in outcomes) == 6
    numbers = Receipt.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 13))
