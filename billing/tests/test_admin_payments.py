"""Buttons on top-ups: refund, chargeback, payout, and what came with a wrong amount."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing import ledger, outbox
from billing.models import (
    Payment,
    PaymentReturn,
    PaymentWebhook,
    SandboxPayment,
    Transfer,
    User,
)
from billing.money import Minor
from billing.payments import osmp, returns
from billing.payments.topups import request_top_up
from billing.tests.back_office import errors_of, press, told
from conftest import PASSWORD

pytestmark = pytest.mark.django_db
PAYMENTS = reverse("admin:billing_payment_changelist")


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def payment(bob, olga):
    return request_top_up(user=bob, amount=Minor(50_000), provider="manual", made_by=olga)


def button(row, name):
    return f"{PAYMENTS}{row.pk}/{name}/"


def balance_of(user):
    return ledger.account_of(user).balance_minor


def test_a_refund_says_who_and_why(olgas, olga, bob, payment):
    page = olgas.get(button(payment, "refund"))
    assert 'value="500.00"' in page.text
    answer = press(olgas, button(payment, "refund"), amount="120.50", reason="changed his mind")
    assert told(answer) == ["120.50 KGS is being returned."]
    assert balance_of(bob) == 37_950
    outbox.deliver_due({returns.TOPIC: returns.send_refund})
    row = PaymentReturn.objects.get()
    assert (row.status, row.made_by, row.reason) == ("done", olga, "changed his mind")
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (olga, "Refund: changed his mind")
    assert "changed his mind" in olgas.get(f"{PAYMENTS}{payment.pk}/change/").text


def test_a_refusal_is_an_error_on_the_form(olgas, payment):
    answer = press(olgas, button(payment, "refund"), amount="500.01", reason="too much")
    assert errors_of(answer)["__all__"] == ["Only 500.00 of this top-up is left."]
    assert not PaymentReturn.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_chargeback_blocks_the_driver_and_shows_the_loss(olgas, bob, payment):
    returns.pay_out(user=bob, amount=Minor(40_000), reason="cash", made_by=bob)
    answer = press(olgas, button(payment, "charge_back"), reason="letter of the bank")
    assert told(answer) == ["500.00 KGS charged back, of which 400.00 KGS is our loss."]
    bob.refresh_from_db()
    assert not bob.is_active
    assert balance_of(bob) == 0


def test_what_came_is_credited(olgas, olga, bob):
    row = Payment.objects.create(
        user=bob,
        provider="sandbox",
        amount_minor=50_000,
        currency="KGS",
        status="failed",
        problem="amount",
        reported_minor=50_100,
    )
    answer = press(olgas, button(row, "accept"), reason="the statement says so")
    assert told(answer) == ["501.00 KGS credited."]
    assert balance_of(bob) == 50_100
    assert Transfer.objects.get(code="topup").made_by == olga


def test_the_provider_is_asked_at_once(olgas, bob, settings):
    settings.CSMS_SANDBOX_PAYMENTS = True
    row = request_top_up(user=bob, amount=Minor(50_000), provider="sandbox", made_by=bob)
    assert row.due_at > timezone.now()
    press(olgas, button(row, "ask_again"), reason="the driver rang")
    row.refresh_from_db()
    assert row.due_at <= timezone.now()


def test_a_balance_is_paid_out(olgas, olga, bob, payment):
    address = f"{reverse('admin:billing_user_changelist')}{bob.pk}/pay_out/"
    answer = press(olgas, address, amount="500.01", reason="moves")
    assert errors_of(answer)["__all__"] == ["The available balance does not cover this."]
    answer = press(olgas, address, amount="500", reason="moves")
    assert told(answer) == ["500.00 KGS paid out."]
    transfer = Transfer.objects.get(code="payout")
    assert (transfer.made_by, transfer.reason) == (olga, "moves")


@pytest.mark.parametrize("name", ["refund", "charge_back", "accept", "ask_again"])
def test_looking_gives_no_right_to_act(payment, name):
    clerk = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_payment"))
    client = Client()
    client.force_login(clerk)
    assert client.get(f"{PAYMENTS}{payment.pk}/change/").status_code == 200
    assert client.post(button(payment, name), {"_submit": "1"}).status_code == 403


def test_a_driver_reaches_none_of_it(client, bob, payment):
    client.force_login(bob)
    assert client.get(button(payment, "refund")).status_code == 302
    assert client.post(button(payment, "charge_back")).status_code == 302
    assert not PaymentReturn.objects.exists()


def test_what_came_from_outside_is_shown_and_cannot_be_changed(olgas, payment):
    webhook = PaymentWebhook.objects.create(
        provider="sandbox", digest="1", body=b"\xff<script>", outcome="unverified"
    )
    SandboxPayment.objects.create(payment=payment, amount_minor=1)
    osmp.answer(
        "pay24",
        {
            "command": "pay",
            "txn_id": "1",
            "account": "996700000002",
            "sum": "100",
            "txn_date": "20260301000000",
        },
    )
    for model in ("paymentwebhook", "sandboxpayment", "terminalpayment", "paymentreturn"):
        listed = reverse(f"admin:billing_{model}_changelist")
        assert olgas.get(listed).status_code == 200
        assert olgas.get(f"{listed}add/").status_code == 403
    page = olgas.get(reverse("admin:billing_paymentwebhook_change", args=[webhook.pk]))
    assert "\\xff&lt;script&gt;" in page.text
