import datetime as dt
from decimal import Decimal

import pytest

from billing import ledger
from billing.models import Account, Transfer, User
from billing.money import Minor

from .web import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def spent(alice):
    """Alice paid 1,000 in, charged for 300 of 500, cancelled one, and charges up to 200 now."""
    account = ledger.account_of(alice)

    def hold(number, amount):
        reference = f"session:{number}"
        return ledger.hold(
            key=f"hold:{number}", account=account, amount=Minor(amount), reference=reference
        )

    ledger.capture(hold(1, 50_000), Minor(30_000))
    ledger.void(hold(2, 10_000))
    hold(3, 20_000)


def test_balance_less_what_is_held_is_available(as_alice, spent):
    answer = as_alice.get("/billing/balance")
    assert answer.status_code == 200
    assert answer.json() == {
        "balance": "700.00",
        "held": "200.00",
        "available": "500.00",
        "currency": "KGS",
    }


def test_who_never_paid_has_nothing(as_bob):
    assert as_bob.get("/billing/balance/").json() == {
        "balance": "0.00",
        "held": "0.00",
        "available": "0.00",
        "currency": "KGS",
    }


def test_staff_see_anyones_balance_and_transfers(as_olga, alice, spent):
    assert as_olga.get("/billing/balance").json()["balance"] == "0.00"
    query = {"user_id": str(alice.pk)}
    assert as_olga.get("/billing/balance", query).json()["balance"] == "700.00"
    assert as_olga.get("/billing/transfers", query).json()["count"] == 6


def test_transfers_come_newest_first_and_add_up_to_the_balance(as_alice, spent):
    answer = as_alice.get("/billing/transfers").json()
    assert set(answer) == {"count", "next", "previous", "results"}
    rows = answer["results"]
    assert [(row["kind"], row["code"], row["amount"]) for row in rows] == [
        ("pending", "charge", "200.00"),
        ("voided", "charge", "100.00"),
        ("pending", "charge", "100.00"),
        ("captured", "charge", "300.00"),
        ("pending", "charge", "500.00"),
        ("posted", "topup", "1000.00"),
    ]
    assert sum(Decimal(row["balance_change"]) for row in rows) == 700
    assert sum(Decimal(row["held_change"]) for row in rows) == 200


def test_a_hold_says_what_became_of_it(as_alice, spent):
    rows = as_alice.get("/billing/transfers").json()["results"]
    running, voided, given_back, captured, taken, paid_in = rows
    assert running["resolved_as"] is None
    assert given_back["resolved_as"] == "voided"
    assert voided["resolves"] == given_back["id"]
    assert taken["resolved_as"] == "captured"
    assert captured["resolves"] == taken["id"]
    assert captured["balance_change"] == "-300.00"
    assert captured["held_change"] == "-500.00"
    assert captured["reference"] == "session:1"
    assert captured["direction"] == "out"
    assert paid_in["direction"] == "in"
    assert paid_in["balance_change"] == "1000.00"
    assert all(row["explanation"] and row["currency"] == "KGS" for row in rows)


def test_transfers_are_filtered(as_alice, spent):
    def kinds(**query):
        rows = as_alice.get("/billing/transfers", query).json()["results"]
        return [row["kind"] for row in rows]

    assert kinds(kind="captured") == ["captured"]
    assert kinds(code="topup") == ["posted"]
    assert kinds(reference="session:2") == ["voided", "pending"]
    border = Transfer.objects.get(kind="captured").created_at
    assert kinds(created_after=border.isoformat()) == ["pending", "voided", "pending", "captured"]
    assert kinds(created_before=border.isoformat()) == ["pending", "posted"]
    later = border + dt.timedelta(days=1)
    assert kinds(created_after=later.isoformat()) == []


def test_a_filter_that_makes_no_sense_is_400(as_alice):
    answer = as_alice.get("/billing/transfers", {"kind": "stolen"})
    assert answer.status_code == 400
    assert "kind" in answer.json()["fields"]


def test_pages_are_as_large_as_asked_up_to_a_bound(as_alice, spent):
    first = as_alice.get("/billing/transfers", {"page_size": 4}).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (6, 4, None)
    second = as_alice.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (2, None)
    beyond = as_alice.get("/billing/transfers", {"page": 3, "page_size": 4})
    assert (beyond.status_code, beyond.json()["code"]) == (404, "not_found")


def test_a_list_costs_the_same_however_long_it_is(alice, spent, django_assert_max_num_queries):
    client = signed_in(alice)
    with django_assert_max_num_queries(4):
        assert len(client.get("/billing/transfers").json()["results"]) == 6


def test_reading_a_balance_opens_one_account(db):
    user = User.objects.create_user("new")
    client = signed_in(user)
    client.get("/billing/balance")
    client.get("/billing/balance")
    assert Account.objects.filter(owner=user).count() == 1
