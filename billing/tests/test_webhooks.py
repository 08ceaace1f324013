"""Webhooks: anonymous, bounded, kept, and without effect until the provider confirms."""

import datetime as dt
import json
from functools import partial

import pytest
from django.test import Client
from django.utils import timezone

from billing import ledger
from billing.models import Payment, PaymentWebhook, SandboxPayment, Transfer
from billing.money import Minor
from billing.payments import sandbox
from billing.payments.checkout import open_checkout
from billing.payments.polling import poll_due
from billing.payments.provider import Links
from billing.payments.topups import request_top_up
from billing.web.webhooks import MAX_BODY, UNSIGNED
from config.housekeeping import PURGES

from .threads import in_parallel

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "/billing/webhooks/sandbox"
LINKS = Links("http://testserver/webhook", "http://testserver/back")


@pytest.fixture(autouse=True)
def _on(settings):
    settings.CSMS_SANDBOX_PAYMENTS = True
    UNSIGNED.clear("127.0.0.1")


@pytest.fixture
def payment(bob):
    """Bob's top-up of 500.00, which the sandbox says is paid."""
    row = request_top_up(user=bob, amount=Minor(50_000), provider="sandbox", made_by=bob)
    open_checkout(row.pk, LINKS)
    SandboxPayment.objects.update(state="paid", fee_minor=1_250)
    row.refresh_from_db()
    return row


def event(order, **changes):
    return json.dumps(
        {"order": str(order), "status": "paid", "amount": "500.00", "fee": "12.50", **changes}
    ).encode()


def post(body, signature=None, address=ADDRESS):
    signature = sandbox.sign(body) if signature is None else signature
    return Client(enforce_csrf_checks=True).post(
        address, body, "application/json", headers={sandbox.SIGNATURE_HEADER: signature}
    )


def balance_of(user):
    return ledger.account_of(user).balance_minor


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS + "/"])
def test_a_webhook_is_taken_from_anyone_who_signs_it(payment, bob, address):
    answer = post(event(payment.pk), address=address)
    assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    assert balance_of(bob) == 50_000


def test_the_same_webhook_fifty_times_at_once_credits_once(payment, bob):
    body = event(payment.pk)
    answers = in_parallel([partial(post, body)] * 50)
    assert [answer.status_code for answer in answers] == [200] * 50
    assert balance_of(bob) == 50_000
    assert Transfer.objects.filter(code="topup").count() == 1
    assert Transfer.objects.filter(code="fee").count() == 1
    assert PaymentWebhook.objects.get().count == 50


def test_webhooks_and_questions_at_once_credit_once(payment, bob):
    now = timezone.now() + dt.timedelta(minutes=1)
    calls = [partial(post, event(payment.pk, number=number)) for number in range(6)]
    in_parallel([*calls, *[partial(poll_due, now)] * 4])
    assert balance_of(bob) == 50_000
    assert Transfer.objects.filter(code="topup").count() == 1
    assert PaymentWebhook.objects.filter(outcome="credited").count() == 6


def test_what_it_claims_is_not_believed(payment, bob):
    SandboxPayment.objects.update(state="open")
    assert post(event(payment.pk, amount="500.00")).status_code == 200
    assert balance_of(bob) == 0
    assert PaymentWebhook.objects.get().outcome == "pending"


def test_the_same_webhook_is_looked_at_again_while_it_is_undecided(payment, bob):
    SandboxPayment.objects.update(state="open")
    post(event(payment.pk))
    SandboxPayment.objects.update(state="paid")
    post(event(payment.pk))
    assert balance_of(bob) == 50_000
    assert PaymentWebhook.objects.get().outcome == "credited"


@pytest.mark.parametrize("signature", ["", "0" * 64, "é"])
def test_an_unsigned_webhook_is_kept_and_refused(payment, bob, signature):
    body = event(payment.pk)
    answer = post(body, signature.encode().decode("latin-1"))
    assert (answer.status_code, answer.json()) == (403, {"status": "unverified"})
    row = PaymentWebhook.objects.get()
    assert (bytes(row.body), row.is_verified, row.outcome) == (body, False, "unverified")
    assert balance_of(bob) == 0


def test_an_unsigned_copy_does_not_spoil_the_signed_one(payment, bob):
    post(event(payment.pk), "0" * 64)
    assert post(event(payment.pk)).status_code == 200
    assert balance_of(bob) == 50_000


@pytest.mark.parametrize("order", ["x", "", "00000000-0000-0000-0000-000000000000"])
def test_an_order_that_is_not_ours_is_kept_for_the_operator(payment, order):
    answer = post(event(order))
    assert answer.json() == {"status": "unknown"}
    row = PaymentWebhook.objects.get()
    assert (row.is_verified, row.outcome, row.payment) == (True, "unknown", None)


def test_another_providers_payment_is_not_found(payment, bob):
    Payment.objects.update(provider="freedompay")
    assert post(event(payment.pk)).json() == {"status": "unknown"}
    assert balance_of(bob) == 0


def test_an_unknown_provider_is_not_found():
    for name in ("nobody", "manual", "osmp", "freedompay"):
        answer = post(b"{}", address=f"/billing/webhooks/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not PaymentWebhook.objects.exists()


def test_a_body_is_bounded():
    answer = post(b"x" * (MAX_BODY + 1))
    assert answer.status_code == 413
    assert not PaymentWebhook.objects.exists()
    assert post(b"\x00" * MAX_BODY, "no").status_code == 403


def test_whoever_sends_what_nobody_signed_is_stopped_and_what_is_signed_comes_in(payment, bob):
    for number in range(UNSIGNED.times):
        assert post(str(number).encode(), "no").status_code == 403
    answer = post(b"one more", "no")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert int(answer["Retry-After"]) > 0
    assert PaymentWebhook.objects.count() == UNSIGNED.times
    assert post(event(payment.pk)).status_code == 200
    assert balance_of(bob) == 50_000


def test_only_what_nobody_signed_is_thrown_away_after_its_time(payment):
    post(b"rubbish", "no")
    post(event(payment.pk))
    later = timezone.now() + dt.timedelta(days=31)
    purge = next(row for row in PURGES if row.name == "unsigned webhooks")
    assert purge.run(timezone.now()) == 0
    assert purge.run(later) == 1
    assert PaymentWebhook.objects.get().outcome == "credited"


def test_two_who_open_one_checkout_at_once_open_one_payment(bob):
    row = request_top_up(user=bob, amount=Minor(100), provider="sandbox", made_by=bob)
    outcomes = in_parallel([partial(open_checkout, row.pk, LINKS)] * 6)
    addresses = {outcome for outcome in outcomes if isinstance(outcome, str)}
    assert addresses == {f"/billing/sandbox/{row.pk}"}
    assert SandboxPayment.objects.count() == 1
