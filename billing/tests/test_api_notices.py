"""GET and PUT /auth/me/notices: one's own choice, and nobody else's."""

import pytest

from billing.models import NoticeKind, NoticePreference, User
from billing.tests.told import work
from billing.tests.web import signed_in
from conftest import PASSWORD, top_up

pytestmark = pytest.mark.django_db
PATH = "/auth/me/notices"
ON = ["charging_ended", "limit_reached", "money"]


@pytest.fixture
def channels(mailbox, gateway):
    return mailbox, gateway


def test_by_default_a_person_hears_of_charges_and_money_where_they_registered(
    as_alice, as_bob, channels
):
    for client, channel in ((as_alice, "email"), (as_bob, "sms")):
        seen = client.get(PATH).json()
        assert seen["notices"] == {
            kind: [channel] if kind in ON else [] for kind in NoticeKind.values
        }
        assert {"channel": channel, "has_address": True} in seen["channels"]


def test_a_person_chooses_by_kind_and_channel(as_alice, alice, channels):
    wish = {"notices": {"station_lost": ["email"], "money": []}, "language": "ky"}
    answer = as_alice.put(PATH, wish)
    assert answer.status_code == 200
    assert answer.json() == as_alice.get(PATH).json()
    assert answer.json()["language"] == "ky"
    assert answer.json()["notices"]["station_lost"] == ["email"]
    assert answer.json()["notices"]["money"] == []
    top_up(alice, 500, key="second")
    work()
    assert channels[0].mails == []


def test_what_is_not_named_stays(as_alice, channels):
    as_alice.put(PATH, {"notices": {"money": []}})
    as_alice.put(PATH, {"notices": {"station_lost": ["email"]}})
    as_alice.put(PATH, {"language": "en"})
    seen = as_alice.get(PATH).json()
    assert (seen["notices"]["money"], seen["notices"]["station_lost"]) == ([], ["email"])
    assert seen["notices"]["charging_ended"] == ["email"]
    assert seen["language"] == "en"


def test_a_channel_named_twice_is_one(as_alice, alice, channels):
    as_alice.put(PATH, {"notices": {"money": ["email", "email"]}})
    assert NoticePreference.objects.get(user=alice).choices == {"money": ["email"]}


@pytest.mark.parametrize(
    "wish",
    [
        {"notices": {"mony": []}},
        {"notices": {"money": ["pigeon"]}},
        {"notices": {"money": "email"}},
        {"notices": {"money": None}},
        {"notices": {"money": ["sms"]}},  # alice has no phone
        {"notices": {"money": ["telegram"]}},  # there is no bot
        {"notices": {"money": ["email"] * 9}},
        {"notices": []},
        {"notices": "money"},
        {"language": "de"},
        {"language": None},
        [],
        "money",
    ],
)
def test_what_cannot_be_chosen_is_refused_and_changes_nothing(as_alice, alice, channels, wish):
    before = as_alice.get(PATH).json()
    answer = as_alice.put(PATH, wish)
    assert answer.status_code == 400, answer.json()
    assert answer.json()["code"] == "invalid"
    assert as_alice.get(PATH).json() == before


def test_nobody_sees_or_sets_anothers(as_bob, as_olga, alice, bob, channels):
    """There is no way to name another, not even for staff: they see the back office."""
    for client in (as_bob, as_olga):
        for query in (f"?user_id={alice.pk}", f"?user={alice.pk}"):
            client.put(PATH + query, {"notices": {"money": []}, "user_id": str(alice.pk)})
    assert not NoticePreference.objects.filter(user=alice).exists()
    assert User.objects.get(pk=alice.pk).language == ""
    assert signed_in(alice).get(PATH).json()["notices"]["money"] == ["email"]


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_stranger_is_asked_to_log_in(anyone, method):
    assert getattr(anyone, method)(PATH).status_code == 401


def test_an_answer_holds_no_address(as_alice, channels):
    assert "example.org" not in str(as_alice.get(PATH).json())


@pytest.mark.parametrize(
    ("header", "language"),
    [("ky", "ky"), ("ru-RU,ru;q=0.9", "ru"), ("de, ky;q=0.5", "ky"), ("de", "en"), ("", "")],
)
def test_the_language_of_the_app_at_registration_is_kept(anyone, header, language):
    wish = {"email": "new@example.org", "password": PASSWORD}
    headers = {"Accept-Language": header} if header else {}
    assert anyone.post("/auth/register", wish, headers=headers).status_code == 201
    assert User.objects.get(email="new@example.org").language == language
