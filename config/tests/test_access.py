"""Each request has an id, and a line in the log where that is wanted."""

import json

import pytest

from billing import context
from config.tests.lines import collected

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(settings):
    """What was written for requests."""
    settings.CSMS_ACCESS_LOG = True
    with collected() as lines:
        yield lambda logger="kubat.access": lines.of(logger)
    context.begin()


def test_an_id_that_a_request_came_with_is_taken_over_and_answered(client, lines):
    response = client.get("/auth/me", headers={"X-Request-Id": "gw-1/2026:07_a.b"})
    assert response["X-Request-Id"] == "gw-1/2026:07_a.b"
    assert lines()[0]["request_id"] == "gw-1/2026:07_a.b"


@pytest.mark.parametrize("told", ["", " ", "a b", "a" * 65, "ы", "a\tb", "<script>", '"'])
def test_an_id_that_is_not_sane_is_replaced(client, told):
    made = client.get("/auth/me", headers={"X-Request-Id": told})["X-Request-Id"]
    assert made != told
    assert len(made) == 32


def test_each_request_gets_an_id_of_its_own(client):
    first, second = (client.get("/auth/me")["X-Request-Id"] for _ in range(2))
    assert first != second


def test_a_line_says_who_asked_for_what_and_never_the_path(client, lines, olga):
    client.force_login(olga)
    client.get("/ocpp/stations/A-SECRET-PLACE?token=abc")
    client.get("/admin/")
    _, page = lines()
    assert page["message"].startswith("GET /admin/ 200 in ")
    assert (page["method"], page["path"], page["status"]) == ("GET", "/admin/", 200)
    assert page["user_id"] == str(olga.pk)
    assert page["duration_ms"] > 0
    api = lines()[0]
    assert api["path"] == "/ocpp/stations/<str:station_id>"
    assert "SECRET" not in json.dumps(api)
    assert "token" not in json.dumps(api)


def test_the_user_of_an_api_token_is_told(client, lines, alice):
    body = {"username": alice.username, "password": "correct horse battery staple"}
    token = client.post("/auth/login", body, content_type="application/json").json()["token"]
    client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert [line["user_id"] for line in lines()] == ["", str(alice.pk)]


def test_an_address_that_leads_nowhere_is_not_repeated(client, lines):
    client.get("/a-token-of-somebody-else")
    assert lines()[0]["path"] == "-"


def test_the_line_of_an_error_has_the_id_of_its_request(client, lines):
    client.get("/ocpp/sessions/none", headers={"X-Request-Id": "r-1"})
    assert [line["request_id"] for line in lines("django.request")] == ["r-1"]


def test_a_request_that_fails_is_told_too(client, lines, monkeypatch):
    monkeypatch.setattr("billing.api.authentication.BearerAuthentication.authenticate", broken)
    client.raise_request_exception = False
    response = client.get("/auth/me", headers={"X-Request-Id": "r-2"})
    assert (response.status_code, response["X-Request-Id"]) == (500, "r-2")
    assert lines()[0]["status"] == 500
    (told,) = lines("django.request")
    assert told["request_id"] == "r-2"
    assert told["exception"].endswith("RuntimeError: the meter is odd")


def broken(*_):
    raise RuntimeError("the meter is odd")


def test_probes_write_no_lines(client, lines):
    client.get("/healthz")
    assert lines() == []


def test_nothing_is_written_unless_it_is_wanted(client, lines, settings):
    settings.CSMS_ACCESS_LOG = False
    client.get("/auth/me")
    assert lines() == []


def test_a_line_asks_the_database_nothing(client, lines, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/nowhere")
