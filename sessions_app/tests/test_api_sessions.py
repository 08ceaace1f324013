"""POST /ocpp/stop_charge and the lists of sessions: what is shown, and to whom."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from sessions_app import tags
from sessions_app.models import ChargingSession
from stations.tests.cast import signed_in

pytestmark = pytest.mark.django_db

STOP, LIST = "/ocpp/stop_charge", "/ocpp/sessions"


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


# --- Stop -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [STOP, f"{STOP}/"])
def test_a_driver_stops_their_own_session(stage, alice, path):
    session = stage.charge(alice)
    client = signed_in(alice)
    answer = client.post(path, {"session_id": str(session.pk)})
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    assert client.post(path, {"session_id": str(session.pk)}).status_code == 202


def test_a_session_that_has_not_begun_is_cancelled(stage, alice):
    session = stage.ask(alice, "amount", "500")
    answer = signed_in(alice).post(STOP, {"session_id": str(session.pk)})
    assert answer.status_code == 202
    assert answer.json()["status"] in ("error", "stopping")


def test_a_stop_is_accepted_while_the_station_is_offline(stage, alice):
    session = stage.charge(alice)
    stage.disconnect()
    answer = signed_in(alice).post(STOP, {"session_id": str(session.pk)})
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")


def test_a_session_that_has_ended_cannot_be_stopped(stage, alice):
    session = stage.charge(alice)
    stage.end(session.transaction_id)
    answer = signed_in(alice).post(STOP, {"session_id": str(session.pk)})
    assert (answer.status_code, answer.json()["code"]) == (409, "session_ended")


def test_bob_cannot_stop_alices_session(stage, alice, bob):
    session = stage.charge(alice)
    answer = signed_in(bob).post(STOP, {"session_id": str(session.pk)})
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    session.refresh_from_db()
    assert session.status == "charging"


def test_staff_stop_any_session(stage, alice, olga):
    session = stage.charge(alice)
    answer = signed_in(olga).post(STOP, {"session_id": str(session.pk)})
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    assert session.events.filter(actor="olga", detail__by="staff").exists()


def test_a_stop_without_log_in_is_refused(stage, alice):
    session = stage.charge(alice)
    assert APIClient().post(STOP, {"session_id": str(session.pk)}).status_code == 401


@pytest.mark.parametrize(
    "body", [{}, {"session_id": None}, {"session_id": "7"}, {"session_id": []}]
)
def test_a_stop_of_nothing_is_refused(alice, body):
    answer = signed_in(alice).post(STOP, body)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["session_id"])


def test_an_unknown_session_is_not_found(alice):
    answer = signed_in(alice).post(STOP, {"session_id": str(uuid.uuid4())})
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


# --- One session ------------------------------------------------------------------------------


def test_a_settled_session_shows_its_bill_and_what_went_past_the_hold(stage, alice):
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 41_000)  # 512.50
    stage.end(session.transaction_id)
    shown = signed_in(alice).get(f"{LIST}/{session.pk}").json()
    assert (shown["status"], shown["cost"], shown["energy_kwh"]) == (
        "completed",
        "500.00",
        "41.000",
    )
    assert shown["transaction_id"] == session.transaction_id
    assert shown["stop_reason"] == "limit"
    assert shown["bill"]["total"] == "512.50"
    assert shown["bill"]["overshoot"] == "12.50"
    assert shown["bill"]["currency"] == "KGS"
    (line,) = shown["bill"]["lines"]
    assert (line["type"], line["amount"]) == ("ENERGY", "512.50")
    for name in ("started_at", "stopped_at", "requested_at"):
        assert parse_datetime(shown[name]).utcoffset().total_seconds() == 0


def test_a_running_session_shows_its_cost_so_far(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 900)
    shown = signed_in(alice).get(f"{LIST}/{session.pk}/").json()
    assert (shown["status"], shown["energy_kwh"], shown["cost"]) == ("charging", "0.900", "11.25")


def test_bob_cannot_see_alices_session(stage, alice, bob, olga):
    session = stage.charge(alice)
    hidden = signed_in(bob).get(f"{LIST}/{session.pk}")
    assert (hidden.status_code, hidden.json()["code"]) == (404, "session_not_found")
    assert signed_in(olga).get(f"{LIST}/{session.pk}").status_code == 200
    assert APIClient().get(f"{LIST}/{session.pk}").status_code == 401


@pytest.mark.parametrize("name", ["7", "not-a-uuid", str(uuid.uuid4())])
def test_a_session_that_does_not_exist_is_not_found(alice, name):
    answer = signed_in(alice).get(f"{LIST}/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


def test_a_session_of_an_operators_tag_belongs_to_nobody(stage, olga, alice):
    tags.add_tag({"id_tag": "CARD-1"}, actor=olga)
    stage.begin("CARD-1")
    (shown,) = signed_in(olga).get(LIST).json()["results"]
    assert (shown["user_id"], shown["hold_amount"]) == (None, "0.00")
    assert ids(signed_in(alice).get(LIST)) == []


# --- Lists ------------------------------------------------------------------------------------


@pytest.fixture
def history(stage, alice, olga):
    """Alice: one completed, then one charging. Olga: one that was not covered."""
    done = stage.charge(alice, "amount", "100")
    stage.end(done.transaction_id)
    running = stage.charge(alice, "amount", "200")
    refused = stage.ask(olga, "amount", "5", connector_id=2)
    return [str(row.pk) for row in (done, running, refused)]


def test_drivers_see_their_own_newest_first_and_staff_see_all(history, alice, bob, olga):
    done, running, refused = history
    assert ids(signed_in(alice).get(LIST)) == [running, done]
    assert ids(signed_in(bob).get(f"{LIST}/")) == []
    assert ids(signed_in(olga).get(LIST)) == [refused, running, done]
    assert APIClient().get(LIST).status_code == 401


def test_another_users_list_is_forbidden_to_drivers(history, alice, bob, olga):
    done, running, _ = history
    other = signed_in(bob).get(LIST, {"user_id": alice.pk})
    assert (other.status_code, other.json()["code"]) == (403, "forbidden")
    assert ids(signed_in(alice).get(LIST, {"user_id": alice.pk})) == [running, done]
    assert ids(signed_in(olga).get(LIST, {"user_id": alice.pk})) == [running, done]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"status": "charging"}, [1]),
        ({"status": "completed,error"}, [2, 0]),
        ({"station_id": "k-1"}, [2, 1, 0]),
        ({"station_id": "K-2"}, []),
        ({"started_after": "2000-01-01T00:00:00Z"}, [1, 0]),
        ({"started_before": "2000-01-01T00:00:00Z"}, []),
    ],
)
def test_lists_are_narrowed_by_what_is_asked(history, olga, query, wanted):
    assert ids(signed_in(olga).get(LIST, query)) == [history[index] for index in wanted]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "sleeping"}, "status"),
        ({"status": "charging,sleeping"}, "status"),
        ({"started_after": "yesterday"}, "started_after"),
        ({"user_id": "alice"}, "user_id"),
        ({"station_id": "\x00"}, "station_id"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(olga, query, field):
    answer = signed_in(olga).get(LIST, query)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])


def test_lists_come_in_pages(history, olga):
    first = signed_in(olga).get(LIST, {"page_size": 2}).json()
    assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
    last = signed_in(olga).get(first["next"]).json()
    assert [row["id"] for row in last["results"]] == history[:1]


def test_a_list_takes_the_same_queries_whatever_its_length(history, stage, alice, olga):
    client = signed_in(olga)

    def count_queries():
        with CaptureQueriesContext(connection) as queries:
            rows = ids(client.get(LIST))
        return len(rows), len(queries)

    rows, queries = count_queries()
    for _ in range(5):
        stage.end(ChargingSession.objects.running().get().transaction_id)
        stage.charge(alice, "amount", "10")
    assert count_queries() == (rows + 5, queries)
