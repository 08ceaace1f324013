"""The OpenAPI document and its page: without a warning, complete, and without the internet."""

import re

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture(scope="module")
def operations(document):
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def api_routes():
    """The routes of the three apps, as OpenAPI writes them, without their slashed twins."""
    for include in get_resolver().url_patterns:
        module = getattr(getattr(include, "urlconf_name", None), "__name__", "")
        for route in include.url_patterns if module.endswith(".api.urls") else ():
            if not str(route.pattern).endswith("/"):
                yield "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(route.pattern))


def test_the_document_is_valid_and_without_a_warning(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_every_route_is_documented_once(document):
    assert sorted(document["paths"]) == sorted(api_routes())


def test_every_operation_has_a_short_name_and_one_tag(operations):
    names = [operation["operationId"] for operation in operations.values()]
    assert len(names) == len(set(names))
    tags = {tag for operation in operations.values() for tag in operation["tags"]}
    assert tags == {
        "auth",
        "billing",
        "commands",
        "guests",
        "id_tags",
        "reservations",
        "sessions",
        "sites",
        "stations",
        "tariffs",
        "uptime",
        "webhooks",
    }


def test_every_operation_tells_how_its_errors_look(document, operations):
    error = document["components"]["schemas"]["Error"]
    assert set(error["properties"]) == {"code", "detail", "fields"}
    for operation in operations.values():
        schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Error"}


GUESTS = "/ocpp/guest_charge"
STOP_BY_TOKEN = f"{GUESTS}/{{token}}/stop"


def test_all_but_log_in_registration_and_guests_want_a_bearer_token(document, operations):
    schemes = document["components"]["securitySchemes"]
    assert schemes == {"bearer": {"type": "http", "scheme": "bearer"}}
    free = {path for (_, path), one in operations.items() if one["security"] != [{"bearer": []}]}
    by_token = {f"{GUESTS}/{{token}}", STOP_BY_TOKEN}
    assert free == {"/auth/login", "/auth/register", GUESTS, *by_token}


def test_no_choice_is_named_by_its_digest(document):
    schemas = document["components"]["schemas"]
    names = [name for name in schemas if re.search(r"[0-9a-f]{3}Enum", name)]
    assert names == []


def test_posts_of_people_know_the_idempotency_key_except_under_auth(operations):
    with_key = {
        path
        for (method, path), operation in operations.items()
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", []))
    }
    posts = {path for method, path in operations if method == "post"}
    of_nobody = {path for path in posts if path.startswith("/auth/")} | {STOP_BY_TOKEN}
    assert with_key == posts - of_nobody


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema", "/api/schema/"])
def test_the_document_is_served_to_everyone(path):
    answer = Client().get(path)
    assert answer.status_code == 200
    assert b"start_charge" in answer.content


def addresses_in(text):
    return re.findall(r"""(?:src|href)="([^"]+)"|url: "([^"]+)\"""", text)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/"])
def test_the_page_needs_only_what_we_serve(path):
    client = Client()
    page = client.get(path)
    assert page.status_code == 200
    text = page.content.decode()
    assert not re.search(r"https?://|[\"'(]//", text)
    # Left to itself, the page sends the document to a validator on the internet.
    assert '"validatorUrl": null' in text
    addresses = [first or second for first, second in addresses_in(text)]
    assert len(addresses) == 5
    for address in addresses:
        answer = client.get(address.replace("\\u002D", "-"))
        assert answer.status_code == 200, address
        assert b"".join(answer) if answer.streaming else answer.content


@pytest.mark.django_db
def test_the_style_of_the_page_asks_nobody_else():
    client = Client()
    page = client.get("/api/docs").content.decode()
    (style,) = re.findall(r'href="([^"]+\.css)"', page)
    text = b"".join(client.get(style)).decode()
    assert "swagger-ui" in text
    assert not re.search(r"url\(\s*[\"']?(https?:)?//|@import", text)
