"""At a real server: a limit that is raised in mid-charge, and a station that does not stop."""

import re
import time
from decimal import Decimal

import httpx
import pytest

from stations.tests.house import PASSWORD, House, open_town

pytestmark = pytest.mark.e2e
SLOW = ("--speed=10", "--energy-kwh=900", "--timeout=170")
ALERTED_WITHIN_S = 90
UNLEARNED_KWH = Decimal("0.4")
"""What flows at 600 kW in the second that a first stop is assumed to take, and in one more that a
busy machine may lose."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("limits")) as server:
        yield server


@pytest.fixture
def house(server):
    return House(server)


@pytest.fixture
def office(server):
    with httpx.Client(base_url=server.base_url, follow_redirects=True, timeout=60) as client:
        yield BackOffice(client)


def finish(process):
    said, complaint = process.communicate(timeout=180)
    assert process.returncode == 0, said + complaint


def test_a_limit_that_is_raised_in_mid_charge_is_the_one_that_stops_it(house):
    process = house.play("plain", *SLOW)
    house.wait_for_station()
    session = house.start_charge(limit_type="energy", limit_value="1")
    path = f"/ocpp/sessions/{session['id']}"
    house.wait_for(path, lambda found: Decimal(found["energy_kwh"]) > 0)
    raised = house.post(house.alice, f"{path}/limit", {"limit_value": "2.5"})
    assert (raised["limit_value"], raised["hold_amount"]) == ("2.500", "31.25")
    finish(process)
    ended = house.check_the_only_session()
    assert ended["stop_reason"] == "limit"
    energy_kwh, cost = Decimal(ended["energy_kwh"]), Decimal(ended["cost"])
    assert Decimal("2.5") - UNLEARNED_KWH <= energy_kwh < Decimal(3)
    assert cost == min(Decimal("31.25"), energy_kwh * Decimal("12.50")).quantize(cost)


class BackOffice:
    """Olga at the back office, by HTTP."""

    def __init__(self, client):
        self.client = client
        page = self.client.get("/admin/login/")
        self._post(page, {"username": "olga", "password": PASSWORD})

    def text(self, path):
        answer = self.client.get(path)
        assert answer.status_code == 200
        return answer.text

    def press(self, path, **values):
        page = self.client.get(path)
        showing = re.search(r'name="page" value="([0-9a-f-]{36})"', page.text).group(1)
        return self._post(page, {"_submit": "1", "page": showing, **values})

    def _post(self, page, values):
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text).group(1)
        answer = self.client.post(
            page.url, data={"csrfmiddlewaretoken": token, **values}, headers={"Referer": ""}
        )
        assert answer.status_code == 200, answer.text
        return answer


def test_a_station_that_does_not_stop_is_unlocked_by_an_operator(house, office):
    """It accepts what it is asked and goes on; the driver pays what was bought."""
    process = house.play("stubborn-stop", *SLOW)
    house.wait_for_station()
    session = house.start_charge(limit_type="energy", limit_value="1")
    page = f"/admin/sessions_app/chargingsession/{session['id']}"
    deadline = time.monotonic() + ALERTED_WITHIN_S
    while "operator alerted" not in (text := office.text(f"{page}/change/")):
        assert time.monotonic() < deadline, text
        time.sleep(1)
    assert text.count("accepted, did not help") >= 3
    office.press(f"{page}/unlock_ignored/", reason="the driver called")
    finish(process)
    ended = house.check_the_only_session()
    assert (ended["stop_reason"], ended["cost"]) == ("UnlockCommand", "12.50")
    assert Decimal(ended["energy_kwh"]) > 2, "what flowed past the limit is on the bill"
    assert Decimal(ended["bill"]["overshoot"]) > 10, "and is the operator's loss"
    assert "unlock_ignored" not in office.text(f"{page}/change/")
