"""Top-ups, through the API and beneath it."""

import uuid
from functools import partial

import pytest

from billing import ledger
from billing.errors import Conflict, NotFound
from billing.models import Payment, Transfer
from billing.payments import topups

from .threads import in_parallel

pytestmark = pytest.mark.django_db


def top_up(client, **body):
    return client.post("/billing/topups", {"provider": "manual", "amount": "100.00", **body})


def balance(user) -> int:
    return ledger.account_of(user).balance_minor


def test_staff_record_cash_and_it_is_paid_at_once(as_olga, olga, bob):
    answer = top_up(as_olga, amount="250.50", user_id=str(bob.pk), reason="cash, receipt 17")
    assert answer.status_code == 201
    payment = answer.json()
    assert payment == {
        "id": payment["id"],
        "user_id": str(bob.pk),
        "provider": "manual",
        "amount": "250.50",
        "currency": "KGS",
        "status": "paid",
        "checkout_url": None,
        "reason": "cash, receipt 17",
        "created_at": payment["created_at"],
        "paid_at": payment["paid_at"],
    }
    assert balance(bob) == 25_050
    transfer = Transfer.objects.get(key=f"topup:{payment['id']}")
    assert (transfer.made_by, transfer.reason) == (olga, "cash, receipt 17")


def test_without_a_user_id_it_is_for_oneself(as_olga, olga):
    assert top_up(as_olga).json()["user_id"] == str(olga.pk)
    assert balance(olga) == 10_000


@pytest.mark.parametrize("amount", ["0.01", 5, 12.5, "10000000.00", " 7 "])
def test_amounts_come_as_strings_or_numbers(as_olga, amount):
    assert top_up(as_olga, amount=amount).status_code == 201


@pytest.mark.parametrize(
    "amount",
    [0, "0.00", "-1", "1.001", "10000000.01", "1e400", "NaN", "1_000", "١", "", None, True, [], {}],
)
def test_what_cannot_be_paid_in_is_400(as_olga, olga, amount):
    answer = top_up(as_olga, amount=amount)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["amount"]
    assert balance(olga) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"provider": "paypal"}, "provider"),
        ({"provider": None}, "provider"),
        ({"user_id": "bob"}, "user_id"),
        ({"reason": "x" * 201}, "reason"),
    ],
)
def test_a_bad_top_up_names_what_is_wrong(as_olga, body, field):
    answer = top_up(as_olga, **body)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert not Payment.objects.exists()


def test_a_driver_cannot_say_that_cash_came_in(as_bob, bob):
    assert top_up(as_bob).status_code == 403
    assert balance(bob) == 0
    assert not Payment.objects.exists()


def test_a_driver_cannot_top_up_another(as_bob, alice):
    assert top_up(as_bob, user_id=str(alice.pk)).status_code == 403
    assert top_up(as_bob, user_id=str(uuid.uuid4())).status_code == 403


def test_staff_who_name_nobody_who_exists_get_404(as_olga):
    assert top_up(as_olga, user_id=str(uuid.uuid4())).status_code == 404


def test_drivers_see_their_own_top_ups_and_staff_everyones(as_olga, as_alice, as_bob, alice, bob):
    theirs = top_up(as_olga, user_id=str(bob.pk)).json()["id"]
    assert as_bob.get(f"/billing/topups/{theirs}").json()["id"] == theirs
    assert as_olga.get(f"/billing/topups/{theirs}/").status_code == 200
    assert as_alice.get(f"/billing/topups/{theirs}").status_code == 404
    assert [row["id"] for row in as_bob.get("/billing/topups").json()["results"]] == [theirs]
    everyones = as_olga.get("/billing/topups").json()
    assert everyones["count"] == Payment.objects.count()
    bobs = as_olga.get("/billing/topups", {"user_id": str(bob.pk)}).json()
    assert [row["id"] for row in bobs["results"]] == [theirs]
    assert as_olga.get("/billing/topups", {"status": "failed"}).json()["count"] == 0
    assert as_bob.get("/billing/topups", {"user_id": str(alice.pk)}).status_code == 403


@pytest.fixture
def pending(bob):
    return Payment.objects.create(user=bob, provider="elsewhere", amount_minor=500, currency="KGS")


def test_a_payment_that_is_confirmed_twice_is_credited_once(pending, bob):
    assert topups.confirm(pending.pk).status == Payment.Status.PAID
    first = topups.confirm(pending.pk)
    assert first.paid_at == topups.confirm(pending.pk).paid_at
    assert balance(bob) == 500


def test_money_that_comes_for_an_expired_payment_is_the_drivers(pending, bob):
    pending.status = Payment.Status.EXPIRED
    pending.save()
    topups.confirm(pending.pk)
    assert balance(bob) == 500


def test_a_refunded_payment_is_not_credited_again(pending, bob):
    pending.status = Payment.Status.REFUNDED
    pending.save()
    with pytest.raises(Conflict):
        topups.confirm(pending.pk)
    with pytest.raises(NotFound):
        topups.confirm(uuid.uuid4())
    assert balance(bob) == 0


@pytest.mark.django_db(transaction=True)
def test_ten_confirmations_at_once_credit_once(pending, bob):
    outcomes = in_parallel([partial(topups.confirm, pending.pk)] * 10)
    assert [outcome.status for outcome in outcomes] == [Payment.Status.PAID] * 10
    assert balance(bob) == 500
