"""The list of tags of a station in the back office: its buttons, and the page that shows it."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing.models import User
from billing.tests.back_office import press, told
from conftest import PASSWORD
from sessions_app import tags
from sessions_app.models import LocalList
from stations.models import Command, Station
from stations.tests.pages import STATIONS, button

pytestmark = pytest.mark.django_db
LISTS = reverse("admin:sessions_app_locallist_changelist")


def test_a_list_is_switched_on_for_several_stations_at_once(olgas, olga, station):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    chosen = {"action": "list_choose", "_selected_action": [station.pk, other.pk]}
    page = olgas.post(STATIONS, chosen)
    hidden = page.context["form"]["page"].value()
    said = {"_submit": "1", "page": hidden, "choice": "on", "reason": "the new hall"}
    olgas.post(STATIONS, chosen | said)
    assert set(LocalList.objects.values_list("station", "choice")) == {
        (station.pk, "on"),
        (other.pk, "on"),
    }


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("list_send", "SendLocalList"),
        ("list_ask", "GetLocalListVersion"),
        ("list_clear", "SendLocalList"),
    ],
)
def test_a_button_asks_the_station_once_and_says_who_and_why(olgas, olga, online, name, action):
    press(olgas, button(online, name), reason="they asked")
    command = Command.objects.get()
    assert (command.action, command.requested_by, command.reason) == (action, olga, "they asked")


@pytest.mark.parametrize("name", ["list_send", "list_ask", "list_clear"])
def test_a_station_that_is_away_is_not_asked(olgas, station, name):
    answer = press(olgas, button(station, name), reason="they asked")
    assert "form" in answer.context
    assert not Command.objects.exists()
    assert not LocalList.objects.filter(choice="off").exists()


def test_a_button_needs_its_right(client, online):
    user = User.objects.create_user("vera", password=PASSWORD, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_station"))
    client.force_login(user)
    assert client.get(button(online, "list_clear")).status_code == 403
    assert "list_clear" not in client.get(f"{STATIONS}{online.pk}/change/").text


def test_the_page_shows_what_is_there_and_what_differs(olgas, olga, online):
    tags.add_tag({"id_tag": "CARD"}, actor=olga)
    row = LocalList.objects.create(
        station=online,
        choice="forced",
        version=7,
        entries={"OLD": {"status": "Accepted"}},
        last_result="VersionMismatch",
    )
    page = olgas.get(f"{LISTS}{row.pk}/change/").text
    for text in ("CARD, OLD", "VersionMismatch", ">7<", "Accepted"):
        assert text in page
    assert "VersionMismatch" in olgas.get(LISTS).text
    assert f"{LISTS}{row.pk}/change/" in olgas.get(f"{STATIONS}{online.pk}/change/").text


def test_the_lists_are_shown_in_a_few_queries(olgas, django_assert_max_num_queries, station):
    for number in range(20):
        other = Station.objects.create(station_id=f"S-{number}", identity=f"s-{number}")
        LocalList.objects.create(station=other)
    with django_assert_max_num_queries(15):
        assert told(olgas.get(LISTS)) == []
