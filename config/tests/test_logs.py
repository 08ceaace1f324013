"""How lines of the log are written: with ids, in one line, without secrets."""

import contextlib
import io
import json
import logging
import sys

import pytest
from django.conf import settings as kubat

from billing import context
from config import logs, worker
from config.tests.lines import collected
from stations.apart import apart

TOKEN = "12.Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA"


@pytest.fixture(autouse=True)
def nothing_begun():
    context.begin()
    yield
    context.begin()


def record(message, *args, exc_info=None, **extra):
    logger = logging.Logger("kubat.test")
    return logger.makeRecord(
        logger.name, logging.WARNING, "x.py", 1, message, args, exc_info, extra=extra
    )


def as_json(message, *args, **more):
    return json.loads(logs.Json().format(record(message, *args, **more)))


def as_text(message, *args, **more):
    return logs.Text().format(record(message, *args, **more))


def fault(text):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


def test_a_line_of_json_has_what_a_machine_looks_for():
    context.begin({"station_id": "K-1"})
    context.add(session_id="5e55")
    line = as_json("%s: closing", "K-1", count=3)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "WARNING",
        "logger": "kubat.test",
        "message": "K-1: closing",
        "station_id": "K-1",
        "session_id": "5e55",
        "count": 3,
    }


def test_a_line_for_people_ends_with_what_it_is_about():
    context.begin({"station_id": "K 1", "request_id": "r1"})
    assert as_text("closing").endswith(
        'WARNING kubat.test closing [station_id="K 1" request_id=r1]'
    )


def test_a_line_about_nothing_is_as_it_was():
    assert as_text("serving").endswith("WARNING kubat.test serving")
    assert set(as_json("serving")) == {"time", "level", "logger", "message"}


def test_nobody_writes_a_line_of_their_own():
    forged = "K-1\r\n2026-11-24 00:00:00,000 CRITICAL kubat all is lost\u2028\x1b[31m"
    assert len(as_text("%s: closing", forged).splitlines()) == 1
    assert "\x1b" not in as_text("%s: closing", forged)
    context.begin({"station_id": forged})
    assert len(as_text("closing").splitlines()) == 1
    assert len(logs.Json().format(record("%s", forged)).split("\n")) == 1


def test_a_fault_is_told_with_its_traceback():
    text = as_text("it failed", exc_info=fault("the meter is odd"))
    assert "Traceback" in text
    assert text.endswith("ValueError: the meter is odd")
    assert as_json("it failed", exc_info=fault("odd"))["exception"].endswith("ValueError: odd")


SECRETS = [
    ("sent with Authorization: Bearer {}", "a1b2c3d4e5f6a7b8"),
    ("sent with Authorization: Basic {}", "SzE6YWJjZGVmZ2g="),
    ("headers {{'authorization': '{}'}}", "Token abcdef123456"),
    ("login of alice with password={}", "correct-horse"),
    ("login of alice with password: '{}'", "correct horse battery"),
    ('told {{"password": "{}"}}', "correct horse battery"),
    ("cookie: sessionid={}", "abcdefghijklmnop"),
    ('sent {{"key": "AuthorizationKey", "value": "{}"}}', "0123456789ABCDEF"),
    ("sent {{'key': 'MakerPassword', 'readonly': False, 'value': '{}'}}", "x y z"),
    ("GET ftp://kubat:{}@logs.example.org/inbox", "hunter22"),
    ("cannot reach postgres://kubat:{}@db/kubat", "hunter22"),
    ("POST https://hooks.example.org/{} failed", "T00000000B00000000XXXXXXXX"),
    ("asked https://api.example.org/pay?sig={}", "d41d8cd98f00b204"),
    ("Not Found: /upload/{}/", TOKEN),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_is_hidden_wherever_it_stands(text, secret):
    told = text.format(secret)
    fields = {"why": told}
    written = [
        as_text(told),
        as_text("%s", told),
        as_text("x", **fields),
        logs.Json().format(record("%s", told, **fields)),
        as_text("it failed", exc_info=fault(told)),
        logs.Json().format(record("it failed", exc_info=fault(told))),
    ]
    context.begin({"station_id": told})
    written.append(as_text("x"))
    for line in written:
        assert secret not in line
        assert "***" in line


def test_a_field_that_is_named_as_a_secret_is_hidden():
    assert as_json("x", authorization="abc", api_key=1)["authorization"] == "***"
    assert as_json("x", authorization="abc", api_key=1)["api_key"] == "***"


def test_our_own_secrets_are_hidden_as_they_stand(settings):
    logs._own_secrets.cache_clear()
    settings.SECRET_KEY, settings.CSMS_OSMP_KEY = "the key of this server", "short"
    try:
        assert as_text("made from the key of this server").endswith("made from ***")
        assert as_text("a short story").endswith("a short story")
    finally:
        logs._own_secrets.cache_clear()


@pytest.mark.parametrize(
    "text",
    [
        "Not Found: /ocpp/sessions/0b9cb2f0-6a3b-4a55-9d0f-3f0f7c6d9f2e",
        "payment 5: FreedomPay needs a merchant and a secret, or neither",
        "the token has expired",
        "K-1: closing, replaced",
        "doorbell lost for gateway.0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_no_secret_is_told(text):
    assert as_text(text).endswith(text)


def test_work_that_begins_knows_nothing_of_the_work_before():
    context.begin({"station_id": "K-1"})
    context.add(session_id="one")
    context.begin({"station_id": "K-1"})
    assert context.ids() == {"station_id": "K-1"}


def test_the_first_session_of_a_work_is_its_subject():
    context.add(session_id="mine")
    context.add(session_id="the one that was in my way")
    assert context.ids() == {"session_id": "mine"}


def test_a_block_forgets_what_it_was_about_even_when_it_fails():
    with contextlib.suppress(ValueError), context.about(command_id="c1"):
        assert context.ids() == {"command_id": "c1"}
        raise ValueError
    assert context.ids() == {}


@pytest.mark.django_db
def test_a_job_of_the_worker_is_named_and_its_rows_are_kept_apart():
    seen = []

    def look(row):
        seen.append(dict(context.ids()))
        context.add(session_id=row)
        raise ValueError

    with collected() as lines:
        worker._do(worker.Job("time", lambda now: [apart(look, row) for row in ("one", "two")]))
    assert seen == [{"job": "time"}, {"job": "time"}]
    assert [(line["job"], line["session_id"]) for line in lines.of("stations.apart")] == [
        ("time", "one"),
        ("time", "two"),
    ]


def test_a_line_that_the_level_leaves_out_is_never_formatted(monkeypatch):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.Json())
    logger = logging.Logger("kubat.test", level=logging.WARNING)
    logger.addHandler(handler)
    monkeypatch.setattr(logs, "hidden", pytest.fail)
    logger.info("closing")
    assert stream.getvalue() == ""


def test_what_is_written_to_the_console_has_the_format_that_is_set():
    formatters = kubat.LOGGING["formatters"]
    used = formatters[kubat.LOGGING["handlers"]["console"]["formatter"]]
    assert used == {"()": "config.logs.Text"}
