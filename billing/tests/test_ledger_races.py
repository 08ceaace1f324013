"""Many at the same moment, on the database that the suite runs on."""

from functools import partial

import pytest
from django.db import connection, transaction

from billing import ledger
from billing.errors import HoldResolved, InsufficientFunds
from billing.ledger import Kind
from billing.models import Account, Transfer
from billing.money import Minor
from conftest import top_up

from .threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)


def hold(user, key: str, amount: int = 100) -> Transfer:
    return ledger.hold(
        key=key, account=ledger.account_of(user), amount=Minor(amount), reference=key
    )


def move(key: str, debit: Account, credit: Account, amount: int = 1) -> Transfer:
    return ledger.post(
        key=key,
        code=Transfer.Code.ADJUSTMENT,
        debit=debit,
        credit=credit,
        amount=Minor(amount),
    )


def test_thirty_holds_at_once_on_a_balance_for_five(bob):
    top_up(bob, 599)
    outcomes = in_parallel([partial(hold, bob, f"hold:{number}") for number in range(30)])
    assert sum(isinstance(outcome, Transfer) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, InsufficientFunds) for outcome in outcomes) == 25
    account = ledger.account_of(bob)
    assert (account.balance_minor, account.held_minor) == (599, 500)
    assert Transfer.objects.pending().count() == 5


def test_one_key_at_once_from_ten_holds_once(alice):
    outcomes = in_parallel([partial(hold, alice, "hold:same")] * 10)
    assert len({outcome.pk for outcome in outcomes}) == 1
    assert ledger.account_of(alice).held_minor == 100


def test_one_hold_captured_and_voided_at_once_is_resolved_once(alice):
    pending = hold(alice, "hold:1")
    calls = [partial(ledger.capture, pending, Minor(60)), partial(ledger.void, pending)] * 5
    outcomes = in_parallel(calls)
    kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, Transfer)}
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Transfer)]
    assert len(kinds) == 1
    assert len(refused) == 5
    assert all(isinstance(outcome, HoldResolved) for outcome in refused)
    account = ledger.account_of(alice)
    taken = 60 if kinds == {Transfer.Kind.CAPTURED} else 0
    assert (account.balance_minor, account.held_minor) == (100_000 - taken, 0)


def test_transfers_that_cross_do_not_wait_for_each_other(alice, bob):
    top_up(bob, 100_000)
    mine, theirs = ledger.account_of(alice), ledger.account_of(bob)
    calls = [
        partial(move, f"move:{number}", *((mine, theirs) if number % 2 else (theirs, mine)))
        for number in range(20)
    ]
    assert [type(outcome) for outcome in in_parallel(calls)] == [Transfer] * 20
    assert ledger.account_of(alice).balance_minor == 100_000
    assert ledger.account_of(bob).balance_minor == 100_000


def test_an_account_that_ten_need_first_is_made_once(bob):
    accounts = in_parallel([partial(ledger.account_of, bob)] * 10)
    houses = in_parallel([partial(ledger.house, Kind.LOSS)] * 10)
    assert len({account.pk for account in accounts}) == 1
    assert len({account.pk for account in houses}) == 1


@pytest.mark.on_postgres
def test_a_hold_does_not_wait_for_a_settlement(alice):
    """A hold refers to sales. Were it to wait for a settlement that has locked sales and waits
    for alice's account in its turn, the two would wait for each other.
    """
    sales = ledger.house(Kind.SALES)

    def start() -> Transfer:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        return hold(alice, "hold:1")

    with transaction.atomic():
        ledger.lock(sales)
        (started,) = in_parallel([start])
    assert isinstance(started, Transfer)
    assert ledger.account_of(alice).held_minor == 100
