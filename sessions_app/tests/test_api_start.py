"""POST /ocpp/start_charge: who may ask, what may be asked, and what is answered."""

import uuid

import pytest
from rest_framework.test import APIClient

from billing import ledger
from billing.models import Transfer
from sessions_app.models import ChargingSession
from stations.models import Command, Connector, Station, TariffAssignment
from stations.tests.cast import signed_in

pytestmark = pytest.mark.django_db

PATH = "/ocpp/start_charge"
ORDER = {"station_id": "K-1", "limit_type": "amount", "limit_value": "500.00"}


def account_of(user):
    account = ledger.account_of(user)
    return account.balance_minor, account.held_minor


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
def test_a_start_holds_the_money_and_asks_the_station(stage, alice, path):
    answer = signed_in(alice).post(path, ORDER)
    assert answer.status_code == 202
    session = ChargingSession.objects.get()
    assert answer.json() == {
        "id": str(session.pk),
        "user_id": str(alice.pk),
        "station_id": "K-1",
        "connector_id": 1,
        "transaction_id": None,
        "status": "requested",
        "limit_type": "amount",
        "limit_value": "500.00",
        "max_amount": None,
        "energy_limit_kwh": "40.000",
        "hold_amount": "500.00",
        "energy_kwh": "0.000",
        "cost": "0.00",
        "currency": "KGS",
        "requested_at": session.requested_at.isoformat().replace("+00:00", "Z"),
        "started_at": None,
        "stopped_at": None,
        "stop_reason": None,
        "error_code": None,
        "lost": False,
        "tariff": {
            "id": str(TariffAssignment.objects.get().scope_id),
            "version": 1,
            "name": None,
            "currency": "KGS",
            "price_per_kwh": "12.50",
            "vat_percent": "0.00",
            "elements": [],
            "min_price": None,
            "max_price": None,
            "parking_grace_s": 0,
        },
        "bill": None,
    }
    assert account_of(alice) == (100_000, 50_000)
    assert Command.objects.get().action == "RemoteStartTransaction"


@pytest.mark.parametrize(
    ("limit_type", "value", "shown"),
    [
        ("amount", 500, "500.00"),
        ("amount", 500.5, "500.50"),
        ("amount", "1", "1.00"),
        ("energy", "10", "10.000"),
        ("energy", 0.125, "0.125"),
        ("time", 30, "30"),
        ("time", "30.0", "30"),
        ("soc", "80", "80"),
        ("soc", 1, "1"),
        ("full", None, None),
    ],
)
def test_each_limit_is_taken_as_number_or_string(stage, alice, limit_type, value, shown):
    order = ORDER | {"limit_type": limit_type, "limit_value": value}
    answer = signed_in(alice).post(PATH, order)
    assert (answer.status_code, answer.json()["limit_value"]) == (202, shown)


def test_full_needs_no_value_at_all(stage, alice):
    answer = signed_in(alice).post(PATH, {"station_id": "K-1", "limit_type": "full"})
    assert answer.status_code == 202
    assert answer.json()["hold_amount"] == "1000.00"


@pytest.mark.parametrize(
    ("limit_type", "value"),
    [
        ("amount", None),
        ("amount", 0),
        ("amount", "0.00"),
        ("amount", "-5"),
        ("amount", 0.001),
        ("amount", "500.005"),
        ("amount", "50000e-4"),
        ("amount", "1e99"),
        ("amount", "NaN"),
        ("amount", "Infinity"),
        ("amount", "1_000"),
        ("amount", "٥٠٠"),
        ("amount", "1 000"),
        ("amount", "1,5"),
        ("amount", True),
        ("amount", [500]),
        ("amount", {"value": 500}),
        ("amount", ""),
        ("amount", "1000000000.00"),
        ("amount", 10**30),
        ("energy", "0.0001"),
        ("energy", "1000000.001"),
        ("energy", False),
        ("time", "1.5"),
        ("time", 0.5),
        ("time", "1e1"),
        ("time", "43201"),
        ("time", True),
        ("soc", 0),
        ("soc", 101),
        ("soc", "80.5"),
        ("full", "100"),
        ("full", 0),
    ],
)
def test_an_impossible_limit_is_refused_by_its_name(stage, alice, limit_type, value):
    order = ORDER | {"limit_type": limit_type, "limit_value": value}
    answer = signed_in(alice).post(PATH, order)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert list(answer.json()["fields"]) == ["limit_value"]
    assert not ChargingSession.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit_type": "money"}, "limit_type"),
        ({"limit_type": None}, "limit_type"),
        ({"limit_type": ["amount"]}, "limit_type"),
        ({"station_id": ""}, "station_id"),
        ({"station_id": None}, "station_id"),
        ({"station_id": "K" * 49}, "station_id"),
        ({"station_id": "K\x00"}, "station_id"),
        ({"connector_id": 0}, "connector_id"),
        ({"connector_id": -1}, "connector_id"),
        ({"connector_id": True}, "connector_id"),
        ({"connector_id": 1.5}, "connector_id"),
        ({"connector_id": 2**31}, "connector_id"),
        ({"user_id": "alice"}, "user_id"),
        ({"max_amount": 0}, "max_amount"),
        ({"max_amount": "1.001"}, "max_amount"),
        ({"max_amount": True}, "max_amount"),
        ({"max_amount": "1e30"}, "max_amount"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(stage, alice, change, field):
    answer = signed_in(alice).post(PATH, ORDER | change)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]


def test_half_a_character_is_refused(stage, alice):
    body = '{"station_id": "\\ud800", "limit_type": "full"}'
    answer = signed_in(alice).post(PATH, body, content_type="application/json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["station_id"])


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "{", "NaN", '{"limit_value": NaN}'])
def test_a_body_that_is_no_object_is_refused(stage, alice, body):
    answer = signed_in(alice).post(PATH, body, content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "detail", "fields"}


@pytest.mark.parametrize(
    ("limit_type", "value", "held"),
    [
        ("amount", "500", "100.00"),
        ("energy", "10", "100.00"),
        ("time", "600", "100.00"),
        ("soc", "80", "100.00"),
        ("full", None, "100.00"),
    ],
)
def test_max_amount_bounds_the_hold_of_every_limit(stage, alice, limit_type, value, held):
    order = ORDER | {"limit_type": limit_type, "limit_value": value, "max_amount": "100"}
    answer = signed_in(alice).post(PATH, order)
    assert (answer.status_code, answer.json()["hold_amount"]) == (202, held)
    assert account_of(alice) == (100_000, 10_000)


def test_a_start_without_log_in_is_refused(stage):
    answer = APIClient().post(PATH, ORDER)
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "detail"}


def test_a_driver_cannot_start_at_anothers_cost(stage, alice, bob):
    for user_id in (alice.pk, uuid.uuid4()):
        answer = signed_in(bob).post(PATH, ORDER | {"user_id": str(user_id)})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert not ChargingSession.objects.exists()
    assert account_of(alice) == (100_000, 0)


def test_a_driver_may_name_themselves(stage, alice):
    answer = signed_in(alice).post(PATH, ORDER | {"user_id": str(alice.pk)})
    assert answer.status_code == 202


def test_staff_start_for_a_driver_who_pays(stage, alice, olga):
    answer = signed_in(olga).post(PATH, ORDER | {"user_id": str(alice.pk)})
    assert (answer.status_code, answer.json()["user_id"]) == (202, str(alice.pk))
    assert account_of(alice) == (100_000, 50_000)
    assert Command.objects.get().requested_by == olga


def test_staff_who_name_nobody_are_told(stage, olga):
    answer = signed_in(olga).post(PATH, ORDER | {"user_id": str(uuid.uuid4())})
    assert answer.status_code == 404


def test_too_little_money_is_recorded_and_answered_with_402(stage, bob):
    answer = signed_in(bob).post(PATH, ORDER)
    assert answer.status_code == 402
    body = answer.json()
    assert (body["code"], body["status"]) == ("insufficient_funds", "error")
    assert (body["error_code"], body["hold_amount"]) == ("insufficient_funds", "0.00")
    assert body["detail"]
    assert body["id"] == str(ChargingSession.objects.get().pk)
    assert not Transfer.objects.filter(code="charge").exists()
    assert not Command.objects.exists()
    kept = signed_in(bob).get(f"/ocpp/sessions/{body['id']}").json()
    assert kept == {name: value for name, value in body.items() if name not in ("code", "detail")}


def test_refusals_come_in_the_order_of_the_contract(stage, alice, bob, tariff):
    """Everything is wrong at first; each repair brings out the next refusal."""
    as_bob = signed_in(bob)
    station, connectors = Station.objects.all(), Connector.objects.all()
    disconnected = {"owner": None}
    station.update(enabled=False, **disconnected)
    TariffAssignment.objects.update(valid_until=stage.now)
    connectors.update(status="Unavailable")
    order = {"station_id": "nowhere", "limit_type": "amount", "limit_value": "0"}
    order["user_id"] = str(alice.pk)

    def refusal():
        answer = as_bob.post(PATH, order)
        return answer.status_code, answer.json()["code"]

    assert refusal() == (400, "invalid")
    order["limit_value"] = "500"
    assert refusal() == (403, "forbidden")
    del order["user_id"]
    assert refusal() == (404, "station_not_found")
    order["station_id"] = "k-1"
    assert refusal() == (409, "station_disabled")
    station.update(enabled=True)
    assert refusal() == (409, "no_tariff")
    TariffAssignment.objects.update(valid_until=None)
    assert refusal() == (409, "station_offline")
    station.update(owner=stage.station.owner)
    assert refusal() == (409, "connector_busy")
    connectors.update(status="Reserved")
    assert refusal() == (409, "connector_reserved")
    assert not ChargingSession.objects.exists()
    connectors.update(status="Available")
    assert refusal() == (402, "insufficient_funds")


def test_the_same_key_starts_once_and_answers_the_same(stage, alice):
    client = signed_in(alice)
    first = client.post(PATH, ORDER, headers={"Idempotency-Key": "k1"})
    again = client.post(PATH, ORDER, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert ChargingSession.objects.count() == 1
    assert account_of(alice) == (100_000, 50_000)


def test_a_402_is_stored_and_repeated(stage, bob):
    client = signed_in(bob)
    first = client.post(PATH, ORDER, headers={"Idempotency-Key": "k1"})
    again = client.post(PATH, ORDER, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (402, 402)
    assert first.json() == again.json()
    assert ChargingSession.objects.count() == 1


def test_another_body_under_the_key_is_refused(stage, alice):
    client = signed_in(alice)
    client.post(PATH, ORDER, headers={"Idempotency-Key": "k1"})
    other = client.post(PATH, ORDER | {"limit_value": "1"}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422
    assert ChargingSession.objects.count() == 1
