"""/ocpp/reservations and the buttons of the back office: who may hold and free which place."""

import datetime as dt
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from billing.models import User
from billing.tests.back_office import press, told
from conftest import PASSWORD
from sessions_app.models import IdTag, Reservation
from stations.models import Command, Connector, Station
from stations.tests.cast import signed_in

pytestmark = pytest.mark.django_db
PATH = "/ocpp/reservations"
ORDER = {"station_id": "K-1", "connector_id": 1}


def post(user, **said):
    return signed_in(user).post(PATH, ORDER | said, format="json")


@pytest.fixture
def cards(alice, bob):
    for text, user in (("ALICE1", alice), ("BOB1", bob), ("POOL1", None)):
        IdTag.objects.create(id_tag=text, identity=text.casefold(), user=user)


def iso(at):
    return at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("path", [PATH, f"{PATH}/"])
def test_a_driver_reserves_for_themselves(stage, alice, path):
    answer = signed_in(alice).post(path, ORDER, format="json")
    assert answer.status_code == 202
    row = Reservation.objects.get()
    assert answer.json() == {
        "id": row.pk,
        "station_id": "K-1",
        "connector_id": 1,
        "user_id": str(alice.pk),
        "id_tag": row.id_tag,
        "parent_id_tag": None,
        "status": "requested",
        "held_at_station": False,
        "error_code": None,
        "session_id": None,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
        "ended_at": None,
    }
    assert row.expires_at - row.created_at == pytest.approx(
        dt.timedelta(minutes=30), abs=dt.timedelta(seconds=5)
    )
    assert not LogEntry.objects.exists(), "what drivers do for themselves is no privileged act"


def test_a_time_is_stated_in_one_way(stage, alice):
    at = timezone.now() + dt.timedelta(minutes=10)
    assert post(alice, minutes=10, expires_at=at).status_code == 400
    assert post(alice, expires_at=at).json()["expires_at"] == iso(at)


@pytest.mark.parametrize(
    "said",
    [
        {"minutes": 0},
        {"minutes": -1},
        {"minutes": 1.5},
        {"minutes": "x"},
        {"minutes": True},
        {"minutes": 31},
        {"expires_at": "yesterday"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"connector_id": -1},
        {"connector_id": "1_0"},
        {"connector_id": 99},
        {"connector_id": 2**31},
        {"station_id": ""},
        {"user_id": "me"},
        {"id_tag": ""},
        {"id_tag": "x" * 21},
    ],
)
def test_what_cannot_be_is_refused(stage, alice, said):
    answer = post(alice, **said)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["fields"]
    assert not Reservation.objects.exists()


def test_a_stranger_reserves_nothing(stage):
    assert post(None).status_code == 401


def test_another_driver_is_for_staff(stage, alice, bob, olga):
    refused = post(alice, user_id=str(bob.pk))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    taken = post(olga, user_id=str(bob.pk), minutes=90, reason="by telephone")
    assert (taken.status_code, taken.json()["user_id"]) == (202, str(bob.pk))
    entry = LogEntry.objects.get()
    assert (entry.user, entry.change_message) == (olga, "requested · by telephone")
    assert post(olga, user_id=str(uuid.uuid4()), connector_id=2).status_code == 404


def test_a_driver_names_their_own_card_only(stage, alice, cards):
    for text in ("BOB1", "POOL1", "NONE"):
        answer = post(alice, id_tag=text)
        assert (answer.status_code, answer.json()["code"]) == (404, "id_tag_not_found")
    answer = post(alice, id_tag="alice1")
    assert (answer.status_code, answer.json()["id_tag"]) == (202, "ALICE1")


def test_staff_name_any_card(stage, alice, olga, cards):
    assert post(olga, id_tag="POOL1").json()["user_id"] is None
    assert post(olga, id_tag="ALICE1", connector_id=2).json()["user_id"] == str(alice.pk)
    mixed = post(olga, id_tag="BOB1", user_id=str(alice.pk))
    assert (mixed.status_code, list(mixed.json()["fields"])) == (400, ["id_tag"])


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"identity": "other"}, 404, "station_not_found"),
        ({"enabled": False}, 409, "station_disabled"),
        ({"owner": None}, 409, "station_offline"),
    ],
)
def test_a_station_that_cannot_be_asked(stage, alice, change, status, code):
    Station.objects.update(**change)
    answer = post(alice)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_driver_without_money(stage, bob):
    answer = post(bob)
    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_funds")
    assert not Reservation.objects.exists()


def test_a_second_reservation(stage, alice, olga):
    assert post(alice).status_code == 202
    answer = post(alice, connector_id=2)
    assert (answer.status_code, answer.json()["code"]) == (409, "reservation_limit")
    answer = post(olga)
    assert (answer.status_code, answer.json()["code"]) == (409, "connector_reserved")


def test_a_start_by_another_is_answered_with_connector_reserved(stage, alice, bob, olga):
    post(olga, user_id=str(bob.pk))
    order = {"station_id": "K-1", "connector_id": 1, "limit_type": "full"}
    answer = signed_in(alice).post("/ocpp/start_charge", order)
    assert (answer.status_code, answer.json()["code"]) == (409, "connector_reserved")


def test_a_repeated_request_reserves_once(stage, alice):
    client = signed_in(alice)
    answers = [
        client.post(PATH, ORDER, format="json", headers={"Idempotency-Key": "r1"}).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert Reservation.objects.count() == 1


def test_a_driver_sees_their_own(stage, alice, bob, olga):
    mine = post(alice).json()
    post(olga, user_id=str(bob.pk), connector_id=2)
    assert [row["id"] for row in signed_in(alice).get(PATH).json()["results"]] == [mine["id"]]
    assert signed_in(olga).get(PATH).json()["count"] == 2
    theirs = signed_in(olga).get(PATH, {"user_id": str(alice.pk)}).json()
    assert [row["id"] for row in theirs["results"]] == [mine["id"]]
    assert signed_in(alice).get(PATH, {"user_id": str(bob.pk)}).status_code == 403
    address = f"{PATH}/{mine['id']}"
    assert signed_in(alice).get(address).json()["id"] == mine["id"]
    assert signed_in(olga).get(address).status_code == 200
    assert signed_in(bob).get(address).json()["code"] == "reservation_not_found"
    assert signed_in(bob).post(f"{address}/cancel").json()["code"] == "reservation_not_found"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"status": "requested"}, 1),
        ({"status": "requested,held"}, 1),
        ({"status": "held"}, 0),
        ({"station_id": "k-1"}, 1),
        ({"station_id": "K-2"}, 0),
    ],
)
def test_the_list_is_narrowed(stage, alice, query, count):
    post(alice)
    assert signed_in(alice).get(PATH, query).json()["count"] == count


def test_a_status_that_is_none_is_refused(stage, alice):
    assert signed_in(alice).get(PATH, {"status": "kept"}).status_code == 400


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**30])
def test_a_reservation_that_is_none(alice, number):
    client = signed_in(alice)
    assert client.get(f"{PATH}/{number}").status_code == 404
    assert client.post(f"{PATH}/{number}/cancel").status_code == 404


def test_a_place_is_given_back(stage, alice):
    address = f"{PATH}/{post(alice).json()['id']}/cancel"
    for _ in range(2):
        answer = signed_in(alice).post(address)
        assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    Reservation.objects.update(state="used")
    answer = signed_in(alice).post(address)
    assert (answer.status_code, answer.json()["code"]) == (409, "reservation_ended")


# --- The back office --------------------------------------------------------------------------

RESERVATIONS = reverse("admin:sessions_app_reservation_changelist")


def reserve_button(station):
    return f"{reverse('admin:stations_station_changelist')}{station.pk}/reserve/"


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


def test_staff_reserve_from_the_page_of_a_station(olgas, stage, alice, olga):
    answer = press(
        olgas,
        reserve_button(stage.station),
        connector_id="2",
        driver=str(alice.pk),
        minutes="45",
        reason="by telephone",
    )
    row = Reservation.objects.get()
    assert (row.connector_id, row.user, row.requested_by) == (2, alice, olga)
    assert str(row.pk) in told(answer)[0]
    assert LogEntry.objects.get().change_message == "requested · by telephone"


@pytest.mark.parametrize(
    "said",
    [
        {"driver": ""},
        {"id_tag": "NONE"},
        {"minutes": "0"},
        {"connector_id": "9"},
    ],
)
def test_a_form_that_cannot_be_is_shown_again(olgas, stage, alice, said):
    values = {"connector_id": "1", "driver": str(alice.pk), "minutes": "9", "reason": "r"}
    press(olgas, reserve_button(stage.station), **values | said)
    assert not Reservation.objects.exists()


def test_a_card_is_enough(olgas, stage, cards):
    press(
        olgas,
        reserve_button(stage.station),
        connector_id="0",
        id_tag="pool1",
        minutes="9",
        reason="r",
    )
    assert Reservation.objects.get().id_tag == "POOL1"


def test_staff_cancel(olgas, stage, alice, olga):
    row = Reservation.objects.get(pk=post(alice).json()["id"])
    stage.answer(stage.take_command())
    answer = press(olgas, f"{RESERVATIONS}{row.pk}/cancel/", reason="closed today")
    assert told(answer) == ["The reservation is cancelled."]
    row.refresh_from_db()
    assert row.state == "cancelled"
    assert Command.objects.filter(action="CancelReservation").exists()
    assert LogEntry.objects.get().change_message == "cancelled · closed today"


def test_the_buttons_are_for_those_who_may(client, stage, alice):
    clerk = User.objects.create_user("clerk", password=PASSWORD, is_staff=True)
    for codename in ("view_station", "view_reservation"):
        clerk.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(clerk)
    row = post(alice).json()
    assert client.get(reserve_button(stage.station)).status_code == 403
    assert client.get(f"{RESERVATIONS}{row['id']}/cancel/").status_code == 403
    Connector.objects.update(status="Available")
    assert Reservation.objects.get().state == "requested"
