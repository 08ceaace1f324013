"""A guest pays once, charges at most for that, and gets the rest back by itself."""

import datetime as dt
import re
from decimal import Decimal

import pytest
from django.contrib.auth import authenticate
from django.core.cache import cache
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from billing import ledger, outbox
from billing.errors import Invalid
from billing.models import Notice, Payment, PaymentReturn, SandboxPayment, User
from billing.money import Minor
from billing.payments import returns, sandbox
from billing.payments.checkout import open_checkout
from billing.payments.polling import poll_due
from billing.payments.provider import Links
from billing.tests.told import work as deliver
from sessions_app.models import ChargingSession, GuestCharge
from sessions_app.reconcile import examine
from sessions_app.services import expire, guest
from sessions_app.tests.promises import check_books, check_sessions
from stations.models import Alert, Station
from stations.tests.cast import break_rows

PATH = "/ocpp/guest_charge"
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def promises_hold(db, settings):
    settings.CSMS_SANDBOX_PAYMENTS = True
    cache.clear()
    yield
    check_books()
    check_sessions()
    assert examine(timezone.now()) == []


class Guest:
    """A stranger with a browser: pays, looks and stops by the token that they were given."""

    def __init__(self, seller=None, language="", **wanted):
        self.http = APIClient(headers={"Accept-Language": language} if language else {})
        if seller:
            token = AuthToken.objects.create(seller)[1]
            self.http.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        wanted = {"station_id": "K-1", "amount": "200.00", "provider": "sandbox"} | wanted
        answer = self.http.post(PATH, wanted, format="json")
        assert answer.status_code == 201, answer.json()
        self.opened = answer.json()
        self.token = self.opened["token"]
        self.charge = GuestCharge.objects.get(payment=self.opened["payment_id"])

    def pay(self, *, is_paid=True):
        """Pay at the checkout; its webhook is lost, and the worker finds out."""
        payment = self.charge.payment
        open_checkout(payment.pk, Links(webhook="http://x/", back="http://x/"))
        sandbox.complete(
            payment.pk, is_paid=is_paid, mishap=sandbox.Mishap.LOST, webhook_url="http://x/"
        )
        poll_due(timezone.now() + HOUR)

    def see(self):
        return APIClient().get(f"{PATH}/{self.token}").json()

    def stop(self):
        return APIClient().post(f"{PATH}/{self.token}/stop")

    @property
    def session(self):
        return GuestCharge.objects.get(pk=self.charge.pk).session

    @property
    def account(self):
        account = ledger.account_of(self.charge.user)
        return account.balance_minor, account.held_minor


def work(after=dt.timedelta()):
    """One beat of the worker."""
    now = timezone.now() + after
    guest.run_due(now)
    outbox.deliver_due({returns.TOPIC: returns.send_refund})


def begun(stage, somebody):
    """The station begins what was asked for."""
    work()
    stage.accept_start()
    stage.begin(somebody.session)
    return somebody.session


def test_a_guest_pays_charges_and_gets_the_rest_back(stage):
    somebody = Guest()
    assert somebody.opened["status"] == "waiting"
    assert somebody.opened["checkout_url"].endswith(f"/billing/pay/{somebody.charge.payment_id}")
    work()
    assert somebody.session is None

    somebody.pay()
    session = begun(stage, somebody)
    assert somebody.account == (20_000, 20_000)
    assert (session.limit_type, session.hold_minor) == ("amount", 20_000)
    stage.deliver(session.transaction_id, 8_000)
    seen = somebody.see()
    assert (seen["payment_status"], seen["status"], seen["checkout_url"]) == (
        "paid",
        "started",
        None,
    )
    assert (seen["session"]["status"], seen["session"]["cost"]) == ("charging", "100.00")
    assert seen["refund"] == {"status": "none", "amount": "0.00"}

    assert somebody.stop().status_code == 202
    stage.end(session.transaction_id)
    guest.run_due(timezone.now())
    assert somebody.account == (0, 0)
    assert somebody.see()["refund"] == {"status": "pending", "amount": "100.00"}
    work()
    assert somebody.see()["refund"] == {"status": "done", "amount": "100.00"}
    assert SandboxPayment.objects.get().returned_minor == 10_000
    work()
    assert PaymentReturn.objects.count() == 1


def test_all_that_was_paid_may_be_used(stage):
    somebody = Guest()
    somebody.pay()
    session = begun(stage, somebody)
    stage.deliver(session.transaction_id, 16_000)
    stage.end(session.transaction_id)
    work()
    assert somebody.account == (0, 0)
    assert somebody.see()["refund"] == {"status": "none", "amount": "0.00"}


def test_a_start_that_the_station_refuses_is_paid_back_whole(stage):
    somebody = Guest()
    somebody.pay()
    work()
    stage.answer(stage.take_command(), "Rejected")
    work()
    seen = somebody.see()
    assert seen["session"]["error_code"] == "station_rejected"
    assert seen["refund"] == {"status": "done", "amount": "200.00"}
    assert seen["payment_status"] == "refunded"


def test_a_start_that_never_begins_is_paid_back_whole(stage):
    somebody = Guest()
    somebody.pay()
    work()
    stage.accept_start()
    expire.run_due(timezone.now() + HOUR)
    work()
    assert somebody.see()["refund"] == {"status": "done", "amount": "200.00"}


def test_a_station_that_is_gone_when_the_payment_comes_pays_back_whole(stage):
    somebody = Guest()
    stage.disconnect()
    somebody.pay()
    work()
    seen = somebody.see()
    assert (seen["status"], seen["error_code"], seen["session"]) == (
        "refused",
        "station_offline",
        None,
    )
    assert seen["refund"] == {"status": "done", "amount": "200.00"}


def test_a_payment_that_is_acted_on_too_late_is_paid_back(stage):
    somebody = Guest()
    somebody.pay()
    work(after=HOUR)
    seen = somebody.see()
    assert (seen["error_code"], seen["refund"]["status"]) == ("paid_too_late", "done")
    assert not ChargingSession.objects.exists()


def test_a_payment_that_fails_begins_nothing(stage):
    somebody = Guest()
    somebody.pay(is_paid=False)
    work()
    seen = somebody.see()
    assert (seen["payment_status"], seen["status"]) == ("failed", "waiting")
    assert not ChargingSession.objects.exists()


def test_the_rest_waits_a_while_for_a_late_stop(stage):
    somebody = Guest()
    somebody.pay()
    session = begun(stage, somebody)
    stage.deliver(session.transaction_id, 8_000)
    somebody.stop()
    expire.run_due(timezone.now() + HOUR)
    work()
    assert somebody.account == (10_000, 0)
    stage.register_wh += 2_000
    stage.end(session.transaction_id)
    work()
    assert somebody.see()["refund"] == {"status": "done", "amount": "75.00"}


def test_without_a_late_stop_the_rest_goes_back_all_the_same(stage):
    somebody = Guest()
    somebody.pay()
    session = begun(stage, somebody)
    stage.deliver(session.transaction_id, 8_000)
    somebody.stop()
    expire.run_due(timezone.now() + HOUR)
    work(after=HOUR + dt.timedelta(minutes=1))
    assert somebody.see()["refund"] == {"status": "done", "amount": "100.00"}
    stage.end(session.transaction_id, register_wh=stage.register_wh - 4_000)
    work()
    assert somebody.see()["refund"] == {"status": "done", "amount": "150.00"}


def test_a_review_keeps_only_what_could_be_true(stage):
    Station.objects.update(max_power_kw=10)
    stage.station.refresh_from_db()
    somebody = Guest()
    somebody.pay()
    session = begun(stage, somebody)
    stage.deliver(session.transaction_id, 15_000, seconds=1_800)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.status == "review"
    work()
    assert somebody.account == (20_000, session.hold_minor)
    assert somebody.see()["refund"]["status"] == "none"


def test_a_refund_that_the_provider_refuses_is_not_tried_for_ever(stage):
    somebody = Guest()
    stage.disconnect()
    somebody.pay()
    SandboxPayment.objects.update(state="failed")
    for _ in range(3):
        work()
    assert somebody.account == (20_000, 0)
    assert somebody.see()["refund"] == {"status": "failed", "amount": "200.00"}
    assert PaymentReturn.objects.count() == 1


def test_cash_is_sold_by_staff_who_pay_out_the_rest(stage, olga):
    somebody = Guest(seller=olga, provider="manual")
    assert somebody.opened["payment_status"] == "paid"
    session = begun(stage, somebody)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id)
    work()
    assert somebody.see()["refund"] == {"status": "to_be_paid_out", "amount": "100.00"}
    alert = Alert.objects.get(kind=guest.PAY_OUT)
    assert "100.00" in alert.text
    work()
    alert.refresh_from_db()
    assert (alert.count, alert.resolved_at) == (1, None)

    returns.pay_out(
        user=somebody.charge.user, amount=Minor(10_000), reason="at the counter", made_by=olga
    )
    work()
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    assert somebody.see()["refund"] == {"status": "none", "amount": "0.00"}


def test_cash_is_not_sold_by_a_stranger(stage, alice):
    for client in (APIClient(), APIClient()):
        wanted = {"station_id": "K-1", "amount": "200.00", "provider": "manual"}
        answer = client.post(PATH, wanted, format="json")
        assert answer.status_code == 403
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AuthToken.objects.create(alice)[1]}")
        assert client.post(PATH, wanted, format="json").status_code == 403
    assert not Payment.objects.filter(provider="manual", user__is_guest=True).exists()
    assert not User.objects.filter(is_guest=True).exists()


def test_staff_sell_once_for_one_key(stage, olga):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AuthToken.objects.create(olga)[1]}")
    wanted = {"station_id": "K-1", "amount": "200.00", "provider": "manual"}
    first, second = (
        client.post(PATH, wanted, format="json", HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)
    )
    assert first.json() == second.json()
    assert GuestCharge.objects.count() == 1


def test_a_strangers_key_is_passed_over(stage):
    wanted = {"station_id": "K-1", "amount": "200.00", "provider": "sandbox"}
    answer = APIClient().post(PATH, wanted, format="json", HTTP_IDEMPOTENCY_KEY="k")
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount": "0"}, 400, "invalid"),
        ({"amount": "0.01"}, 400, "invalid"),
        ({"amount": None}, 400, "invalid"),
        ({"provider": "shells"}, 400, "invalid"),
        ({"connector_id": 9}, 400, "invalid"),
        ({"station_id": "K-9"}, 404, "station_not_found"),
    ],
)
def test_what_cannot_be_sold_leaves_no_guest(stage, change, status, code):
    wanted = {"station_id": "K-1", "amount": "200.00", "provider": "sandbox"} | change
    answer = APIClient().post(PATH, wanted, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not User.objects.filter(is_guest=True).exists()


def test_nothing_is_sold_where_nothing_can_be_charged(stage):
    stage.disconnect()
    wanted = {"station_id": "K-1", "amount": "200.00", "provider": "sandbox"}
    answer = APIClient().post(PATH, wanted, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "station_offline")


def test_the_token_is_all_that_opens_a_charge_and_is_nowhere_stored(stage, alice):
    somebody = Guest()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", somebody.token)
    assert somebody.token not in str(GuestCharge.objects.values().get())
    for wrong in ("x", somebody.token[:-1], str(somebody.charge.pk), somebody.charge.token_digest):
        assert APIClient().get(f"{PATH}/{wrong}").status_code == 404
        answer = APIClient().post(f"{PATH}/{wrong}/stop")
        assert (answer.status_code, answer.json()["code"]) == (404, "guest_charge_not_found")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AuthToken.objects.create(alice)[1]}")
    somebody.pay()
    work()
    assert client.get(f"/ocpp/sessions/{somebody.session.pk}").status_code == 404


def test_what_has_not_begun_or_has_ended_is_not_stopped(stage):
    somebody = Guest()
    assert somebody.stop().json()["code"] == "guest_charge_not_begun"
    somebody.pay()
    session = begun(stage, somebody)
    stage.end(session.transaction_id)
    assert somebody.stop().json()["code"] == "session_ended"


def test_a_guest_never_logs_in(stage):
    somebody = Guest()
    person = somebody.charge.user
    assert not person.has_usable_password()
    person.set_password("correct horse battery staple")
    person.save()
    assert authenticate(username=person.username, password="correct horse battery staple") is None


def test_the_least_amount_is_the_least_hold(stage, settings):
    settings.CSMS_MIN_HOLD = Decimal(50)
    with pytest.raises(Invalid):
        guest.open_charge(
            station_id="K-1",
            connector_id=None,
            amount=Minor(4_999),
            provider="sandbox",
            seller=None,
        )


def test_too_many_charges_from_one_address_are_refused(stage):
    wanted = {"station_id": "K-9", "amount": "200.00", "provider": "sandbox"}
    statuses = [APIClient().post(PATH, wanted, format="json").status_code for _ in range(61)]
    assert (statuses[59], statuses[60]) == (404, 429)


def test_a_charge_that_cannot_be_begun_keeps_no_other_waiting(stage):
    first, second = Guest(connector_id=1), Guest(connector_id=2)
    first.pay()
    second.pay()
    break_rows(GuestCharge, connector_id=1)
    work()
    assert first.see()["status"] == "waiting"
    assert second.session is not None


# --- What a guest is told -------------------------------------------------------------------------


def charge_and_end(stage, somebody, *, energy_wh):
    somebody.pay()
    deliver()
    session = begun(stage, somebody)
    stage.deliver(session.transaction_id, energy_wh)
    stage.end(session.transaction_id, reason="Local")
    guest.run_due(timezone.now())
    deliver()


def test_a_guest_who_gave_an_e_mail_is_told_the_end_and_what_goes_back(stage, mailbox):
    charge_and_end(stage, Guest(email="guest@example.org"), energy_wh=8_000)
    assert mailbox.recipients == ["guest@example.org"] * 2
    ended, returned = sorted(mailbox.texts)
    assert "8 кВт·ч за 100 сом. Возвращено 100 сом." in ended
    assert returned.startswith("Возврат 100 сом отправлен.")


def test_a_guest_is_told_in_the_language_of_their_browser(stage, mailbox):
    somebody = Guest(email="guest@example.org", language="ky")
    assert somebody.charge.user.language == "ky"


def test_a_guest_whose_charge_did_not_start_is_told(stage, mailbox):
    somebody = Guest(email="guest@example.org")
    somebody.pay()
    guest.run_due(timezone.now())
    stage.answer(stage.take_command(), "Rejected")
    deliver()
    assert "зарядка не началась. Возвращено 200 сом." in mailbox.texts[0]


def test_a_guest_without_an_e_mail_is_told_nothing(stage, mailbox):
    charge_and_end(stage, Guest(), energy_wh=8_000)
    assert mailbox.mails == []
    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    "email", ["nobody", "a@b.org\r\nBcc: c@example.org", "x" * 300 + "@example.org", {}]
)
def test_what_is_no_e_mail_is_refused(stage, email):
    wanted = {"station_id": "K-1", "amount": "200.00", "provider": "sandbox", "email": email}
    assert APIClient().post(PATH, wanted, format="json").status_code == 400
    assert not GuestCharge.objects.exists()


def test_a_guest_may_give_the_e_mail_of_somebody_who_is_registered(stage, alice, mailbox):
    """It opens nothing of theirs: they hear of the guest's charge alone."""
    somebody = Guest(email=alice.email)
    assert somebody.charge.user != alice
    assert somebody.charge.user.email is None
