"""The sandbox: a driver pays on its page, its webhooks come by HTTP, with every mishap."""

import datetime as dt

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from billing import ledger, outbox
from billing.models import OutboxMessage, Payment, PaymentWebhook, SandboxPayment, Transfer
from billing.payments import sandbox
from billing.payments.polling import poll_due
from billing.payments.sandbox import Mishap
from config import notices
from stations.models import Alert

pytestmark = pytest.mark.django_db(transaction=True)
AMOUNT = 50_000
FEE = 1_250


@pytest.fixture(autouse=True)
def _on(settings):
    settings.CSMS_SANDBOX_PAYMENTS = True


@pytest.fixture
def site(live_server, settings):
    """Our own server on a port, which the sandbox calls as a real provider would."""
    settings.CSMS_PUBLIC_URL = live_server.url
    return live_server.url


def begin(user, provider="sandbox"):
    """Ask for a top-up of 500.00 as the driver's app does."""
    token = AuthToken.objects.create(user)[1]
    return Client().post(
        "/billing/topups",
        {"amount": "500.00", "provider": provider},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def pay(user, mishap=Mishap.NONE, wish="pay"):
    """Go to the checkout as a browser does, and press a button."""
    with httpx.Client(follow_redirects=True, trust_env=False) as browser:
        top_up = begin(user).json()
        assert top_up["status"] == "pending"
        page = browser.get(top_up["checkout_url"])
        assert page.status_code == 200
        assert "500.00 KGS" in page.text
        form = {
            "wish": wish,
            "mishap": mishap,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        done = browser.post(str(page.url), data=form)
        assert done.status_code == 200
        assert "?back=1" in str(done.url)
    return Payment.objects.get(pk=top_up["id"])


def deliver(*, until=None):
    """Do what the worker does with the outbox, up to a moment."""
    if until:
        OutboxMessage.objects.filter(due_at__lte=until).update(due_at=timezone.now())
    return outbox.deliver_due(notices.DELIVERIES)


def state_of(payment):
    payment.refresh_from_db()
    return payment.status


def balance_of(user):
    return ledger.account_of(user).balance_minor


def outcomes():
    rows = PaymentWebhook.objects.order_by("received_at")
    return [(row.outcome, row.count) for row in rows]


def test_a_payment_is_credited_in_full_and_its_fee_is_booked(site, bob):
    payment = pay(bob)
    assert (state_of(payment), balance_of(bob)) == ("pending", 0)
    assert deliver() == 1
    assert (state_of(payment), balance_of(bob)) == ("paid", AMOUNT)
    assert payment.fee_minor == FEE
    assert ledger.house(ledger.Kind.FUNDING).balance_minor == FEE - AMOUNT
    assert ledger.house(ledger.Kind.FEES).balance_minor == -FEE
    assert outcomes() == [("credited", 1)]


def test_a_refused_payment_fails(site, bob):
    payment = pay(bob, wish="fail")
    deliver()
    assert (state_of(payment), balance_of(bob)) == ("failed", 0)
    assert outcomes() == [("failed", 1)]


def test_a_webhook_that_comes_twice_credits_once(site, bob):
    payment = pay(bob, Mishap.DUPLICATE)
    assert deliver() == 2
    assert (state_of(payment), balance_of(bob)) == ("paid", AMOUNT)
    assert outcomes() == [("credited", 2)]


def test_before_a_late_webhook_comes_the_worker_asks_and_then_it_changes_nothing(site, bob):
    payment = pay(bob, Mishap.LATE)
    assert deliver() == 0
    later = timezone.now() + dt.timedelta(seconds=45)
    assert poll_due(later) == 1
    assert (state_of(payment), balance_of(bob)) == ("paid", AMOUNT)
    assert deliver(until=timezone.now() + dt.timedelta(minutes=3)) == 1
    assert balance_of(bob) == AMOUNT
    assert Transfer.objects.filter(code="fee").count() == 1


def test_an_older_webhook_that_comes_last_changes_nothing(site, bob):
    payment = pay(bob, Mishap.OUT_OF_ORDER)
    deliver()
    deliver(until=timezone.now() + dt.timedelta(minutes=1))
    assert (state_of(payment), balance_of(bob)) == ("paid", AMOUNT)
    assert outcomes() == [("credited", 1), ("credited", 1)]


def test_a_wrong_amount_is_not_credited_and_alerts_the_operator(site, bob):
    payment = pay(bob, Mishap.WRONG_AMOUNT)
    deliver()
    assert (state_of(payment), balance_of(bob)) == ("failed", 0)
    assert (payment.problem, payment.reported_minor) == ("amount", AMOUNT + 100)
    alert = Alert.objects.get(kind="payment_mismatch")
    assert "501.00 KGS for a top-up of 500.00 KGS" in alert.text


def test_a_lost_webhook_is_found_by_asking(site, bob):
    payment = pay(bob, Mishap.LOST)
    assert deliver() == 0
    assert poll_due(timezone.now()) == 0
    assert poll_due(timezone.now() + dt.timedelta(seconds=31)) == 1
    assert (state_of(payment), balance_of(bob)) == ("paid", AMOUNT)
    assert payment.fee_minor == FEE


def test_a_checkout_that_nobody_uses_expires(site, bob, settings):
    opened, unopened = begin(bob).json(), begin(bob).json()
    httpx.get(opened["checkout_url"], trust_env=False)
    end = timezone.now() + dt.timedelta(seconds=settings.CSMS_PAYMENT_LIFETIME_S + 601)
    assert poll_due(end) == 2
    for top_up in (opened, unopened):
        assert Payment.objects.get(pk=top_up["id"]).status == "expired"
    assert poll_due(end + dt.timedelta(days=1)) == 0


def test_money_that_comes_for_an_expired_payment_is_the_drivers(site, bob):
    payment = pay(bob)
    Payment.objects.update(status="expired", due_at=None)
    deliver()
    assert (state_of(payment), balance_of(bob)) == ("paid", AMOUNT)


def test_it_is_asked_ever_more_seldom(site, bob):
    httpx.get(begin(bob).json()["checkout_url"], trust_env=False)
    now, pauses = timezone.now(), []
    for _ in range(7):
        due = Payment.objects.get().due_at
        pauses.append(round((due - now).total_seconds()))
        now = due
        assert poll_due(now) == 1
    assert pauses == [30, 30, 60, 120, 240, 480, 600]


def test_a_page_that_is_posted_twice_pays_once(site, bob):
    payment = pay(bob)
    address = f"/billing/sandbox/{payment.pk}"
    assert Client().post(address, {"wish": "fail"}).status_code == 302
    assert SandboxPayment.objects.get().state == "paid"
    assert Client().get(address).url == f"/billing/pay/{payment.pk}?back=1"
    assert OutboxMessage.objects.filter(topic=sandbox.TOPIC).count() == 1


@pytest.mark.parametrize("form", [{}, {"wish": "steal"}, {"wish": "pay", "mishap": "x"}])
def test_a_wish_that_is_none_is_refused(site, bob, form):
    payment_id = begin(bob).json()["id"]
    Client().get(f"/billing/pay/{payment_id}")
    assert Client().post(f"/billing/sandbox/{payment_id}", form).status_code == 400
    assert SandboxPayment.objects.get().state == "open"


def test_its_page_is_safe_from_other_sites(bob):
    payment_id = begin(bob).json()["id"]
    Client().get(f"/billing/pay/{payment_id}")
    elsewhere = Client(enforce_csrf_checks=True)
    assert elsewhere.post(f"/billing/sandbox/{payment_id}", {"wish": "pay"}).status_code == 403


def test_it_is_off_unless_it_is_asked_for(bob, settings):
    payment_id = begin(bob).json()["id"]
    Client().get(f"/billing/pay/{payment_id}")
    settings.CSMS_SANDBOX_PAYMENTS = False
    answer = begin(bob)
    assert (answer.status_code, answer.json()["fields"]) == (
        400,
        {"provider": ["Choose one of: manual."]},
    )
    assert Client().get(f"/billing/sandbox/{payment_id}").status_code == 404
    assert Client().post(f"/billing/sandbox/{payment_id}", {"wish": "pay"}).status_code == 404
    body = b"{}"
    signed = {sandbox.SIGNATURE_HEADER: sandbox.sign(body)}
    answer = Client().post("/billing/webhooks/sandbox", body, "application/json", headers=signed)
    assert answer.status_code == 404
