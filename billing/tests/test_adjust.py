import uuid

import pytest

from billing import ledger
from billing.adjust import adjust_balance
from billing.errors import Conflict, InsufficientFunds, Invalid
from billing.models import Transfer
from billing.money import Minor

pytestmark = pytest.mark.django_db


def balances(user) -> tuple[int, int]:
    return (
        ledger.account_of(user).balance_minor,
        ledger.house(ledger.Kind.ADJUSTMENT).balance_minor,
    )


def adjust(user, amount, made_by, reason="goodwill", **extra) -> Transfer:
    return adjust_balance(user=user, amount=Minor(amount), reason=reason, made_by=made_by, **extra)


def test_staff_give_and_take_with_a_reason(alice, olga):
    given = adjust(alice, 5_000, olga, " the station was cold ")
    assert balances(alice) == (105_000, -5_000)
    assert (given.reason, given.made_by) == ("the station was cold", olga)
    adjust(alice, -7_000, olga)
    assert balances(alice) == (98_000, 2_000)


def test_what_is_on_hold_is_not_taken(alice, olga):
    ledger.hold(
        key="hold:1", account=ledger.account_of(alice), amount=Minor(60_000), reference="session:1"
    )
    with pytest.raises(InsufficientFunds):
        adjust(alice, -40_001, olga)
    adjust(alice, -40_000, olga)
    assert balances(alice) == (60_000, 40_000)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_a_reason_is_needed(alice, olga, reason):
    with pytest.raises(Invalid) as refused:
        adjust(alice, 100, olga, reason)
    assert "reason" in refused.value.fields
    assert balances(alice) == (100_000, 0)


def test_nothing_is_no_adjustment(alice, olga):
    with pytest.raises(Invalid):
        adjust(alice, 0, olga)


def test_a_form_that_is_sent_twice_adjusts_once(alice, bob, olga):
    request_id = uuid.uuid4()
    first = adjust(alice, 100, olga, request_id=request_id)
    assert adjust(alice, 100, olga, request_id=request_id) == first
    with pytest.raises(Conflict):
        adjust(bob, 100, olga, request_id=request_id)
    assert balances(alice) == (100_100, -100)
