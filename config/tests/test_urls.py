"""Who may call what: every address, each method, as a stranger, as a driver and as staff."""

import re
import uuid

import pytest
from django.urls import get_resolver
from knox.models import AuthToken
from rest_framework.test import APIClient

EVERYONE, SIGNED_IN, STAFF = "everyone", "signed in", "staff"
READ = {"get": SIGNED_IN}
WRITE = {"post": STAFF}
EDIT = {"put": STAFF, "patch": STAFF, "delete": STAFF}
ACCESS = {
    "healthz": {"get": EVERYONE},
    "readyz": {"get": EVERYONE},
    "metrics": {"get": EVERYONE},
    "api/schema": {"get": EVERYONE},
    "api/docs": {"get": EVERYONE},
    "auth/register": {"post": EVERYONE},
    "auth/login": {"post": EVERYONE},
    "auth/logout": {"post": SIGNED_IN},
    "auth/me": READ,
    "auth/me/notices": READ | {"put": SIGNED_IN},
    "auth/me/telegram": {"post": SIGNED_IN, "delete": SIGNED_IN},
    "r/<str:token>": {"get": EVERYONE},
    "billing/balance": READ,
    "billing/transfers": READ,
    "billing/receipts": READ,
    **{
        f"billing/receipts/<uuid:session_id>{document}.{suffix}": READ
        for document in ("", "/corrections/<int:number>")
        for suffix in ("pdf", "html", "json")
    },
    "billing/statement.pdf": READ,
    "billing/statement.csv": READ,
    "billing/topups": READ | {"post": SIGNED_IN},
    "billing/topups/<uuid:payment_id>": READ,
    "billing/pay/<uuid:payment_id>": {"get": EVERYONE},
    "billing/sandbox/<uuid:payment_id>": {"get": EVERYONE, "post": EVERYONE},
    "billing/webhooks/<str:provider>": {"post": EVERYONE},
    "billing/osmp/<str:terminal>": {"get": EVERYONE},
    "ocpp/start_charge": {"post": SIGNED_IN},
    "ocpp/stop_charge": {"post": SIGNED_IN},
    "ocpp/guest_charge": {"post": EVERYONE},
    "ocpp/guest_charge/<str:token>": {"get": EVERYONE},
    "ocpp/guest_charge/<str:token>/stop": {"post": EVERYONE},
    "ocpp/sessions": READ,
    "ocpp/sessions/<str:session_id>": READ,
    "ocpp/reservations": READ | {"post": SIGNED_IN},
    "ocpp/reservations/<int:reservation_id>": READ,
    "ocpp/reservations/<int:reservation_id>/cancel": {"post": SIGNED_IN},
    "ocpp/id_tags": {"get": STAFF} | WRITE,
    "ocpp/id_tags/<id_tag:id_tag>": {"get": STAFF} | EDIT,
    "ocpp/stations": READ | WRITE,
    "ocpp/stations/<str:station_id>": READ | EDIT,
    "ocpp/stations/<str:station_id>/commands": WRITE,
    "ocpp/stations/<str:station_id>/configuration": {"get": STAFF},
    "ocpp/commands/<uuid:command_id>": {"get": STAFF},
    "ocpp/tariffs": READ | WRITE,
    "ocpp/tariffs/preview": {"post": SIGNED_IN},
    "ocpp/tariffs/<uuid:tariff_id>": READ | EDIT,
    "ocpp/tariffs/<uuid:tariff_id>/versions": READ,
    "ca/root.pem": {"get": EVERYONE},
    "ca/revoked.crl": {"get": EVERYONE},
    **{f"firmware/<str:token>{name}": {"get": EVERYONE} for name in ("", "/<path:name>")},
    **{
        f"upload/<str:token>{name}": {"put": EVERYONE, "post": EVERYONE}
        for name in ("", "/<path:name>")
    },
    "ocpp/sites": READ | WRITE,
    "ocpp/sites/<int:site_id>": READ | EDIT,
}
BACK_OFFICE = "admin"
METHODS = ("get", "post", "put", "patch", "delete")
SAMPLES = {"str": "K-1", "uuid": str(uuid.uuid4()), "int": "1", "id_tag": "TAG", "path": "a/b"}
CALLS = [(route, method, who) for route, access in ACCESS.items() for method, who in access.items()]

NOT_JSON = {
    "auth/logout",
    "auth/me/telegram",
    "billing/sandbox/<uuid:payment_id>",
    "billing/webhooks/<str:provider>",
    "ocpp/guest_charge/<str:token>/stop",
    "upload/<str:token>",
    "upload/<str:token>/<path:name>",
}
POSTS = [route for route, method, _ in CALLS if method == "post" and route not in NOT_JSON]
BROKEN = [
    b"{",
    b"\xff",
    b"[" * 100_000,
    b"[" * 900 + b"]" * 900,
    b"9" * 5_000,
    b'{"a": NaN}',
]

pytestmark = pytest.mark.django_db


def routes(resolver=None):
    """Every route of ours, in both spellings; the back office judges its own."""
    for entry in (resolver or get_resolver()).url_patterns:
        if hasattr(entry, "url_patterns"):
            if str(entry.pattern) != BACK_OFFICE + "/":
                yield from routes(entry)
        elif str(entry.pattern) != BACK_OFFICE:
            yield str(entry.pattern)


def address(route, slash=""):
    return "/" + re.sub(r"<(\w+):\w+>", lambda found: SAMPLES[found[1]], route) + slash


def client_of(user=None):
    client = APIClient()
    if user is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AuthToken.objects.create(user)[1]}")
    return client


def test_every_route_is_judged_here_and_has_both_spellings():
    assert sorted(routes()) == sorted(route + slash for route in ACCESS for slash in ("", "/"))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("route", "method", "who"), CALLS)
def test_a_stranger_reaches_only_what_is_for_everyone(route, method, who, slash):
    answer = getattr(client_of(), method)(address(route, slash))
    if who == EVERYONE:
        assert answer.status_code in {200, 400, 404, 503}
    else:
        assert answer.status_code == 401
        assert answer.json()["code"] == "not_authenticated"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("route", "method", "who"), CALLS)
def test_a_driver_reaches_everything_but_what_is_for_staff(route, method, who, alice):
    answer = getattr(client_of(alice), method)(address(route))
    if who == STAFF:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    else:
        assert answer.status_code in {200, 204, 400, 404, 503}


@pytest.mark.parametrize(("route", "method", "who"), CALLS)
def test_staff_reach_everything(route, method, who, olga):
    answer = getattr(client_of(olga), method)(address(route))
    assert answer.status_code in {200, 204, 400, 404, 503}


@pytest.mark.parametrize("route", ACCESS)
def test_other_methods_are_not_allowed(route, olga):
    client = client_of(olga)
    for method in set(METHODS) - set(ACCESS[route]):
        answer = getattr(client, method)(address(route))
        assert answer.status_code == 405, method


@pytest.mark.parametrize("path", ["/ocpp/nothing", "/auth/", "/billing/x/", "/api/v1"])
def test_an_unknown_address_of_the_api_is_answered_in_json(path):
    answer = client_of().get(path)
    assert answer.status_code == 404
    assert answer.json() == {"code": "not_found", "detail": "There is no such thing."}


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("route", POSTS)
def test_a_body_that_cannot_be_read_is_refused(route, body, olga, station):
    answer = client_of(olga).post(address(route), body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] in {"malformed", "invalid"}
    assert "fields" in answer.json()


def test_a_token_that_is_none_is_refused():
    for header in ("Bearer x", "Bearer", "Bearer a b", "Token abc", "Bearer ž"):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=header.encode().decode("latin-1"))
        assert client.get("/auth/me").status_code == 401
