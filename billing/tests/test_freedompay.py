"""FreedomPay against a double that speaks its protocol over a real socket."""

import logging
import xml.etree.ElementTree as ET

import pytest
from django.utils import timezone

from billing import ledger, outbox
from billing.errors import ProviderUnavailable
from billing.models import OutboxMessage, Payment, PaymentWebhook, Transfer
from billing.money import Minor
from billing.payments import freedompay_wire as wire
from billing.payments import returns
from billing.payments.checkout import open_checkout
from billing.payments.freedompay import FreedomPay
from billing.payments.polling import poll_due
from billing.payments.provider import Links
from billing.payments.topups import request_top_up

from .freedompay_double import MERCHANT, SECRET, pg_signature, run_double

pytestmark = pytest.mark.django_db

LINKS = Links("https://kubat.example/billing/webhooks/freedompay", "https://kubat.example/back")
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def double(settings):
    serving = run_double()
    double = next(serving)
    settings.CSMS_FREEDOMPAY_URL = double.url
    settings.CSMS_FREEDOMPAY_MERCHANT_ID = MERCHANT
    settings.CSMS_FREEDOMPAY_SECRET = SECRET
    yield double
    serving.close()


@pytest.fixture
def payment(double, bob):
    """Bob's top-up of 500.00, opened at the double."""
    row = request_top_up(user=bob, amount=Minor(50_000), provider="freedompay", made_by=bob)
    open_checkout(row.pk, LINKS)
    row.refresh_from_db()
    return row


def post(client, form):
    return client.post("/billing/webhooks/freedompay", form, content_type=FORM)


def balance_of(user):
    return ledger.account_of(user).balance_minor


def status_in(answer):
    """Check that an answer is signed as the double would check it, and return its status."""
    values = {child.tag: child.text or "" for child in ET.fromstring(answer.content)}
    assert values["pg_sig"] == pg_signature("freedompay", values)
    return values["pg_status"]


def test_the_driver_is_sent_to_the_page_that_was_opened(double, bob, client):
    payment = request_top_up(user=bob, amount=Minor(50_000), provider="freedompay", made_by=bob)
    assert double.calls == []
    for _ in range(2):
        answer = client.get(f"/billing/pay/{payment.pk}")
        assert answer.status_code == 302
        assert answer.url == "https://customer.freedompay.example/pay?id=7000000&x=%3C1%3E"
    ((script, form),) = double.calls
    assert script == "init_payment.php"
    assert form["pg_order_id"] == str(payment.pk)
    assert (form["pg_amount"], form["pg_currency"]) == ("500.00", "KGS")
    assert form["pg_result_url"] == "http://testserver/billing/webhooks/freedompay"


def test_a_paid_result_is_confirmed_by_a_status_query_and_credited_with_its_fee(
    double, payment, bob, client
):
    double.pay(str(payment.pk), net_amount="490.00")
    answer = post(client, double.result_form(str(payment.pk)))
    assert status_in(answer) == "ok"
    assert [script for script, _ in double.calls] == ["init_payment.php", "get_status3.php"]
    payment.refresh_from_db()
    assert (payment.status, payment.fee_minor) == ("paid", 1_000)
    assert balance_of(bob) == 50_000
    assert ledger.house(ledger.Kind.FUNDING).balance_minor == -49_000
    assert ledger.house(ledger.Kind.FEES).balance_minor == -1_000


def test_a_signed_result_credits_nothing_while_the_status_says_otherwise(
    double, payment, bob, client
):
    """MD5 guards no replay and a leaked secret guards nothing: the status call has the word."""
    form = double.result_form(str(payment.pk), pg_result="1", pg_amount="500.00")
    assert status_in(post(client, form)) == "ok"
    assert balance_of(bob) == 0
    assert PaymentWebhook.objects.get().outcome == "pending"


def test_a_result_with_a_wrong_signature_is_kept_and_refused(double, payment, bob, client):
    double.pay(str(payment.pk))
    form = double.result_form(str(payment.pk)).replace("pg_amount=500.00", "pg_amount=900.00")
    answer = post(client, form)
    assert answer.status_code == 403
    assert status_in(answer) == "error"
    row = PaymentWebhook.objects.get()
    assert (row.outcome, row.is_verified, bytes(row.body)) == ("unverified", False, form.encode())
    assert balance_of(bob) == 0


def test_a_result_for_an_order_that_is_not_ours_is_rejected(double, payment, client):
    form = double.result_form(str(payment.pk), pg_order_id="1234")
    assert status_in(post(client, form)) == "rejected"
    assert PaymentWebhook.objects.get().outcome == "unknown"
    assert OutboxMessage.objects.get(topic="payment.alarm").payload["kind"] == "webhook_unknown"


@pytest.mark.parametrize(
    ("change", "problem"), [({"amount": "499.99"}, "amount"), ({"currency": "USD"}, "currency")]
)
def test_another_amount_or_currency_is_not_credited(double, payment, bob, client, change, problem):
    double.pay(str(payment.pk), **change)
    assert status_in(post(client, double.result_form(str(payment.pk)))) == "ok"
    payment.refresh_from_db()
    assert (payment.status, payment.problem) == ("failed", problem)
    assert balance_of(bob) == 0
    assert OutboxMessage.objects.get(topic="payment.alarm").payload["kind"] == "payment_mismatch"


def test_a_lost_result_is_found_by_asking(double, payment, bob):
    double.pay(str(payment.pk))
    Payment.objects.update(due_at=timezone.now())
    assert poll_due(timezone.now()) == 1
    assert balance_of(bob) == 50_000


def test_without_the_provider_a_result_waits_for_the_worker(double, payment, bob, client):
    double.pay(str(payment.pk), net_amount="490.00")
    double.faults.add("down")
    assert status_in(post(client, double.result_form(str(payment.pk)))) == "ok"
    assert PaymentWebhook.objects.get().outcome == "unanswered"
    assert balance_of(bob) == 0
    double.faults.clear()
    double.orders[str(payment.pk)].net_amount = ""  # its status names no fee, the webhook did
    assert poll_due(timezone.now()) == 1
    assert balance_of(bob) == 50_000
    assert PaymentWebhook.objects.get().outcome == "credited"
    assert ledger.house(ledger.Kind.FEES).balance_minor == -1_000


@pytest.mark.parametrize("fault", ["down", "forged", "loses answers"])
def test_an_answer_that_cannot_be_trusted_is_none(double, payment, fault):
    double.pay(str(payment.pk))
    double.faults.add(fault)
    with pytest.raises(ProviderUnavailable):
        FreedomPay().query_status(payment)


def test_a_driver_whose_page_cannot_be_opened_may_try_again(double, bob, client):
    payment = request_top_up(user=bob, amount=Minor(50_000), provider="freedompay", made_by=bob)
    double.faults.add("down")
    answer = client.get(f"/billing/pay/{payment.pk}")
    assert answer.status_code == 503
    assert "try again" not in answer.text
    assert "Try again" in answer.text
    double.faults.clear()
    assert client.get(f"/billing/pay/{payment.pk}").status_code == 302


def deliver():
    OutboxMessage.objects.update(due_at=timezone.now())
    return outbox.deliver_due({returns.TOPIC: returns.send_refund})


def ask_for_refund(payment, olga, amount):
    return returns.request_refund(
        payment_id=payment.pk, amount=Minor(amount), reason="asked for", made_by=olga
    )


@pytest.fixture
def paid(double, payment, client):
    double.pay(str(payment.pk))
    post(client, double.result_form(str(payment.pk)))
    payment.refresh_from_db()
    return payment


def test_parts_are_refunded_until_nothing_is_left(double, paid, bob, olga):
    for amount, left in ((20_000, 30_000), (30_000, 0)):
        ask_for_refund(paid, olga, amount)
        assert balance_of(bob) == left
        deliver()
    paid.refresh_from_db()
    assert paid.status == "refunded"
    assert double.orders[str(paid.pk)].returned == 500
    assert ledger.house(ledger.Kind.FUNDING).balance_minor == 0


def test_a_refund_whose_answer_was_lost_is_not_made_twice(double, paid, bob, olga):
    row = ask_for_refund(paid, olga, 20_000)
    # It does what it is asked, and nobody hears of it.
    FreedomPay().refund(paid, Minor(20_000))
    assert deliver() == 1
    row.refresh_from_db()
    assert row.status == "done"
    assert [script for script, _ in double.calls].count("revoke.php") == 1
    assert double.orders[str(paid.pk)].returned == 200


def test_a_refund_that_is_refused_is_the_drivers_again(double, paid, bob, olga):
    double.faults.add("no refunds")
    row = ask_for_refund(paid, olga, 20_000)
    assert balance_of(bob) == 30_000
    deliver()
    row.refresh_from_db()
    paid.refresh_from_db()
    assert (row.status, paid.status) == ("failed", "paid")
    assert balance_of(bob) == 50_000
    assert Transfer.objects.filter(code="refund").count() == 2


def test_a_refund_waits_for_a_provider_that_is_away(double, paid, bob, olga):
    row = ask_for_refund(paid, olga, 20_000)
    double.faults.add("down")
    deliver()
    row.refresh_from_db()
    assert (row.status, balance_of(bob)) == ("pending", 30_000)
    double.faults.clear()
    deliver()
    row.refresh_from_db()
    assert row.status == "done"


def test_no_secret_reaches_the_log(double, paid, olga, caplog):
    caplog.set_level(logging.DEBUG)
    double.faults.add("down")
    Payment.objects.update(status="pending", due_at=timezone.now())
    poll_due(timezone.now())
    assert "get_status3.php" in caplog.text
    assert SECRET not in caplog.text
    assert "pg_sig" not in caplog.text


def test_nested_values_are_signed_in_the_order_of_their_names():
    fields = {"pg_b": {"z": "4", "y": ["2", "3"]}, "pg_a": "1", "pg_sig": "ignored"}
    # printf 'script.php;1;2;3;4;secret' | md5sum
    assert wire.signature("script.php", fields, "secret") == "3e5315ad0f89b9fee49dae1ab0821ca2"


def test_an_answer_with_nested_and_repeated_tags_is_read():
    body = b"<response><a><b>1</b><b>2</b><c/></a><d>x</d></response>"
    assert wire.read_xml(body) == {"a": {"b": ["1", "2"], "c": ""}, "d": "x"}


@pytest.mark.parametrize("body", [b"", b"{}", b"<a>", b"<a/>", b"<a>" * 50 + b"</a>" * 50])
def test_what_is_no_answer_is_refused(body):
    with pytest.raises(ValueError):
        wire.read_xml(body)


def test_without_a_secret_nothing_is_signed():
    assert not wire.is_signed("s", {"pg_sig": wire.signature("s", {}, "")}, "")
