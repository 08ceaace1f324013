"""One key, one effect, one answer (P3), on a view that does whatever a test asks of it."""

import datetime as dt
import os
import subprocess
import sys
import threading
import time
import uuid
from functools import partial

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.urls import include, path
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.response import Response

from billing import ledger
from billing.adjust import adjust_balance
from billing.api.idempotency import (
    KEPT_FOR,
    RUNS_AT_MOST,
    IdempotentPost,
)
from billing.errors import Conflict, InsufficientFunds
from billing.models import IdempotentRequest, Transfer
from billing.money import Minor
from config import urls

from .threads import in_parallel
from .web import signed_in

begun, may_end = threading.Event(), threading.Event()
committed = []


class Give(IdempotentPost):
    """Gives the caller 1.00 for nothing, then does as `then` says."""

    def post(self, request):
        then = request.data["then"]
        dies = "KUBAT_TEST_DIES" in os.environ
        if dies and then == "die at once":
            os._exit(9)
        adjust_balance(user=request.user, amount=Minor(100), reason="test", made_by=request.user)
        transaction.on_commit(partial(committed.append, then))
        if dies and then == "die inside":
            os._exit(9)
        if dies and then == "die after":
            transaction.on_commit(partial(os._exit, 9))
        return getattr(self, then.split()[0], self.give)(request)

    def give(self, request):
        body = {"z": "сом", "a": [1, 1.50, None], "number": Transfer.objects.count()}
        return Response(body, status=201)

    def refuse(self, request):
        return Response({"code": "insufficient_funds", "session": "7"}, status=402)

    def short(self, request):
        raise InsufficientFunds

    def bad(self, request):
        return Response({"code": "invalid"}, status=400)

    def conflict(self, request):
        raise Conflict

    def crash(self, request):
        raise RuntimeError

    def wait(self, request):
        """The first of two waits for the other."""
        if not begun.is_set():
            begun.set()
            assert may_end.wait(10)
        return self.give(request)

    def lose(self, request):
        IdempotentRequest.objects.update(claim=uuid.uuid4())
        return self.give(request)


urlpatterns = [
    path("give", Give.as_view()),
    path("give/", Give.as_view()),
    path("other", Give.as_view()),
    path("", include(urls)),
]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture(autouse=True)
def fresh():
    begun.clear()
    may_end.clear()
    committed.clear()


def give(client, key="k", then="give", path="/give", **extra):
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    return client.post(path, {"then": then, **extra}, **headers)


def given(user) -> int:
    return Transfer.objects.filter(code="adjustment", credit__owner=user).count()


def test_a_repeat_has_no_second_effect_and_gets_the_same_bytes(as_alice, alice):
    first = give(as_alice)
    second = give(as_alice)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"] == "application/json"
    assert given(alice) == 1


def test_without_a_key_or_with_another_each_request_counts(as_alice, alice):
    give(as_alice, None)
    give(as_alice, None)
    give(as_alice, "k1")
    give(as_alice, "k2")
    assert given(alice) == 4


def test_a_key_is_one_users_on_one_path(as_alice, as_bob, alice, bob):
    give(as_alice)
    give(as_alice, path="/other")
    give(as_bob)
    assert (given(alice), given(bob)) == (2, 1)


def test_the_slash_at_the_end_is_no_other_path(as_alice, alice):
    assert give(as_alice).content == give(as_alice, path="/give/").content
    assert given(alice) == 1


def test_another_body_under_the_key_is_refused(as_alice, alice):
    give(as_alice)
    answer = give(as_alice, more=1)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert given(alice) == 1


def test_spaces_and_order_make_no_other_body(as_alice, alice):
    for body in ('{"then":"give","x":1}', '{ "x": 1,\n "then": "give" }'):
        answer = as_alice.post(
            "/give", body, content_type="application/json", HTTP_IDEMPOTENCY_KEY="k"
        )
        assert answer.status_code == 201
    assert given(alice) == 1


def test_a_402_with_a_row_is_an_answer_that_is_repeated(as_alice, alice):
    first, second = give(as_alice, then="refuse"), give(as_alice, then="refuse")
    assert first.status_code == second.status_code == 402
    assert first.content == second.content
    assert first.json()["session"] == "7"
    assert given(alice) == 1


def test_a_402_that_is_raised_leaves_nothing_but_itself(as_alice, alice):
    first, second = give(as_alice, then="short"), give(as_alice, then="short")
    assert first.status_code == second.status_code == 402
    assert first.content == second.content
    assert first.json()["code"] == "insufficient_funds"
    assert given(alice) == 0


@pytest.mark.parametrize(("then", "status"), [("bad", 400), ("conflict", 409), ("crash", 500)])
def test_any_other_answer_undoes_the_work_and_frees_the_key(alice, then, status):
    client = signed_in(alice)
    client.raise_request_exception = False
    assert give(client, then=then).status_code == status
    assert given(alice) == 0
    assert not IdempotentRequest.objects.exists()
    assert give(client).status_code == 201
    assert given(alice) == 1


@pytest.mark.django_db(transaction=True)
def test_effects_on_commit_run_once_and_only_for_work_that_stays(as_alice):
    give(as_alice, "k1", then="conflict")
    assert committed == []
    give(as_alice, "k2")
    give(as_alice, "k2")
    assert committed == ["give"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_400(as_alice, alice, key):
    answer = give(as_alice, key)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["Idempotency-Key"]
    assert given(alice) == 0


def test_a_body_that_is_no_json_leaves_the_key_free(as_alice, alice):
    answer = as_alice.post("/give", "{", content_type="application/json", HTTP_IDEMPOTENCY_KEY="k")
    assert answer.status_code == 400
    assert give(as_alice).status_code == 201


def test_only_post_looks_at_the_key(as_alice):
    answer = as_alice.get("/give", HTTP_IDEMPOTENCY_KEY="k")
    assert answer.status_code == 405
    assert not IdempotentRequest.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_have_one_effect(alice):
    clients = [signed_in(alice) for _ in range(10)]
    answers = in_parallel([partial(give, client) for client in clients])
    kept = {answer.content for answer in answers if answer.status_code == 201}
    others = [answer for answer in answers if answer.status_code != 201]
    assert len(kept) == 1
    assert {answer.json()["code"] for answer in others} <= {"idempotency_running"}
    assert given(alice) == 1
    assert give(clients[0]).content in kept


@pytest.mark.django_db(transaction=True)
@pytest.mark.on_postgres
def test_while_the_first_runs_a_repeat_is_409_and_another_body_422(alice):
    first, second = signed_in(alice), signed_in(alice)

    def meanwhile():
        assert begun.wait(10)
        answers = [give(second, then="wait"), give(second, then="give")]
        may_end.set()
        return answers

    answer, (repeated, other) = in_parallel([partial(give, first, then="wait"), meanwhile])
    assert answer.status_code == 201
    assert (repeated.status_code, repeated.json()["code"]) == (409, "idempotency_running")
    assert other.status_code == 422
    assert given(alice) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.on_postgres
def test_of_a_slow_request_and_the_one_that_took_over_only_the_second_counts(alice):
    slow, second = signed_in(alice), signed_in(alice)
    aged = threading.Event()

    def take_over():
        assert begun.wait(10)
        age_claims(RUNS_AT_MOST)
        aged.set()
        return give(second, then="wait")

    def let_the_slow_one_end_once_it_is_taken_over():
        assert aged.wait(10)
        border = timezone.now() - RUNS_AT_MOST
        while not IdempotentRequest.objects.filter(claimed_at__gt=border).exists():
            time.sleep(0.01)
        may_end.set()

    lost, kept, _ = in_parallel(
        [partial(give, slow, then="wait"), take_over, let_the_slow_one_end_once_it_is_taken_over]
    )
    assert (lost.status_code, lost.json()["code"]) == (409, "idempotency_running")
    assert kept.status_code == 201
    assert given(alice) == 1
    assert give(slow, then="wait").content == kept.content


def test_a_request_that_lost_its_claim_has_no_effect(as_alice, alice):
    answer = give(as_alice, then="lose")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_running")
    assert given(alice) == 0


def age_claims(by: dt.timedelta) -> None:
    IdempotentRequest.objects.update(claimed_at=timezone.now() - by - dt.timedelta(seconds=1))


def test_after_a_day_the_key_is_free_again(as_alice, alice):
    give(as_alice)
    age_claims(KEPT_FOR)
    assert give(as_alice, more=1).status_code == 201
    assert given(alice) == 2
    assert give(as_alice, more=1).status_code == 201
    assert given(alice) == 2


def die(user, then: str) -> None:
    """Send the request in a process of its own, which is gone in the middle of it."""
    _, token = AuthToken.objects.create(user)
    done = subprocess.run(
        [sys.executable, "-m", "billing.tests.one_request", token, then],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "SECRET_KEY": settings.SECRET_KEY,
            "KUBAT_TEST_DIES": "1",
        },
        timeout=60,
        check=False,
    )
    assert done.returncode == 9


def database_url() -> str:
    """The test database, for another process."""
    here = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{here['NAME']}"
    login = f"{here['USER']}:{here['PASSWORD']}".rstrip(":")
    return f"postgres://{login}@{here['HOST']}:{here['PORT']}/{here['NAME']}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("then", ["die at once", "die inside"])
def test_a_process_that_dies_before_the_commit_leaves_nothing_and_is_succeeded(alice, then):
    client = signed_in(alice)
    die(alice, then)
    assert given(alice) == 0
    assert ledger.account_of(alice).balance_minor == 100_000
    assert IdempotentRequest.objects.get().status_code is None
    assert give(client, then=then).status_code == 409

    age_claims(RUNS_AT_MOST)
    assert give(client, then=then, more=1).status_code == 422
    assert give(client, then=then).status_code == 201
    assert give(client, then=then).status_code == 201
    assert given(alice) == 1


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_after_the_commit_has_given_its_answer(alice):
    client = signed_in(alice)
    die(alice, "die after")
    assert given(alice) == 1
    answer = give(client, then="die after")
    assert answer.status_code == 201
    assert answer.json()["number"] == Transfer.objects.count()
    assert given(alice) == 1
