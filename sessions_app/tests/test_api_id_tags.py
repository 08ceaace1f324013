"""/ocpp/id_tags: staff keep the tags that may start a charge at a station."""

import datetime as dt
import uuid
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from rest_framework.test import APIClient

from sessions_app.models import IdTag
from stations.tests.cast import signed_in

pytestmark = pytest.mark.django_db

PATH = "/ocpp/id_tags"


@pytest.fixture
def as_olga(olga):
    return signed_in(olga)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
def test_staff_add_a_tag(as_olga, alice, path):
    answer = as_olga.post(
        path,
        {
            "id_tag": "Card-1",
            "user_id": str(alice.pk),
            "status": "Accepted",
            "parent_id_tag": "FLEET",
            "expires_at": "2099-01-01T00:00:00+06:00",
        },
    )
    assert answer.status_code == 201
    tag = IdTag.objects.get()
    assert answer.json() == {
        "id_tag": "Card-1",
        "user_id": str(alice.pk),
        "status": "Accepted",
        "parent_id_tag": "FLEET",
        "expires_at": "2098-12-31T18:00:00Z",
        "created_at": tag.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert as_olga.get(f"{path.rstrip('/')}/card-1").json() == answer.json()


def test_a_tag_needs_only_its_text(as_olga):
    body = as_olga.post(PATH, {"id_tag": "CARD-1"}).json()
    assert (body["user_id"], body["status"]) == (None, "Accepted")
    assert (body["parent_id_tag"], body["expires_at"]) == (None, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id_tag": ""}, "id_tag"),
        ({"id_tag": None}, "id_tag"),
        ({"id_tag": "X" * 21}, "id_tag"),
        ({"id_tag": "A\x01"}, "id_tag"),
        ({"id_tag": "A\x00"}, "id_tag"),
        ({"status": "Expired"}, "status"),
        ({"status": "accepted"}, "status"),
        ({"user_id": "alice"}, "user_id"),
        ({"user_id": str(uuid.uuid4())}, "user_id"),
        ({"user_id": True}, "user_id"),
        ({"parent_id_tag": "X" * 21}, "parent_id_tag"),
        ({"parent_id_tag": "A\x07"}, "parent_id_tag"),
        ({"expires_at": "tomorrow"}, "expires_at"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(as_olga, change, field):
    answer = as_olga.post(PATH, {"id_tag": "CARD-1"} | change)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not IdTag.objects.exists()


def test_a_duplicate_in_any_letter_case_is_refused(as_olga):
    as_olga.post(PATH, {"id_tag": "CARD-1"})
    answer = as_olga.post(PATH, {"id_tag": "card-1"})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["id_tag"])


def test_the_same_key_adds_once(as_olga):
    first = as_olga.post(PATH, {"id_tag": "CARD-1"}, headers={"Idempotency-Key": "k"})
    again = as_olga.post(PATH, {"id_tag": "CARD-1"}, headers={"Idempotency-Key": "k"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


def test_expired_is_derived_and_a_blocked_tag_stays_blocked(as_olga):
    past = (timezone.now() - dt.timedelta(days=1)).isoformat()
    over = as_olga.post(PATH, {"id_tag": "OVER", "expires_at": past})
    assert (over.status_code, over.json()["status"]) == (201, "Expired")
    both = as_olga.post(PATH, {"id_tag": "BOTH", "expires_at": past, "status": "Blocked"})
    assert both.json()["status"] == "Blocked"
    again = as_olga.patch(f"{PATH}/OVER", {"expires_at": None})
    assert again.json()["status"] == "Accepted"


def test_patch_changes_only_what_it_names_and_null_clears(as_olga, alice):
    made = as_olga.post(
        PATH,
        {
            "id_tag": "CARD-1",
            "user_id": str(alice.pk),
            "parent_id_tag": "FLEET",
            "expires_at": "2099-01-01T00:00:00Z",
        },
    ).json()
    blocked = as_olga.patch(f"{PATH}/card-1/", {"status": "Blocked"})
    assert blocked.status_code == 200
    assert blocked.json() == made | {"status": "Blocked"}
    cleared = as_olga.patch(
        f"{PATH}/CARD-1", {"user_id": None, "parent_id_tag": None, "expires_at": None}
    ).json()
    assert (cleared["user_id"], cleared["parent_id_tag"], cleared["expires_at"]) == (None,) * 3
    assert cleared["status"] == "Blocked"
    wrong = as_olga.patch(f"{PATH}/CARD-1", {"id_tag": None})
    assert wrong.status_code == 400
    assert as_olga.patch(f"{PATH}/CARD-1", {}).json() == cleared


def test_put_clears_what_it_does_not_name(as_olga, alice):
    as_olga.post(
        PATH,
        {"id_tag": "CARD-1", "user_id": str(alice.pk), "status": "Blocked", "parent_id_tag": "F"},
    )
    body = as_olga.put(f"{PATH}/card-1", {"id_tag": "CARD-1"}).json()
    assert (body["user_id"], body["status"], body["parent_id_tag"]) == (None, "Accepted", None)
    assert as_olga.put(f"{PATH}/card-1", {}).status_code == 400


def test_a_reason_is_kept_for_the_record(as_olga):
    as_olga.post(PATH, {"id_tag": "CARD-1", "reason": "new card"})
    as_olga.patch(f"{PATH}/CARD-1", {"status": "Blocked", "reason": "stolen"})
    as_olga.delete(f"{PATH}/CARD-1?reason=never+found")
    reasons = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert list(reasons) == ["new card", "status · stolen", "never found"]


def test_a_deleted_tag_is_gone(as_olga):
    as_olga.post(PATH, {"id_tag": "CARD-1"})
    assert as_olga.delete(f"{PATH}/card-1").status_code == 204
    for call in (as_olga.get, as_olga.delete, as_olga.patch):
        answer = call(f"{PATH}/CARD-1")
        assert (answer.status_code, answer.json()["code"]) == (404, "id_tag_not_found")


@pytest.mark.parametrize("text", ["A/B", "A B", "A%B", "ТЕГ", "A?B#C"])
def test_any_printable_tag_can_be_reached(as_olga, text):
    assert as_olga.post(PATH, {"id_tag": text}).status_code == 201
    for end in ("", "/"):
        answer = as_olga.get(f"{PATH}/{quote(text, safe='')}{end}")
        assert answer.json()["id_tag"] == text


def test_lists_are_narrowed_by_driver_status_and_text(as_olga, alice):
    past = (timezone.now() - dt.timedelta(days=1)).isoformat()
    for body in (
        {"id_tag": "A-GOOD", "user_id": str(alice.pk)},
        {"id_tag": "B-OVER", "expires_at": past},
        {"id_tag": "C-BLOCKED", "status": "Blocked", "expires_at": past},
        {"id_tag": "D-LATER", "expires_at": "2099-01-01T00:00:00Z", "parent_id_tag": "Fleet"},
    ):
        as_olga.post(PATH, body)

    def found(**query):
        answer = as_olga.get(PATH, query).json()
        return [row["id_tag"] for row in answer["results"]]

    assert found() == ["A-GOOD", "B-OVER", "C-BLOCKED", "D-LATER"]
    assert found(user_id=str(alice.pk)) == ["A-GOOD"]
    assert found(status="Accepted") == ["A-GOOD", "D-LATER"]
    assert found(status="Expired") == ["B-OVER"]
    assert found(status="Blocked") == ["C-BLOCKED"]
    assert found(search="good") == ["A-GOOD"]
    assert found(search="fleet") == ["D-LATER"]
    assert found(search="alice") == ["A-GOOD"]
    assert as_olga.get(PATH, {"status": "Lost"}).status_code == 400


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_tags_are_for_staff(as_olga, alice, method):
    as_olga.post(PATH, {"id_tag": "CARD-1"})
    path = PATH if method in ("get", "post") else f"{PATH}/CARD-1"
    body = {"id_tag": "CARD-2"} if method == "post" else None
    assert getattr(APIClient(), method)(path, body).status_code == 401
    assert getattr(signed_in(alice), method)(path, body).status_code == 403
    assert signed_in(alice).get(f"{PATH}/CARD-1").status_code == 403
    assert IdTag.objects.get().status == "Accepted"
