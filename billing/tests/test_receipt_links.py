"""The link to a receipt in a notice: opens without a log-in, and cannot be guessed."""

import uuid

import pytest
from django.test import Client

from billing.models import Receipt
from billing.receipts import links
from sessions_app.tests.stage import Stage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def public(settings):
    settings.CSMS_PUBLIC_URL = "https://kubat.example.org/"


@pytest.fixture
def receipt(station, alice):
    stage = Stage(station)
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    return Receipt.objects.get()


def path_of(receipt):
    return links.link_to(receipt.reference).removeprefix("https://kubat.example.org")


def test_whoever_has_the_link_reads_the_receipt(receipt):
    answer = Client().get(path_of(receipt))
    assert answer.status_code == 200
    assert "100.00" in answer.text
    assert answer["X-Robots-Tag"] == "noindex"
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "no-referrer"


def test_it_names_no_person(receipt, alice):
    text = Client().get(path_of(receipt)).text
    for private in ("alice", "Alice", str(alice.pk)):
        assert private not in text


def test_it_is_in_the_language_of_the_browser(receipt):
    answer = Client(headers={"Accept-Language": "ky"}).get(path_of(receipt))
    assert answer["Content-Language"] == "ky"
    assert "Дүмүрчөк" in answer.text


def test_a_link_is_short_enough_for_an_sms(receipt):
    assert len(path_of(receipt)) == len("/r/") + 35


def test_without_a_public_address_there_is_no_link(receipt, settings):
    settings.CSMS_PUBLIC_URL = ""
    assert links.link_to(receipt.reference) == ""


def flipped(token, place):
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


@pytest.mark.parametrize("place", [0, 10, 21, 25, 33])
def test_a_changed_link_opens_nothing(receipt, place):
    token = links.token_of(receipt.reference)
    assert Client().get(f"/r/{flipped(token, place)}").status_code == 404


@pytest.mark.parametrize("token", ["x", "-", "a" * 35, "a" * 500, "ä", "a b", "%00", "=" * 35])
def test_what_is_no_link_opens_nothing(receipt, token):
    assert Client().get(f"/r/{token}").status_code == 404


def test_a_link_before_anything_was_issued_opens_nothing(db):
    assert links.find(links.token_of(f"session:{uuid.uuid4()}")) is None


def test_another_secret_key_opens_nothing(receipt, settings):
    path = path_of(receipt)
    settings.SECRET_KEY = "another"
    assert Client().get(path).status_code == 404
