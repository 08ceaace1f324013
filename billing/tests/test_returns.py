"""Money goes back: refunds, payouts, chargebacks. A customer is never below zero (P2)."""

import uuid
from functools import partial

import pytest
from django.utils import timezone

from billing import ledger, outbox
from billing.errors import Conflict, InsufficientFunds, Invalid, KubatError, NotFound
from billing.ledger import Kind
from billing.models import Account, Payment, PaymentReturn, Transfer
from billing.money import Minor
from billing.payments import returns
from billing.payments.topups import accept_reported, request_top_up

from .threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def payment(bob, olga):
    """500.00 that Bob paid in at the counter."""
    return request_top_up(user=bob, amount=Minor(50_000), provider="manual", made_by=olga)


def refund(payment, olga, amount, **values):
    return returns.request_refund(
        payment_id=payment.pk,
        amount=Minor(amount),
        reason=values.pop("reason", "asked for"),
        made_by=olga,
        **values,
    )


def charge_back(payment, olga, reason="the bank took it"):
    return returns.record_chargeback(payment_id=payment.pk, reason=reason, made_by=olga)


def pay_out(user, olga, amount, **values):
    return returns.pay_out(
        user=user,
        amount=Minor(amount),
        reason=values.pop("reason", "moves abroad"),
        made_by=olga,
        **values,
    )


def deliver():
    return outbox.deliver_due({returns.TOPIC: returns.send_refund})


def hold(user, amount, key="hold"):
    return ledger.hold(
        key=key, account=ledger.account_of(user), amount=Minor(amount), reference=key
    )


def spend(user, amount):
    ledger.capture(hold(user, amount, key=f"spend:{uuid.uuid4()}"), Minor(amount))


def balance_of(user):
    return ledger.account_of(user).balance_minor


def house(kind):
    return ledger.house(kind).balance_minor


def books_balance():
    assert sum(Account.objects.values_list("balance_minor", flat=True)) == 0
    return True


def test_a_refund_leaves_the_balance_before_the_provider_is_asked(payment, bob, olga):
    row = refund(payment, olga, 20_000)
    assert (row.status, balance_of(bob)) == ("pending", 30_000)
    deliver()
    row.refresh_from_db()
    assert row.status == "done"
    transfer = Transfer.objects.get(code="refund")
    assert (transfer.made_by, transfer.reason) == (olga, "asked for")
    assert transfer.reference == f"payment:{payment.pk}"
    assert books_balance()


def test_a_payment_is_refunded_once_all_of_it_is(payment, bob, olga):
    for amount, status in ((49_999, "paid"), (1, "refunded")):
        refund(payment, olga, amount)
        deliver()
        payment.refresh_from_db()
        assert payment.status == status
    with pytest.raises(Conflict):
        refund(payment, olga, 1)


def test_what_is_spent_or_on_hold_is_not_refunded(payment, bob, olga):
    spend(bob, 10_000)
    hold(bob, 15_000)
    with pytest.raises(InsufficientFunds):
        refund(payment, olga, 25_001)
    assert not PaymentReturn.objects.exists()
    refund(payment, olga, 25_000)
    assert ledger.account_of(bob).available_minor == 0


def test_no_more_than_the_payment_is_refunded(payment, bob, olga):
    request_top_up(user=bob, amount=Minor(50_000), provider="manual", made_by=olga)
    refund(payment, olga, 30_000)
    deliver()
    with pytest.raises(Conflict, match=r"Only 200\.00 of this top-up is left"):
        refund(payment, olga, 20_001)


def test_one_refund_of_a_payment_is_under_way_at_a_time(payment, olga):
    refund(payment, olga, 100)
    with pytest.raises(Conflict, match="under way"):
        refund(payment, olga, 100)
    with pytest.raises(Conflict, match="under way"):
        charge_back(payment, olga)


def test_a_repeated_request_is_one_refund(payment, bob, olga):
    request_id = uuid.uuid4()
    rows = in_parallel([partial(refund, payment, olga, 20_000, request_id=request_id)] * 8)
    assert {row.pk for row in rows} == {request_id}
    assert balance_of(bob) == 30_000


def test_a_refund_that_two_workers_deliver_ends_once(payment, bob, olga):
    row = refund(payment, olga, 50_000)
    deliver()
    returns.send_refund(returns.OutboxMessage(payload={"return": str(row.pk)}))
    assert Transfer.objects.filter(code="refund").count() == 1
    assert balance_of(bob) == 0


@pytest.mark.parametrize("amount", [0, -5])
def test_a_refund_of_nothing_is_refused(payment, olga, amount):
    with pytest.raises(Invalid):
        refund(payment, olga, amount)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_nothing_goes_back_without_a_reason(payment, bob, olga, reason):
    for act in (
        partial(refund, payment, olga, 100, reason=reason),
        partial(charge_back, payment, olga, reason=reason),
        partial(pay_out, bob, olga, 100, reason=reason),
    ):
        with pytest.raises(Invalid):
            act()
    assert balance_of(bob) == 50_000


def test_what_is_not_there_or_not_paid_is_not_refunded(payment, olga):
    with pytest.raises(NotFound):
        refund(Payment(pk=uuid.uuid4()), olga, 100)
    Payment.objects.update(status="failed")
    for act in (partial(refund, payment, olga, 100), partial(charge_back, payment, olga)):
        with pytest.raises(Conflict):
            act()


def test_terminals_take_no_money_back(payment, olga):
    Payment.objects.update(provider="osmp")
    with pytest.raises(Conflict, match="pay it out"):
        refund(payment, olga, 100)


def test_a_chargeback_takes_what_is_there_and_the_rest_is_our_loss(payment, bob, olga):
    spend(bob, 35_000)
    hold(bob, 5_000)
    row = charge_back(payment, olga)
    assert (row.amount_minor, row.loss_minor) == (50_000, 40_000)
    account = ledger.account_of(bob)
    assert (account.balance_minor, account.held_minor) == (5_000, 5_000)
    assert house(Kind.LOSS) == -40_000
    assert house(Kind.FUNDING) == 0
    payment.refresh_from_db()
    bob.refresh_from_db()
    assert (payment.status, bob.is_active) == ("refunded", False)
    assert books_balance()


def test_a_chargeback_of_unspent_money_costs_us_nothing(payment, bob, olga):
    assert charge_back(payment, olga).loss_minor == 0
    assert (balance_of(bob), house(Kind.LOSS)) == (0, 0)


def test_a_chargeback_takes_only_what_was_not_refunded(payment, bob, olga):
    refund(payment, olga, 20_000)
    deliver()
    assert charge_back(payment, olga).amount_minor == 30_000
    assert house(Kind.FUNDING) == 0


def test_a_chargeback_at_once_from_ten_is_one(payment, bob, olga):
    rows = in_parallel([partial(charge_back, payment, olga)] * 10)
    assert len({row.pk for row in rows}) == 1
    assert (balance_of(bob), house(Kind.FUNDING)) == (0, 0)


def test_a_payout_takes_what_is_available(payment, bob, olga):
    hold(bob, 10_000)
    with pytest.raises(InsufficientFunds):
        pay_out(bob, olga, 40_001)
    with pytest.raises(Invalid):
        pay_out(bob, olga, 0)
    transfer = pay_out(bob, olga, 40_000)
    assert (transfer.code, transfer.made_by, transfer.reason) == ("payout", olga, "moves abroad")
    assert ledger.account_of(bob).available_minor == 0
    assert house(Kind.FUNDING) == -10_000


def test_a_repeated_payout_pays_once(payment, bob, olga):
    request_id = uuid.uuid4()
    in_parallel([partial(pay_out, bob, olga, 10_000, request_id=request_id)] * 6)
    assert balance_of(bob) == 40_000


def test_whatever_happens_at_once_nobody_is_below_zero(payment, bob, olga):
    calls = [partial(refund, payment, olga, 7_000 + number) for number in range(4)]
    calls += [partial(pay_out, bob, olga, 9_000)] * 4
    calls += [partial(hold, bob, 8_000, f"hold:{number}") for number in range(4)]
    calls += [partial(charge_back, payment, olga)] * 2
    for outcome in in_parallel(calls):
        assert not isinstance(outcome, Exception) or isinstance(outcome, KubatError), outcome
    account = ledger.account_of(bob)
    assert account.balance_minor >= account.held_minor >= 0
    assert books_balance()


def test_what_really_came_is_credited_on_the_operators_word(bob, olga):
    payment = Payment.objects.create(
        user=bob,
        provider="sandbox",
        amount_minor=50_000,
        currency="KGS",
        status="failed",
        problem="amount",
        reported_minor=49_000,
        created_at=timezone.now(),
    )
    accept_reported(payment_id=payment.pk, reason="rang the bank", made_by=olga)
    payment.refresh_from_db()
    assert (payment.status, payment.amount_minor, payment.problem) == ("paid", 49_000, "")
    transfer = Transfer.objects.get(code="topup")
    assert (transfer.amount_minor, transfer.made_by) == (49_000, olga)
    with pytest.raises(Conflict):
        accept_reported(payment_id=payment.pk, reason="again", made_by=olga)
    assert balance_of(bob) == 49_000
