"""Money stories whose numbers a reader can add up."""

import pytest
from django.db import IntegrityError, transaction

from billing import ledger
from billing.errors import Conflict, HoldResolved, InsufficientFunds
from billing.ledger import Kind
from billing.models import Account, Transfer
from billing.money import Minor
from conftest import top_up

Code = Transfer.Code


def books() -> dict[str, tuple[int, int]]:
    """Balance and held of every account that has moved, by its owner or kind."""
    return {
        account.owner.name if account.owner else account.kind: (
            account.balance_minor,
            account.held_minor,
        )
        for account in Account.objects.select_related("owner")
        if account.balance_minor or account.held_minor
    }


def hold(user, amount, reference="session:1", key="") -> Transfer:
    return ledger.hold(
        key=key or f"hold:{reference}",
        account=ledger.account_of(user),
        amount=Minor(amount),
        reference=reference,
    )


def pay_back(user, amount, key="correction:1") -> Transfer:
    return ledger.post(
        key=key,
        code=Code.CORRECTION,
        debit=ledger.house(Kind.SALES),
        credit=ledger.account_of(user),
        amount=Minor(amount),
    )


def test_alice_charges_for_478_of_500_som(alice):
    assert books() == {"Alice": (100_000, 0), "funding": (-100_000, 0)}

    pending = hold(alice, 50_000)
    assert books() == {"Alice": (100_000, 50_000), "funding": (-100_000, 0)}

    ledger.capture(pending, Minor(47_825))
    assert books() == {"Alice": (52_175, 0), "funding": (-100_000, 0), "sales": (47_825, 0)}

    # 12 % tax is inside the price: 47,825 × 12 / 112 = 5,124.
    ledger.post(
        key="tax:1",
        code=Code.TAX,
        debit=ledger.house(Kind.SALES),
        credit=ledger.house(Kind.TAX),
        amount=Minor(5_124),
    )
    assert books() == {
        "Alice": (52_175, 0),
        "funding": (-100_000, 0),
        "sales": (42_701, 0),
        "tax": (5_124, 0),
    }


def test_two_charges_share_one_balance_and_a_lower_meter_pays_back(alice):
    first = hold(alice, 60_000, "session:1")
    second = hold(alice, 40_000, "session:2")
    assert books()["Alice"] == (100_000, 100_000)
    with pytest.raises(InsufficientFunds):
        hold(alice, 1, "session:3")

    ledger.capture(first, Minor(60_000))
    assert books()["Alice"] == (40_000, 40_000)
    ledger.void(second)
    assert books()["Alice"] == (40_000, 0)
    pay_back(alice, 10_000)
    assert books()["Alice"] == (50_000, 0)
    assert books()["sales"] == (50_000, 0)


def test_what_is_on_hold_cannot_be_spent_otherwise(alice):
    hold(alice, 90_000)
    with pytest.raises(InsufficientFunds):
        ledger.post(
            key="adjust:1",
            code=Code.ADJUSTMENT,
            debit=ledger.account_of(alice),
            credit=ledger.house(Kind.ADJUSTMENT),
            amount=Minor(10_001),
        )
    assert books()["Alice"] == (100_000, 90_000)
    assert not Transfer.objects.filter(key="adjust:1").exists()


def test_bob_with_an_empty_wallet_holds_nothing_and_leaves_no_row(bob):
    with pytest.raises(InsufficientFunds):
        hold(bob, 1)
    assert books() == {}
    assert not Transfer.objects.exists()


def test_the_operators_accounts_may_go_below_zero(bob):
    top_up(bob, 500)
    ledger.post(
        key="loss:1",
        code=Code.LOSS,
        debit=ledger.house(Kind.LOSS),
        credit=ledger.house(Kind.SALES),
        amount=Minor(300),
    )
    assert books() == {"Bob": (500, 0), "funding": (-500, 0), "loss": (-300, 0), "sales": (300, 0)}


def test_the_same_key_moves_money_once(alice):
    assert hold(alice, 500) == hold(alice, 500)
    assert pay_back(alice, 100) == pay_back(alice, 100)
    assert books()["Alice"] == (100_100, 500)


def test_a_repeated_hold_is_the_first_one_though_nothing_is_left(alice):
    first = hold(alice, 100_000)
    assert hold(alice, 100_000) == first
    assert books()["Alice"] == (100_000, 100_000)


def test_a_key_means_one_movement(alice, bob):
    hold(alice, 500)
    with pytest.raises(Conflict):
        hold(alice, 501)
    with pytest.raises(Conflict):
        hold(bob, 500)
    with pytest.raises(Conflict):
        pay_back(alice, 500, key="hold:session:1")
    assert books()["Alice"] == (100_000, 500)


def test_a_capture_happens_once(alice):
    pending = hold(alice, 500)
    assert ledger.capture(pending, Minor(300)) == ledger.capture(pending, Minor(300))
    assert books()["Alice"] == (99_700, 0)


def test_a_captured_hold_is_neither_captured_otherwise_nor_voided(alice):
    pending = hold(alice, 500)
    ledger.capture(pending, Minor(300))
    with pytest.raises(HoldResolved):
        ledger.capture(pending, Minor(301))
    with pytest.raises(HoldResolved):
        ledger.void(pending)
    assert books()["Alice"] == (99_700, 0)


def test_a_voided_hold_is_not_captured(alice):
    pending = hold(alice, 500)
    assert ledger.void(pending) == ledger.void(pending)
    with pytest.raises(HoldResolved):
        ledger.capture(pending, Minor(500))
    assert books()["Alice"] == (100_000, 0)


def test_a_capture_of_nothing_is_a_void(alice):
    assert ledger.capture(hold(alice, 500), Minor(0)).kind == Transfer.Kind.VOIDED
    assert books()["Alice"] == (100_000, 0)


@pytest.mark.parametrize("amount", [501, -1])
def test_a_capture_stays_within_its_hold(alice, amount):
    pending = hold(alice, 500)
    with pytest.raises(ValueError):
        ledger.capture(pending, Minor(amount))
    assert ledger.pending_hold("session:1") == pending


def test_a_hold_that_was_given_back_and_taken_smaller_is_captured_at_most_so(alice):
    ledger.void(hold(alice, 500))
    smaller = hold(alice, 200, key="hold:session:1:again")
    assert ledger.pending_hold("session:1") == smaller
    with pytest.raises(ValueError):
        ledger.capture(smaller, Minor(500))
    ledger.capture(smaller, Minor(200))
    assert ledger.pending_hold("session:1") is None
    assert books()["Alice"] == (99_800, 0)


def test_only_a_hold_can_be_resolved(alice):
    moved = pay_back(alice, 100)
    for resolve in (ledger.void, lambda transfer: ledger.capture(transfer, Minor(100))):
        with pytest.raises(ValueError):
            resolve(moved)
    assert books()["Alice"] == (100_100, 0)


@pytest.mark.parametrize("amount", [0, -5])
def test_a_transfer_moves_a_positive_amount(alice, amount):
    with pytest.raises(ValueError):
        pay_back(alice, amount)
    with pytest.raises(ValueError):
        hold(alice, amount)


def test_a_transfer_needs_two_accounts_of_one_currency(alice, bob):
    mine = ledger.account_of(alice)
    foreign = Account.objects.create(kind=Kind.CUSTOMER, owner=bob, currency="USD")
    for credit in (mine, foreign):
        with pytest.raises(ValueError):
            ledger.post(key="x", code=Code.ADJUSTMENT, debit=mine, credit=credit, amount=Minor(1))
    assert books()["Alice"] == (100_000, 0)


def test_the_database_itself_refuses_a_customer_below_what_is_held(alice):
    account = ledger.account_of(alice)
    for values in ({"balance_minor": -1}, {"held_minor": 100_001}, {"held_minor": -1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Account.objects.filter(pk=account.pk).update(**values)


def test_each_kind_of_house_account_exists_once(db):
    assert ledger.house(Kind.SALES) == ledger.house(Kind.SALES)
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.create(kind=Kind.SALES, currency="KGS")
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.create(kind=Kind.CUSTOMER, currency="KGS")


def test_changes_of_transfers_add_up_to_the_account(alice):
    ledger.capture(hold(alice, 500, "session:1"), Minor(300))
    ledger.void(hold(alice, 700, "session:2"))
    hold(alice, 900, "session:3")
    pay_back(alice, 50)
    account = ledger.account_of(alice)
    transfers = Transfer.objects.for_account(account).select_related("resolves")
    assert sum(row.balance_change(account) for row in transfers) == account.balance_minor == 99_750
    assert sum(row.held_change(account) for row in transfers) == account.held_minor == 900


def test_a_hold_is_replaced_by_another_and_only_that_can_be_captured(alice):
    first = hold(alice, 30_000)
    second = ledger.replace(first, key="hold:session:1:1", amount=Minor(50_000))
    assert books() == {"Alice": (100_000, 50_000), "funding": (-100_000, 0)}
    assert ledger.pending_hold("session:1") == second
    with pytest.raises(HoldResolved):
        ledger.capture(first, Minor(10_000))
    ledger.capture(second, Minor(50_000))
    assert books() == {"Alice": (50_000, 0), "funding": (-100_000, 0), "sales": (50_000, 0)}


def test_a_hold_may_be_replaced_by_all_there_is_and_by_less(alice):
    first = hold(alice, 60_000)
    second = ledger.replace(first, key="second", amount=Minor(100_000))
    assert books()["Alice"] == (100_000, 100_000)
    ledger.replace(second, key="third", amount=Minor(1))
    assert books()["Alice"] == (100_000, 1)


def test_a_replacement_that_is_not_covered_leaves_the_hold_as_it_was(alice):
    first = hold(alice, 60_000)
    with pytest.raises(InsufficientFunds):
        ledger.replace(first, key="second", amount=Minor(100_001))
    assert books()["Alice"] == (100_000, 60_000)
    assert ledger.pending_hold("session:1") == first


def test_the_same_replacement_again_is_the_same_hold(alice):
    first = hold(alice, 30_000)
    second = ledger.replace(first, key="second", amount=Minor(50_000))
    assert ledger.replace(first, key="second", amount=Minor(50_000)) == second
    assert books()["Alice"] == (100_000, 50_000)


def test_a_hold_that_was_captured_is_not_replaced(alice):
    first = hold(alice, 30_000)
    ledger.capture(first, Minor(30_000))
    with pytest.raises(HoldResolved):
        ledger.replace(first, key="second", amount=Minor(50_000))
    assert books()["Alice"] == (70_000, 0)
