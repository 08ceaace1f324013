"""People and money through a real server: what a client sees, and many at once."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from config.tests.server import ServerProcess
from conftest import PASSWORD

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ServerProcess.on_sqlite(
        tmp_path_factory.mktemp("people"), DJANGO_SUPERUSER_PASSWORD=PASSWORD
    ) as server:
        server.manage("createsuperuser", "--noinput", "--username=olga", "--email=o@example.org")
        yield server


@pytest.fixture(scope="module")
def call(server):
    with httpx.Client(base_url=server.base_url, timeout=30) as client:
        yield client


def token(call, name: str) -> dict[str, str]:
    answer = call.post("/auth/login", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_a_driver_is_topped_up_by_twenty_at_once_with_one_key_once(call):
    registered = call.post("/auth/register", json={"phone": "0700 11 22 33", "password": PASSWORD})
    assert registered.status_code == 201
    body = {"amount": "100.00", "provider": "manual", "user_id": registered.json()["id"]}
    headers = {**token(call, "olga"), "Idempotency-Key": "one"}

    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: call.post("/billing/topups", json=body, headers=headers), range(20))
        )
    kept = [answer for answer in answers if answer.status_code == 201]
    assert kept
    assert len({answer.content for answer in kept}) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    balance = call.get("/billing/balance", headers=token(call, "+996700112233")).json()
    assert balance == {
        "balance": "100.00",
        "held": "0.00",
        "available": "100.00",
        "currency": "KGS",
    }


def test_the_sixth_wrong_password_waits_and_says_how_long(call):
    wrong = {"username": "o@example.org", "password": "wrong"}
    assert [call.post("/auth/login", json=wrong).status_code for _ in range(6)] == [401] * 5 + [429]
    assert int(call.post("/auth/login/", json=wrong).headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/ocpp/nothing", "/auth/nothing/", "/billing/", "/api/x"])
def test_an_unknown_address_is_json(call, path):
    answer = call.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
