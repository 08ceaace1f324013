"""A driver pays at a real server: its own worker delivers the webhook to it, over HTTP."""

import time

import httpx
import pytest

from .server import ServerProcess

WITHIN_S = 30
pytestmark = pytest.mark.e2e


def wait_until_paid(browser, top_up_id):
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        top_up = browser.get(f"/billing/topups/{top_up_id}").json()
        if top_up["status"] != "pending":
            return top_up
        time.sleep(0.2)
    raise AssertionError(f"still pending after {WITHIN_S} s")


def test_a_driver_pays_and_has_the_money(tmp_path):
    person = {"email": "aibek@example.org", "password": "correct horse battery"}
    with (
        ServerProcess.on_sqlite(tmp_path, CSMS_SANDBOX_PAYMENTS="true") as server,
        httpx.Client(base_url=server.base_url, trust_env=False, follow_redirects=True) as browser,
    ):
        browser.post("/auth/register", json=person)
        log_in = {"username": person["email"], "password": person["password"]}
        token = browser.post("/auth/login", json=log_in).json()["token"]
        browser.headers["Authorization"] = f"Bearer {token}"
        wanted = {"amount": "500.00", "provider": "sandbox"}
        top_up = browser.post("/billing/topups", json=wanted).json()
        assert top_up["checkout_url"] == f"{server.base_url}/billing/pay/{top_up['id']}"
        page = browser.get(top_up["checkout_url"])
        form = {"wish": "pay", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post(page.url, data=form).status_code == 200
        assert wait_until_paid(browser, top_up["id"])["status"] == "paid"
        assert browser.get("/billing/balance").json()["balance"] == "500.00"
        assert "on your balance" in browser.get(f"/billing/pay/{top_up['id']}").text
        assert "Clean." in server.manage("reconcile")
