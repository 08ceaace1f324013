"""POST /ocpp/sessions/{id}/limit: a driver raises the limit of their running session."""

import uuid

import pytest
from rest_framework.test import APIClient

from billing.models import Transfer
from conftest import top_up
from sessions_app.models import ChargingSession
from stations.tests.cast import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_hold")]


@pytest.fixture
def session(stage, alice):
    return stage.charge(alice, "amount", "300")


def address(session, end=""):
    return f"/ocpp/sessions/{session.pk}/limit{end}"


def post(driver, session, body, **headers):
    return signed_in(driver).post(address(session), body, format="json", headers=headers)


@pytest.mark.parametrize("end", ["", "/"])
def test_the_session_is_answered_as_it_is_now(session, alice, end):
    answer = signed_in(alice).post(address(session, end), {"limit_value": "500.00"}, format="json")
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["id"] == str(session.pk)
    assert (shown["limit_type"], shown["limit_value"]) == ("amount", "500.00")
    assert (shown["hold_amount"], shown["energy_limit_kwh"]) == ("500.00", "40.000")
    assert (shown["status"], shown["max_amount"]) == ("charging", None)


def test_a_number_is_as_good_as_a_string(session, alice):
    answer = post(alice, session, {"limit_value": 400, "max_amount": 350.5})
    assert (answer.status_code, answer.json()["hold_amount"]) == (200, "350.50")
    assert answer.json()["max_amount"] == "350.50"


def test_energy_is_raised_in_kilowatt_hours(stage, alice):
    session = stage.charge(alice, "energy", "10", connector_id=1)
    answer = post(alice, session, {"limit_value": "12.345"})
    assert (answer.json()["limit_value"], answer.json()["hold_amount"]) == ("12.345", "154.31")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"limit_value"}),
        ({"limit_value": None, "max_amount": None}, {"limit_value"}),
        ({"limit_value": "299.99"}, {"limit_value"}),
        ({"limit_value": "500.001"}, {"limit_value"}),
        ({"limit_value": "0"}, {"limit_value"}),
        ({"limit_value": "-500"}, {"limit_value"}),
        ({"limit_value": "much"}, {"limit_value"}),
        ({"limit_value": True}, {"limit_value"}),
        ({"limit_value": ["500"]}, {"limit_value"}),
        ({"limit_value": "9999999999999"}, {"limit_value"}),
        ({"max_amount": "200"}, {"max_amount"}),
        ({"max_amount": "0"}, {"max_amount"}),
        ({"max_amount": "500.123"}, {"max_amount"}),
    ],
)
def test_what_is_no_raise_is_refused_and_changes_nothing(session, alice, body, fields):
    answer = post(alice, session, body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"] == "invalid"
    assert answer.json()["fields"].keys() == fields
    before = (session.limit_value, session.hold_minor, session.version)
    session.refresh_from_db()
    assert (session.limit_value, session.hold_minor, session.version) == before


def test_without_the_money_it_is_402_and_nothing_changes(session, alice):
    answer = post(alice, session, {"limit_value": "1000.01"})
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_funds")
    session.refresh_from_db()
    assert (session.limit_value, session.hold_minor) == (300, 30_000)
    assert Transfer.objects.filter(reference=session.reference).count() == 1


def test_a_key_that_is_sent_again_raises_once(session, alice):
    key = {"Idempotency-Key": "raise-1"}
    first = post(alice, session, {"limit_value": "400"}, **key)
    post(alice, session, {"limit_value": "500"})
    again = post(alice, session, {"limit_value": "400"}, **key)
    assert (again.status_code, again.json()) == (200, first.json())
    session.refresh_from_db()
    assert session.hold_minor == 50_000
    assert post(alice, session, {"limit_value": "600"}, **key).status_code == 422


def test_a_402_is_repeated_under_its_key(session, alice):
    key = {"Idempotency-Key": "raise-2"}
    assert post(alice, session, {"limit_value": "1200"}, **key).status_code == 402
    top_up(alice, 50_000)
    assert post(alice, session, {"limit_value": "1200"}, **key).status_code == 402
    assert post(alice, session, {"limit_value": "1200"}).status_code == 200


def test_a_session_that_is_being_stopped_or_has_ended_is_409(stage, session, alice):
    stage.stop(session, alice)
    answer = post(alice, session, {"limit_value": "400"})
    assert (answer.status_code, answer.json()["code"]) == (409, "session_stopping")
    stage.end(session.transaction_id)
    answer = post(alice, session, {"limit_value": "400"})
    assert (answer.status_code, answer.json()["code"]) == (409, "session_ended")


def test_another_drivers_session_is_not_found(session, bob):
    answer = post(bob, session, {"limit_value": "400"})
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


@pytest.mark.parametrize("name", [str(uuid.uuid4()), "nobody"])
def test_a_session_that_is_not_there_is_not_found(alice, name):
    answer = signed_in(alice).post(f"/ocpp/sessions/{name}/limit", {"limit_value": "400"})
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


def test_staff_raise_for_a_driver(session, olga):
    answer = post(olga, session, {"limit_value": "400"})
    assert (answer.status_code, answer.json()["hold_amount"]) == (200, "400.00")


def test_a_stranger_is_401_and_other_methods_are_405(session, alice):
    assert APIClient().post(address(session), {"limit_value": "400"}).status_code == 401
    assert signed_in(alice).get(address(session)).status_code == 405
    assert ChargingSession.objects.get(pk=session.pk).hold_minor == 30_000
