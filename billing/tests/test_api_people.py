import datetime as dt
import time
from functools import partial

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from billing.models import Account, User
from conftest import PASSWORD

from .threads import in_parallel
from .web import signed_in

pytestmark = pytest.mark.django_db

NO_REDIS = "redis://127.0.0.1:1/0"
NEW = {"email": "dana@example.org", "password": PASSWORD}


def register(client, **body):
    return client.post("/auth/register", body)


def log_in(client, username, password=PASSWORD, **extra):
    return client.post("/auth/login", {"username": username, "password": password}, **extra)


def test_a_driver_registers_by_email_and_logs_in_at_once(anyone):
    answer = register(anyone, **NEW, name="Dana")
    assert answer.status_code == 201
    user = answer.json()
    assert user == {
        "id": user["id"],
        "username": "dana@example.org",
        "email": "dana@example.org",
        "phone": None,
        "name": "Dana",
        "is_staff": False,
    }
    answer = log_in(anyone, "dana@example.org")
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "expiry", "user"}
    assert answer.json()["user"] == user
    assert dt.datetime.fromisoformat(answer.json()["expiry"]) > timezone.now()


def test_a_driver_registers_by_phone_in_local_form(anyone):
    answer = register(anyone, phone="0700 12 34 56", password=PASSWORD)
    assert answer.status_code == 201
    assert answer.json()["username"] == answer.json()["phone"] == "+996700123456"
    assert answer.json()["email"] is None
    for spelling in ("0700123456", "+996 700 123-456", "700123456"):
        assert log_in(anyone, spelling).status_code == 200


def test_with_both_the_email_is_the_username_and_both_log_in(anyone):
    answer = register(anyone, **NEW, phone="+996700123456")
    assert answer.json()["username"] == "dana@example.org"
    assert log_in(anyone, "0700123456").status_code == 200
    assert log_in(anyone, " Dana@Example.ORG ").status_code == 200


def test_what_is_null_is_not_given(anyone):
    body = {"email": "a@example.com", "phone": None, "name": None, "password": "Long-pass-9812"}
    reply = anyone.post("/auth/register", body)
    assert (reply.status_code, reply.json()["name"]) == (201, "")


def test_a_new_driver_has_an_empty_account(anyone):
    register(anyone, **NEW)
    account = Account.objects.get(owner__username="dana@example.org")
    assert (account.balance_minor, account.held_minor) == (0, 0)


def test_nobody_registers_as_staff(anyone):
    answer = register(anyone, **NEW, is_staff=True, is_superuser=True)
    assert answer.status_code == 201
    user = User.objects.get(username="dana@example.org")
    assert not user.is_staff
    assert not user.is_superuser


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": PASSWORD}, "email"),
        ({"email": None, "phone": None, "password": PASSWORD}, "email"),
        ({"email": "dana", "password": PASSWORD}, "email"),
        ({"phone": "12345", "password": PASSWORD}, "phone"),
        ({"phone": "", "password": PASSWORD}, "phone"),
        ({"email": "dana@example.org"}, "password"),
        ({**NEW, "password": "1234"}, "password"),
        ({**NEW, "password": "dana@example.org"}, "password"),
        ({**NEW, "password": "x" * 257}, "password"),
        ({**NEW, "name": "x" * 151}, "name"),
        ({**NEW, "name": "a\0b"}, "name"),
    ],
)
def test_a_bad_registration_names_what_is_wrong(anyone, body, field):
    answer = register(anyone, **body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert field in answer.json()["fields"]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ALICE@example.org"},
        {"phone": "0700 00 00 02"},
        {"email": "dana@example.org", "phone": "+996700000002"},
        {"email": "olga@example.org"},
    ],
)
def test_what_is_taken_is_refused(anyone, alice, bob, olga, body):
    answer = register(anyone, **body, password=PASSWORD)
    assert answer.status_code == 400
    assert answer.json()["fields"]
    assert User.objects.count() == 3


def test_an_email_that_is_somebodys_username_is_taken(anyone):
    User.objects.create_user("dana@example.org", password=PASSWORD)
    assert register(anyone, **NEW).status_code == 400


@pytest.mark.parametrize("name", ["alice@example.org", "nobody@example.org", "a\0b", "  "])
def test_a_wrong_log_in_is_refused(anyone, alice, name):
    answer = log_in(anyone, name, "wrong")
    assert answer.status_code == (401 if name.isprintable() and name.strip() else 400)
    if answer.status_code == 401:
        assert answer.json()["code"] == "wrong_credentials"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_blocked_driver_neither_logs_in_nor_uses_a_token(anyone, alice):
    client = signed_in(alice)
    alice.is_active = False
    alice.save()
    assert log_in(anyone, "alice@example.org").status_code == 401
    assert client.get("/auth/me").status_code == 401


def test_a_username_goes_before_an_email_and_case_may_tell_two_apart(anyone):
    User.objects.create_user("root@example.org", password="of the username")
    User.objects.create_user("other", email="root@example.org", password="of the e-mail")
    User.objects.create_user("Olga", password="of Olga")
    User.objects.create_user("olga", password="of olga")
    assert log_in(anyone, "root@example.org", "of the username").status_code == 200
    assert log_in(anyone, "root@example.org", "of the e-mail").status_code == 401
    assert log_in(anyone, "Olga", "of Olga").status_code == 200
    assert log_in(anyone, "olga", "of olga").status_code == 200


def test_nobody_without_a_phone_is_found_by_a_name_that_is_no_phone(anyone, alice):
    assert authenticate(username="None", password=PASSWORD) is None
    assert authenticate(username="", password=PASSWORD) is None


def test_a_password_is_hashed_once_whether_the_name_is_known_or_not(alice, monkeypatch):
    hashed = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(
        MD5PasswordHasher, "encode", lambda *args: hashed.append(1) or encode(*args)
    )
    authenticate(username="alice@example.org", password="wrong")
    known = len(hashed)
    authenticate(username="nobody@example.org", password="wrong")
    assert known == len(hashed) - known == 1


def test_me_is_who_the_token_says(as_alice, as_bob):
    assert as_alice.get("/auth/me").json()["username"] == "alice@example.org"
    assert as_bob.get("/auth/me/").json()["username"] == "+996700000002"


def test_log_out_ends_this_token_only(alice):
    here, there = signed_in(alice), signed_in(alice)
    assert here.post("/auth/logout").status_code == 204
    assert here.get("/auth/me").status_code == 401
    assert there.get("/auth/me").status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer a b", "Bearer nonsense", "Bearer \xe9", "Basic YTpi", "Token x"],
)
def test_a_header_that_is_no_token_is_401_with_a_challenge(anyone, db, header):
    answer = anyone.get("/auth/me", HTTP_AUTHORIZATION=header)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert set(answer.json()) == {"code", "detail"}


def test_a_stale_token_does_not_keep_one_from_logging_in(anyone, alice):
    answer = log_in(anyone, "alice@example.org", HTTP_AUTHORIZATION="Bearer stale")
    assert answer.status_code == 200


def test_a_token_expires_moves_on_when_used(alice):
    client = signed_in(alice)
    soon = timezone.now() + dt.timedelta(days=1)
    AuthToken.objects.update(expiry=soon)
    assert client.get("/auth/me").status_code == 200
    assert AuthToken.objects.get().expiry > soon + dt.timedelta(days=20)

    AuthToken.objects.update(expiry=timezone.now() - dt.timedelta(seconds=1))
    assert client.get("/auth/me").status_code == 401


def test_a_request_reads_one_token_however_many_there_are(alice, django_assert_num_queries):
    client = [signed_in(alice) for _ in range(5)][-1]
    with django_assert_num_queries(1):
        client.get("/auth/me")


def test_the_sixth_try_after_five_failures_waits(anyone, alice):
    for _ in range(5):
        assert log_in(anyone, "alice@example.org", "wrong").status_code == 401
    answer = log_in(anyone, "alice@example.org")
    assert answer.status_code == 429
    assert answer.json()["code"] == "throttled"
    assert 0 < int(answer.headers["Retry-After"]) <= 15 * 60


def test_failures_count_for_the_account_however_it_is_spelled(anyone, bob):
    bob.email = "bob@example.org"
    bob.save()
    for name in ("0700000002", "+996 700 000 002", "bob@example.org", "BOB@example.org"):
        log_in(anyone, name, "wrong")
    log_in(anyone, "700000002", "wrong")
    assert log_in(anyone, "+996700000002").status_code == 429


def test_failures_count_for_an_account_that_does_not_exist_alike(anyone, db):
    for _ in range(5):
        assert log_in(anyone, "nobody@example.org", "wrong").status_code == 401
    assert log_in(anyone, "Nobody@example.org", "wrong").status_code == 429


def test_another_address_and_another_account_are_not_concerned(anyone, alice, bob):
    for _ in range(5):
        log_in(anyone, "alice@example.org", "wrong")
    assert log_in(anyone, "alice@example.org", REMOTE_ADDR="203.0.113.9").status_code == 200
    assert log_in(anyone, "+996700000002").status_code == 200


def test_a_forged_forwarded_address_does_not_help(anyone, alice):
    for number in range(5):
        log_in(anyone, "alice@example.org", "wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    answer = log_in(anyone, "alice@example.org", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert answer.status_code == 429


def test_behind_a_trusted_proxy_each_client_counts_alone(anyone, alice, settings):
    settings.CSMS_TRUSTED_PROXIES = ["127.0.0.1"]
    for _ in range(5):
        log_in(anyone, "alice@example.org", "wrong", HTTP_X_FORWARDED_FOR="203.0.113.1")
    blocked = log_in(anyone, "alice@example.org", HTTP_X_FORWARDED_FOR="203.0.113.1")
    other = log_in(anyone, "alice@example.org", HTTP_X_FORWARDED_FOR="203.0.113.2")
    assert (blocked.status_code, other.status_code) == (429, 200)


def test_success_clears_failures_and_is_never_limited(anyone, alice):
    for _ in range(3):
        for _ in range(4):
            log_in(anyone, "alice@example.org", "wrong")
        assert log_in(anyone, "alice@example.org").status_code == 200
    assert {log_in(anyone, "alice@example.org").status_code for _ in range(12)} == {200}


def test_after_fifteen_minutes_one_may_try_again(anyone, alice, monkeypatch):
    now = time.time()
    for _ in range(5):
        log_in(anyone, "alice@example.org", "wrong")
    monkeypatch.setattr(time, "time", lambda: now + 15 * 60 - 5)
    answer = log_in(anyone, "alice@example.org")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= 6
    monkeypatch.setattr(time, "time", lambda: now + 15 * 60 + 5)
    assert log_in(anyone, "alice@example.org").status_code == 200


def test_sixty_registrations_a_minute_come_from_one_address(anyone, db):
    def register_number(number, **extra):
        body = {"email": f"d{number}@example.org", "password": PASSWORD}
        return anyone.post("/auth/register", body, **extra)

    assert {register_number(number).status_code for number in range(60)} == {201}
    answer = register_number(60)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert register_number(61, REMOTE_ADDR="203.0.113.9").status_code == 201


def test_without_its_cache_log_in_and_registration_go_on(anyone, alice, settings):
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": NO_REDIS}
    settings.CACHES = {"default": away}
    assert register(anyone, **NEW).status_code == 201
    assert log_in(anyone, "alice@example.org", "wrong").status_code == 401
    assert log_in(anyone, "alice@example.org").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_register_so_at_once_one_does():
    answers = in_parallel([partial(register, APIClient(), **NEW) for _ in range(10)])
    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 9
    assert Account.objects.filter(owner__username="dana@example.org").count() == 1


def test_an_idempotency_key_means_nothing_on_auth(anyone, alice):
    headers = {"HTTP_IDEMPOTENCY_KEY": "k"}
    first = log_in(anyone, "alice@example.org", **headers).json()["token"]
    assert log_in(anyone, "alice@example.org", **headers).json()["token"] != first


def test_the_first_operator_is_made_on_the_command_line_and_logs_in(anyone, db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command(
        "createsuperuser", "--noinput", "--username", "root", "--email", "Root@Example.org"
    )
    for name in ("root", "root@example.org"):
        answer = log_in(anyone, name)
        assert answer.status_code == 200
        assert answer.json()["user"]["is_staff"] is True


def test_the_admin_pages_take_any_identifier_and_count_the_same_failures(olga, anyone):
    def log_in_to_admin(name, password):
        client = Client()
        client.post("/admin/login/", {"username": name, "password": password})
        return "_auth_user_id" in client.session

    assert log_in_to_admin("olga@example.org", PASSWORD)
    for _ in range(5):
        assert not log_in_to_admin("olga", "wrong")
    assert not log_in_to_admin("olga", PASSWORD)
    assert log_in(anyone, "olga").status_code == 429
