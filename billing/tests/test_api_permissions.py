"""No one sees or moves another's (P10). Every address, as everybody: config/tests/test_urls.py."""

import uuid

import pytest

from billing.models import IdempotentRequest, Payment, Transfer
from billing.payments import topups

pytestmark = pytest.mark.django_db

PRIVATE = [
    ("get", "/auth/me"),
    ("post", "/auth/logout"),
    ("get", "/billing/balance"),
    ("get", "/billing/transfers"),
    ("get", "/billing/topups"),
    ("post", "/billing/topups"),
    ("get", f"/billing/topups/{uuid.UUID(int=1)}"),
]
ABOUT_SOMEONE = ["/billing/balance", "/billing/transfers", "/billing/topups"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_without_a_token_nothing_is_told(anyone, method, path, slash):
    answer = getattr(anyone, method)(path + slash, HTTP_IDEMPOTENCY_KEY="k")
    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"
    assert not IdempotentRequest.objects.exists()


@pytest.mark.parametrize("path", ABOUT_SOMEONE)
def test_bob_does_not_see_alices(as_bob, alice, path):
    for user_id in (alice.pk, uuid.uuid4()):
        answer = as_bob.get(path, {"user_id": str(user_id)})
        assert answer.status_code == 403
        assert answer.json()["code"] == "forbidden"


@pytest.mark.parametrize("path", ABOUT_SOMEONE)
def test_bob_may_name_himself(as_bob, bob, path):
    assert as_bob.get(path, {"user_id": str(bob.pk)}).status_code == 200


@pytest.mark.parametrize("path", ABOUT_SOMEONE)
def test_a_user_id_that_is_none_is_400_and_an_unknown_one_404_for_staff(as_olga, path):
    malformed = as_olga.get(path, {"user_id": "alice"})
    assert malformed.status_code == 400
    assert "user_id" in malformed.json()["fields"]
    assert as_olga.get(path, {"user_id": str(uuid.uuid4())}).status_code == 404


def test_bob_does_not_read_alices_top_up(as_bob, as_alice, alice):
    payment = Payment.objects.get(user=alice)
    assert as_alice.get(f"/billing/topups/{payment.pk}").status_code == 200
    assert as_bob.get(f"/billing/topups/{payment.pk}").status_code == 404


def test_bob_sees_only_his_own_transfers(as_bob, alice, bob):
    assert Transfer.objects.exists()
    assert as_bob.get("/billing/transfers").json()["count"] == 0


def test_bob_does_not_get_alices_answer_by_her_idempotency_key(as_bob, as_olga, bob):
    body = {"provider": "manual", "amount": "5.00"}
    assert as_olga.post("/billing/topups", body, HTTP_IDEMPOTENCY_KEY="k").status_code == 201
    assert as_bob.post("/billing/topups", body, HTTP_IDEMPOTENCY_KEY="k").status_code == 403


def test_there_is_no_way_to_change_or_delete_a_payment(as_olga, olga):
    payment = topups.request_top_up(user=olga, amount=500, provider="manual", made_by=olga)
    for method in ("put", "patch", "delete"):
        answer = getattr(as_olga, method)(f"/billing/topups/{payment.pk}", {"status": "failed"})
        assert answer.status_code == 405
        assert answer.json()["code"] == "method_not_allowed"
