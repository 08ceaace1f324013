"""reconcile on payments: clean after every kind of payment; each damage is found and named.

The rows are broken as no use case would: by writing them directly.
"""

import datetime as dt
import uuid

import pytest
from django.utils import timezone

from billing import ledger, outbox
from billing.models import Payment, PaymentReturn, PaymentWebhook, TerminalPayment, Transfer
from billing.money import Minor
from billing.payments import osmp, returns
from billing.payments.provider import Report, State
from billing.payments.topups import request_top_up
from billing.payments.verdicts import decide
from sessions_app.reconcile import examine

pytestmark = pytest.mark.django_db
QUERY = {
    "command": "pay",
    "txn_id": "1",
    "account": "996700000002",
    "sum": "100.00",
    "txn_date": "20260301120000",
}


def found(now=None):
    return {finding.code for finding in examine(now or timezone.now())}


@pytest.fixture
def history(bob, alice, olga, settings):
    """A payment with a fee, a refund done, one refused, a chargeback with loss, a terminal."""
    settings.CSMS_SANDBOX_PAYMENTS = True
    online = request_top_up(user=bob, amount=Minor(50_000), provider="sandbox", made_by=bob)
    decide(online.pk, Report(State.PAID, Minor(50_000), "KGS", fee=Minor(1_250)))
    _refund(online, olga)  # the sandbox never heard of it, and refuses
    cash = request_top_up(user=bob, amount=Minor(30_000), provider="manual", made_by=olga)
    _refund(cash, olga)
    other = request_top_up(user=alice, amount=Minor(120_000), provider="manual", made_by=olga)
    returns.pay_out(user=alice, amount=Minor(150_000), reason="moves", made_by=olga)
    returns.record_chargeback(payment_id=other.pk, reason="the bank", made_by=olga)
    osmp.answer("pay24", QUERY)
    osmp.answer("pay24", QUERY | {"txn_id": "2", "sum": "1.00"})
    return {"online": online, "cash": cash, "other": other}


def _refund(payment, olga):
    returns.request_refund(payment_id=payment.pk, amount=Minor(5_000), reason="x", made_by=olga)
    outbox.deliver_due({returns.TOPIC: returns.send_refund})


def test_a_clean_history_has_no_findings(history):
    assert set(PaymentReturn.objects.values_list("status", "loss_minor")) == {
        ("done", 0),
        ("failed", 0),
        ("done", 50_000),
    }
    used = set(Transfer.objects.values_list("code", flat=True))
    assert used == {"topup", "fee", "refund", "payout", "chargeback"}
    assert found(timezone.now() + dt.timedelta(days=2)) == set()


def alter_fee(history):
    Payment.objects.filter(pk=history["online"].pk).update(fee_minor=1)
    return {"fee_wrong"}


def forget_fee(history):
    Payment.objects.filter(pk=history["online"].pk).update(fee_minor=None)
    return {"moved_without_payment"}


def lose_fee(history):
    Transfer.objects.filter(code="fee").update(reference="")
    return {"fee_wrong", "moved_without_payment"}


def alter_refund(history):
    PaymentReturn.objects.filter(payment=history["cash"]).update(amount_minor=4_999)
    return {"return_wrong"}


def forget_refund(history):
    PaymentReturn.objects.filter(payment=history["cash"]).delete()
    return {"moved_without_payment"}


def alter_loss(history):
    PaymentReturn.objects.filter(payment=history["other"]).update(loss_minor=0)
    return {"return_wrong"}


def return_too_much(history):
    PaymentReturn.objects.filter(payment=history["cash"]).update(amount_minor=30_001)
    return {"return_wrong", "returned_too_much"}


def never_finish_refund(history):
    PaymentReturn.objects.filter(payment=history["cash"]).update(
        status="pending", created_at=timezone.now() - dt.timedelta(hours=9)
    )
    return {"refund_overdue"}


def leave_webhook_undecided(history):
    PaymentWebhook.objects.create(
        provider="sandbox",
        digest="1",
        body=b"",
        is_verified=True,
        received_at=timezone.now() - dt.timedelta(hours=3),
    )
    return {"webhook_undecided"}


def alter_terminal_sum(history):
    TerminalPayment.objects.filter(result=0).update(amount_minor=1)
    return {"terminal_not_credited"}


def give_terminal_an_unpaid_payment(history):
    unpaid = Payment.objects.create(
        user=history["cash"].user,
        provider="osmp",
        amount_minor=10_000,
        currency="KGS",
        status="failed",
    )
    TerminalPayment.objects.filter(result=0).update(payment=unpaid)
    return {"terminal_not_credited", "terminal_unknown"}


def lose_terminal_payment(history):
    TerminalPayment.objects.all().delete()
    return {"terminal_unknown"}


@pytest.mark.parametrize(
    "damage",
    [
        alter_fee,
        forget_fee,
        lose_fee,
        alter_refund,
        forget_refund,
        alter_loss,
        return_too_much,
        never_finish_refund,
        leave_webhook_undecided,
        alter_terminal_sum,
        give_terminal_an_unpaid_payment,
        lose_terminal_payment,
    ],
)
def test_what_needs_a_person_is_found(history, damage):
    assert found() == set()
    expected = damage(history)
    assert found() == expected


def test_a_webhook_whose_payment_was_decided_meanwhile_is_no_finding(history):
    PaymentWebhook.objects.create(
        provider="sandbox",
        digest=uuid.uuid4().hex,
        body=b"",
        is_verified=True,
        outcome="unanswered",
        payment=history["online"],
        received_at=timezone.now() - dt.timedelta(hours=3),
    )
    assert found() == set()
    assert ledger.house(ledger.Kind.FEES).balance_minor == -1_250
