"""Every error has one shape, whoever raises it."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.urls import include, path
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from billing import errors
from config import urls

RAISED = {
    "invalid": errors.Invalid(fields={"amount": ["No."]}),
    "own-403": errors.Forbidden(),
    "own-404": errors.NotFound("There is no such tag."),
    "own-409": errors.Conflict(),
    "own-402": errors.InsufficientFunds(),
    "own-429": errors.TooManyAttempts(retry_after_s=7),
    "nested": exceptions.ValidationError(
        {"name": ["Too long."], "elements": [{}, {"price": ["Too high."]}], "tax": {"vat": ["?"]}}
    ),
    "plain": exceptions.ValidationError("Not both."),
    "http404": Http404("SELECT secret"),
    "denied": PermissionDenied("secret"),
    "throttled": exceptions.Throttled(wait=12.4),
    "database": OperationalError("could not connect to server: secret"),
    "bug": RuntimeError("secret"),
}


class Raise(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    def get(self, request, name):
        raise RAISED[name]

    def post(self, request, name):
        return Response(request.data)


urlpatterns = [
    path("billing/raise/<name>", Raise.as_view()),
    path("page/<name>", Raise.as_view()),
    path("", include(urls)),
]
handler400, handler403, handler404, handler500 = (
    urls.handler400,
    urls.handler403,
    urls.handler404,
    urls.handler500,
)
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def client():
    return APIClient(raise_request_exception=False)


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        (
            "invalid",
            400,
            {
                "code": "invalid",
                "detail": "The request is not valid.",
                "fields": {"amount": ["No."]},
            },
        ),
        ("own-403", 403, {"code": "forbidden", "detail": "You may not do this."}),
        ("own-404", 404, {"code": "not_found", "detail": "There is no such tag."}),
        ("own-409", 409, {"code": "conflict", "detail": "This cannot be done now."}),
        (
            "own-402",
            402,
            {
                "code": "insufficient_funds",
                "detail": "The available balance does not cover this.",
            },
        ),
        (
            "nested",
            400,
            {
                "code": "invalid",
                "detail": "name: Too long. elements.1.price: Too high. tax.vat: ?",
                "fields": {
                    "name": ["Too long."],
                    "elements.1.price": ["Too high."],
                    "tax.vat": ["?"],
                },
            },
        ),
        (
            "plain",
            400,
            {
                "code": "invalid",
                "detail": "Not both.",
                "fields": {"non_field_errors": ["Not both."]},
            },
        ),
        ("http404", 404, {"code": "not_found", "detail": "There is no such thing."}),
        ("denied", 403, {"code": "forbidden", "detail": "You may not do this."}),
    ],
)
def test_an_exception_becomes_its_answer(client, name, status, body):
    answer = client.get(f"/billing/raise/{name}")
    assert (answer.status_code, answer.json()) == (status, body)


@pytest.mark.parametrize(("name", "wait"), [("own-429", "7"), ("throttled", "13")])
def test_who_must_wait_is_told_how_long(client, name, wait):
    answer = client.get(f"/billing/raise/{name}")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer.headers["Retry-After"] == wait


def test_a_database_that_is_away_is_a_reason_to_try_again(client):
    answer = client.get("/billing/raise/database")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert "secret" not in answer.content.decode()


def test_a_bug_is_a_500_in_json_that_tells_nothing(client):
    answer = client.get("/billing/raise/bug")
    assert (answer.status_code, answer.json()["code"]) == (500, "error")
    assert "secret" not in answer.content.decode()


def test_a_bug_on_a_page_is_a_page(client):
    answer = client.get("/page/bug")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "path", ["/ocpp", "/ocpp/nothing", "/auth/", "/billing/nothing/at/all/", "/api/v9"]
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_path_is_a_404_in_json(client, db, path, method):
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/nothing", "/apish", "/billings"])
def test_elsewhere_it_is_a_page(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_wrong_host_is_a_400_in_json(client):
    answer = client.get("/billing/balance", HTTP_HOST="evil.example.org")
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["fields"]) == ("invalid", {})


def test_another_method_is_405(client):
    answer = client.put("/billing/raise/plain", {})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def post(client, body: bytes | str, content_type="application/json"):
    return client.post("/billing/raise/plain", body, content_type=content_type)


def test_another_content_type_is_415(client):
    answer = post(client, "a=1", "application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'a': 1}",
        '{"a": NaN}',
        b'{"a": "\xff"}',
        '{"a": ' + "9" * 5_000 + "}",
        "[" * 100_000 + "]" * 100_000,
    ],
)
def test_malformed_json_is_400(client, body):
    answer = post(client, body)
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["fields"]) == ("malformed", {})


@pytest.mark.parametrize(
    "part",
    [
        "1e400",
        r'"a\u0000b"',
        r'"\ud800"',
        r'{"x": ["\udfff"]}',
        r'{"\u0000": 1}',
        "[" * 60 + "]" * 60,
    ],
)
def test_json_that_cannot_be_stored_is_400_and_named(client, part):
    answer = post(client, f'{{"good": 1, "bad": {part}}}')
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == ["bad"]


def test_text_of_every_script_passes(client):
    body = {"name": "Кубат ⚡ 😀", "deep": [[[1.5, None, True]]]}
    assert post(client, json.dumps(body)).json() == body


def test_a_body_that_is_too_large_is_413(client):
    answer = post(client, json.dumps({"a": "x" * 2**20}))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_every_error_class_has_a_code_of_its_own():
    def below(base):
        return [base, *(each for child in base.__subclasses__() for each in below(child))]

    codes = [each.code for each in below(errors.KubatError)]
    assert len(codes) == len(set(codes))
