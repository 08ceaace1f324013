"""GET /billing/statement.pdf and .csv: whose, from when to when, in which language."""

import pytest

pytestmark = pytest.mark.django_db

PERIOD = {"from": "2026-01-01", "to": "2026-12-31"}


def test_a_driver_gets_their_own(as_alice):
    answer = as_alice.get("/billing/statement.csv", PERIOD)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == (
        'inline; filename="statement-2026-01-01-2026-12-31.csv"'
    )
    assert "1000.00" in answer.content.decode()


@pytest.mark.parametrize("accept", ["application/pdf", "text/html", "*/*"])
@pytest.mark.parametrize("path", ["/billing/statement.pdf", "/billing/statement.pdf/"])
def test_the_path_says_what_is_answered(as_alice, accept, path):
    answer = as_alice.get(path, PERIOD, headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


def test_staff_get_anyones_and_a_driver_no_others(as_olga, as_bob, alice):
    of_alice = PERIOD | {"user_id": str(alice.pk)}
    assert "1000.00" in as_olga.get("/billing/statement.csv", of_alice).content.decode()
    answer = as_bob.get("/billing/statement.csv", of_alice)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"to": ""}, "to"),
        ({"to": "2025-12-31"}, "to"),
        ({"to": "2027-06-01"}, "to"),
        ({"lang": "de"}, "lang"),
        ({"user_id": "me"}, "user_id"),
    ],
)
@pytest.mark.parametrize("suffix", ["pdf", "csv"])
def test_what_is_wrong_is_named(as_alice, change, field, suffix):
    answer = as_alice.get(f"/billing/statement.{suffix}", PERIOD | change)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]


def test_both_dates_are_asked_for(as_alice):
    assert set(as_alice.get("/billing/statement.pdf").json()["fields"]) == {"from", "to"}


def test_the_language_is_what_is_asked_for_else_the_browsers(as_alice):
    def heading(headers=None, **query):
        answer = as_alice.get("/billing/statement.csv", PERIOD | query, headers=headers)
        return answer.headers["Content-Language"], answer.content.decode()[1:5]

    assert heading() == ("en", "Date")
    assert heading({"Accept-Language": "ru"}) == ("ru", "Дата")
    assert heading({"Accept-Language": "ru"}, lang="ky") == ("ky", "Күнү")
    assert heading({"Accept-Language": "de"}) == ("en", "Date")
