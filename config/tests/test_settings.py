"""Every setting is written down with its default, and wrong ones fail at start."""

import ast
import re
from decimal import Decimal

import environ
import pytest
from django.conf import settings as kubat

from config.checks import POSITIVE, check_public_address, check_settings
from config.settings import _write_once

SOURCE = kubat.BASE_DIR / "config" / "settings.py"
EXAMPLE = kubat.BASE_DIR / ".env.example"


def read_settings():
    """Return {name: (type, default)} of each `env.type("NAME", default=...)` in the settings.

    The default is an AST node, because some are computed.
    """
    found = {}
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env"), attr=kind),
                args=[ast.Constant(value=name)],
                keywords=[ast.keyword(arg="default", value=default)],
            ):
                found[name] = (kind, default)
    return found


def read_example():
    lines = re.findall(r"^# ([A-Z][A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    assert len(dict(lines)) == len(lines)
    return dict(lines)


SETTINGS = read_settings()
LITERAL = {
    name: (kind, ast.literal_eval(default))
    for name, (kind, default) in SETTINGS.items()
    if isinstance(default, ast.Constant | ast.List)
}


def test_each_reading_of_the_environment_is_seen_by_these_tests():
    calls = re.findall(r"\benv\.\w+\(", SOURCE.read_text())
    assert len(calls) - SOURCE.read_text().count('"CSMS_TEST_DB"') + 1 == len(SETTINGS)


def test_the_example_lists_the_settings_and_nothing_else():
    assert set(read_example()) == set(SETTINGS)


@pytest.mark.parametrize("name", LITERAL)
def test_the_example_states_the_default(name, monkeypatch):
    kind, default = LITERAL[name]
    monkeypatch.setenv(name, read_example()[name])
    assert getattr(environ.Env(), kind)(name) == default


def test_a_line_of_the_example_works_when_it_is_uncommented(tmp_path, monkeypatch):
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environ.Env, "ENVIRON", {})
    uncommented = re.sub(r"^# ([A-Z][A-Z_]+=)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(uncommented)
    environ.Env.read_env(tmp_path / ".env")
    assert read_example() == environ.Env.ENVIRON


def problems():
    return {message.id for message in check_settings(None)}


def test_the_defaults_are_right():
    assert problems() == set()


def test_a_key_is_made_once_and_kept_to_its_owner(tmp_path):
    path = tmp_path / "kubat.secret"
    for text in ("first", "second"):
        _write_once(path, text)
    assert path.read_text() == "first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_of_its_own_is_told_where_several_hosts_may_serve(settings):
    settings.IS_SECRET_KEY_MADE, settings.IS_SQLITE = True, False
    settings.DATABASE = {"OPTIONS": {"pool": {"max_size": 100}}}
    assert "kubat.W003" in problems()


@pytest.mark.parametrize("name", POSITIVE)
def test_a_number_that_is_not_positive_is_refused(settings, name):
    setattr(settings, name, type(getattr(settings, name))(0))
    assert "kubat.E004" in problems()


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("SECRET_KEY", "", "kubat.E001"),
        ("CSMS_UNKNOWN_STATIONS", "welcome", "kubat.E002"),
        ("CSMS_SERVER", "gunicorn", "kubat.E024"),
        ("CSMS_MIN_HOLD", Decimal("0.005"), "kubat.E003"),
        ("CSMS_RFID_HOLD", Decimal("0.50"), "kubat.E005"),
        ("CSMS_CURRENCY", "som", "kubat.E006"),
        ("CSMS_CURRENCY", "JPY", "kubat.E006"),
        ("CSMS_TIME_ZONE", "Bishkek", "kubat.E007"),
        ("CSMS_PHONE_REGION", "+996", "kubat.E008"),
        ("CSMS_RECONCILE_HOUR", 24, "kubat.E020"),
        ("CSMS_TRUSTED_PROXIES", ["proxy.example.org"], "kubat.E009"),
        ("CSMS_OSMP_MIN", Decimal("0.005"), "kubat.E003"),
        ("CSMS_OSMP_MAX", Decimal("9.99"), "kubat.E012"),
        ("CSMS_PUBLIC_URL", "kubat.example.org", "kubat.E013"),
        ("CSMS_PUBLIC_URL", "https://kubat.example.org/pay?x", "kubat.E013"),
        ("CSMS_FREEDOMPAY_URL", "http://api.freedompay.kg", "kubat.E014"),
        ("CSMS_FREEDOMPAY_MERCHANT_ID", "500123", "kubat.E015"),
        ("CSMS_FREEDOMPAY_SECRET", "x", "kubat.E015"),
        ("CSMS_UPLOAD_URL", "logs.example.org/inbox", "kubat.E021"),
        ("CSMS_UPLOAD_URL", "file:///etc", "kubat.E021"),
        ("CSMS_SMS_URL", "json://gateway.example.org/send", "kubat.E040"),
        ("CSMS_NOTICE_LANGUAGE", "de", "kubat.E041"),
        ("CSMS_NEARLY_USED_PERCENT", 101, "kubat.E042"),
        ("CSMS_TELEGRAM_TOKEN", "1:x", "kubat.E043"),
        ("CSMS_TELEGRAM_BOT", "kubat_bot", "kubat.E043"),
        ("CSMS_TELEGRAM_URL", "http://api.telegram.org", "kubat.E044"),
        ("EMAIL_URL", "smtp://mail.example.org", "kubat.E045"),
        ("CSMS_OSMP_KEY", "x", "kubat.E016"),
        ("CSMS_OSMP_ADDRESSES", ["10.0.0.1"], "kubat.E016"),
    ],
)
def test_a_wrong_value_is_refused(settings, name, value, problem):
    setattr(settings, name, value)
    assert problems() == {problem}


def test_terminals_are_addresses_or_networks(settings):
    settings.CSMS_OSMP_KEY, settings.CSMS_OSMP_ADDRESSES = "x", ["pay24"]
    assert problems() == {"kubat.E009"}
    settings.CSMS_OSMP_ADDRESSES = ["10.0.0.1", "10.1.0.0/16"]
    assert problems() == set()


def test_a_deployment_without_a_public_address_is_pointed_out(settings):
    assert [message.id for message in check_public_address(None)] == ["kubat.W004"]
    settings.CSMS_PUBLIC_URL = "https://kubat.example.org"
    assert check_public_address(None) == []


@pytest.mark.parametrize("scheme", ["ftp", "ftps", "sftp", "http", "https"])
def test_logs_may_go_to_another_server(settings, scheme):
    settings.CSMS_UPLOAD_URL = f"{scheme}://user:secret@logs.example.org/inbox"
    assert problems() == set()


def test_freedompay_needs_our_public_address(settings):
    settings.CSMS_FREEDOMPAY_MERCHANT_ID, settings.CSMS_FREEDOMPAY_SECRET = "500123", "x"
    assert problems() == {"kubat.E017"}
    settings.CSMS_PUBLIC_URL = "https://kubat.example.org"
    assert problems() == set()


def test_money_that_is_none_is_pointed_out_beside_real_money(settings):
    settings.CSMS_SANDBOX_PAYMENTS = True
    assert problems() == set()
    settings.CSMS_OSMP_KEY, settings.CSMS_OSMP_ADDRESSES = "x", ["10.0.0.1"]
    assert problems() == {"kubat.W002"}


def test_proxies_are_addresses_or_networks_of_both_families(settings):
    settings.CSMS_TRUSTED_PROXIES = ["10.0.0.1", "10.1.0.0/16", "::1", "fd00::/8"]
    assert problems() == set()


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [(["localhost"], set()), (["kubat.example.org"], {"kubat.E010"}), (["*"], {"kubat.E010"})],
)
def test_debug_is_for_a_local_machine(settings, hosts, expected):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, hosts
    assert problems() == expected


def test_redis_beside_sqlite_is_pointed_out(settings):
    settings.IS_SQLITE, settings.REDIS_URL = True, "redis://127.0.0.1"
    assert problems() == {"kubat.W001"}


@pytest.mark.parametrize(("size", "expected"), [(11, {"kubat.E011"}), (12, set())])
def test_the_pool_has_a_connection_for_each_thread(settings, size, expected):
    settings.IS_SQLITE, settings.CSMS_GATEWAY_THREADS = False, 8
    settings.IS_SECRET_KEY_MADE = False
    settings.DATABASE = {"OPTIONS": {"pool": {"max_size": size}}}
    assert problems() == expected
