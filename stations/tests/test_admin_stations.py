"""Stations in the back office: registered, kept, and asked for something."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing.admin.reasoned import button_of
from billing.models import User
from billing.tests.back_office import errors_of, press, told, values_of
from conftest import PASSWORD
from sessions_app.models import ChargingSession
from stations import keys
from stations.admin.station import StationAdmin
from stations.models import Command, Connector, Site, Station
from stations.tests.cast import go_online
from stations.tests.pages import STATIONS, button

SITES = reverse("admin:stations_site_changelist")
NEW = {
    "station_id": "New-1",
    "name": "At the market",
    "connector_count": "2",
    "security_profile": "1",
    "max_power_kw": "60",
    "time_zone": "Asia/Bishkek",
    "is_provisioned": "on",
    "reason": "delivered today",
}


def change_page(station):
    return f"{STATIONS}{station.pk}/change/"


def add(client, **values):
    address = f"{STATIONS}add/"
    return client.post(address, values_of(client, address) | NEW | values, follow=True)


def change(client, station, **values):
    address = change_page(station)
    return client.post(address, values_of(client, address) | values, follow=True)


def key_in(text):
    return re.search(r"\b[0-9a-f]{40}\b", text).group(0)


def test_a_new_station_gets_a_key_that_is_told_once(olgas, olga):
    answer = add(olgas)
    station = Station.objects.get(identity="new-1")
    assert station.key_digest == keys.digest(key_in(told(answer)[0]))
    assert [row.connector_id for row in station.connectors.all()] == [1, 2]
    assert (station.name, station.max_power_kw, station.enabled) == ("At the market", 60, True)
    entry = LogEntry.objects.get(object_id=str(station.pk))
    assert (entry.user, entry.change_message) == (olga, "delivered today")

    for address in (change_page(station), STATIONS, f"{STATIONS}{station.pk}/history/"):
        text = olgas.get(address).text
        assert key_in(told(answer)[0]) not in text
        assert station.key_digest not in text


def test_a_station_without_a_key_gets_none(olgas):
    answer = add(olgas, security_profile="0")
    assert Station.objects.get().key_digest == ""
    assert "key" not in " ".join(told(answer))


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"station_id": "K-1"}, "station_id"),
        ({"station_id": "k-1"}, "station_id"),
        ({"station_id": "a/b"}, "station_id"),
        ({"station_id": ""}, "station_id"),
        ({"time_zone": "Asia/Atlantis"}, "time_zone"),
        ({"connector_count": "0"}, "connector_count"),
        ({"security_profile": "4"}, "security_profile"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_wrong_station_is_shown_again_with_its_error(olgas, station, value, field):
    answer = add(olgas, **value)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.keys() == {field}
    assert Station.objects.count() == 1


def test_a_change_touches_only_what_was_changed(olgas, olga, online):
    untouched = values_of(olgas, change_page(online))
    Station.objects.filter(pk=online.pk).update(vendor="Acme", fence=77)
    site = Site.objects.create(name="Osh market")
    said = {"name": "Gate 4", "site": site.pk, "connector_count": "3", "reason": "moved"}
    assert olgas.post(change_page(online), untouched | said).status_code == 302
    online.refresh_from_db()
    assert (online.name, online.site, online.vendor, online.fence) == ("Gate 4", site, "Acme", 77)
    assert online.connectors.count() == 3
    entry = LogEntry.objects.get(object_id=str(online.pk))
    assert (entry.user, entry.change_message) == (olga, "connectors, name, site · moved")


def test_a_change_that_is_refused_is_shown_again(olgas, alice, online):
    ChargingSession.objects.create(
        station=online, connector_id=2, user=alice, origin="remote", limit_type="full"
    )
    answer = change(olgas, online, connector_count="1", reason="broken")
    assert answer.status_code == 200
    assert "Connector 2 has had a session or a tariff." in answer.text
    assert online.connectors.count() == 2


def test_a_profile_that_needs_a_key_makes_one(olgas, station):
    answer = change(olgas, station, security_profile="2", reason="TLS now")
    station.refresh_from_db()
    assert station.key_digest == keys.digest(key_in(told(answer)[0]))


def test_the_identity_stays(olgas, station):
    assert told(change(olgas, station, station_id="K-2", reason="?"))
    station.refresh_from_db()
    assert station.station_id == "K-1"


def test_a_key_is_rotated_with_a_reason(olgas, olga, station):
    Station.objects.filter(pk=station.pk).update(security_profile=1, key_digest="old")
    assert errors_of(press(olgas, button(station, "rotate_key"))).keys() == {"reason"}
    answer = press(olgas, button(station, "rotate_key"), reason="leaked")
    station.refresh_from_db()
    assert station.key_digest == keys.digest(key_in(told(answer)[0]))
    entry = LogEntry.objects.get(object_id=str(station.pk))
    assert (entry.user, entry.change_message) == (olga, "key · leaked")


def test_a_station_that_waits_is_approved_or_rejected(olgas, station):
    Station.objects.update(registration="Pending")
    press(olgas, button(station, "reject"), reason="not ours")
    station.refresh_from_db()
    assert station.registration == "Rejected"
    press(olgas, button(station, "approve"), reason="ours after all")
    station.refresh_from_db()
    assert station.registration == "Accepted"


def test_a_station_is_taken_out_of_sale_and_back(olgas, station):
    for name, is_on_sale in (("disable", False), ("enable", True)):
        press(olgas, button(station, name), reason="works")
        station.refresh_from_db()
        assert station.enabled is is_on_sale
    assert LogEntry.objects.filter(change_message="enabled · works").count() == 2


@pytest.mark.parametrize(
    ("name", "values", "action", "payload"),
    [
        ("reset", {"type": "Soft"}, "Reset", {"type": "Soft"}),
        ("reset", {"type": "Hard"}, "Reset", {"type": "Hard"}),
        ("unlock", {"connector_id": "2"}, "UnlockConnector", {"connectorId": 2}),
        (
            "send",
            {"action": "GetConfiguration", "payload": '{"key": ["HeartbeatInterval"]}'},
            "GetConfiguration",
            {"key": ["HeartbeatInterval"]},
        ),
        ("send", {"action": "ClearCache", "payload": ""}, "ClearCache", {}),
    ],
)
def test_a_station_is_asked_and_the_command_says_who_and_why(
    olgas, olga, online, name, values, action, payload
):
    assert "reason" in errors_of(press(olgas, button(online, name), **values))
    assert not Command.objects.exists()

    answer = press(olgas, button(online, name), reason="driver called", **values)
    command = Command.objects.get()
    assert (command.action, command.payload) == (action, payload)
    assert (command.requested_by, command.reason) == (olga, "driver called")
    assert (command.lane, command.fence) == (Command.Lane.ASKED, online.fence)
    assert f'<a href="/admin/stations/command/{command.pk}/change/"' in answer.text
    entry = LogEntry.objects.get(object_id=str(online.pk))
    assert entry.user == olga
    assert entry.change_message.endswith(": driver called")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"action": "MakeCoffee"}, "action"),
        ({"action": "Reset", "payload": "{}"}, "payload"),
        ({"action": "Reset", "payload": "[]"}, "payload"),
        ({"action": "Reset", "payload": "{"}, "payload"),
        ({"action": "DataTransfer", "payload": r'{"vendorId": "\u0000"}'}, "payload"),
    ],
)
def test_a_call_that_breaks_its_schema_is_not_sent(olgas, online, values, field):
    answer = press(olgas, button(online, "send"), reason="?", **values)
    assert errors_of(answer).keys() == {field}
    assert not Command.objects.exists()


def test_a_station_that_is_away_is_asked_nothing(olgas, station):
    answer = press(olgas, button(station, "reset"), type="Soft", reason="?")
    assert "This station is not connected." in answer.text
    assert not Command.objects.exists()


def test_a_connector_that_is_not_there_is_not_unlocked(olgas, online):
    answer = press(olgas, button(online, "unlock"), connector_id="9", reason="?")
    assert errors_of(answer).keys() == {"connector_id"}


def test_stations_of_a_list_are_reset_together(olgas, online):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    selection = {"action": "reset", "_selected_action": [online.pk, other.pk]}
    page = olgas.post(STATIONS, selection).context["form"]["page"].value()
    values = {"_submit": "1", "page": page, "type": "Soft", "reason": "new firmware"}
    answer = olgas.post(STATIONS, selection | values, follow=True)
    assert Command.objects.get().station == online
    assert "K-2: This station is not connected." in told(answer)


def test_buttons_are_shown_where_they_make_sense(olgas, station):
    def has(name):
        return button(station, name) in olgas.get(change_page(station)).text

    assert not has("start")
    assert not has("enable")
    assert has("disable")
    go_online(station)
    assert has("start")
    assert has("reset")
    Station.objects.filter(pk=station.pk).update(enabled=False)
    assert not has("start")
    assert has("enable")


def test_a_charge_is_started_for_a_driver(olgas, olga, alice, online):
    values = {"driver": alice.pk, "connector_id": "1", "limit_type": "amount", "limit_value": "50"}
    assert errors_of(press(olgas, button(online, "start"), **values)).keys() == {"reason"}
    assert not ChargingSession.objects.exists()

    answer = press(olgas, button(online, "start"), reason="hotline", **values)
    session = ChargingSession.objects.get()
    assert (session.user, session.hold_minor, session.status) == (alice, 5_000, "requested")
    assert f'<a href="/admin/sessions_app/chargingsession/{session.pk}/change/"' in answer.text
    command = Command.objects.get()
    assert (command.requested_by, command.reason) == (olga, "hotline")


def test_a_charge_without_money_is_told(olgas, bob, online):
    values = {"driver": bob.pk, "connector_id": "1", "limit_type": "full", "reason": "hotline"}
    answer = press(olgas, button(online, "start"), **values)
    assert told(answer)[0].startswith("Not enough money")
    assert ChargingSession.objects.get().error_code == "insufficient_funds"


def test_a_charge_at_a_busy_connector_is_refused(olgas, alice, online):
    Connector.objects.filter(connector_id=1).update(status="Charging")
    values = {"driver": alice.pk, "connector_id": "1", "limit_type": "full", "reason": "hotline"}
    answer = press(olgas, button(online, "start"), **values)
    assert "No connector is free for this charge." in answer.text
    assert not ChargingSession.objects.exists()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("amount", ""),
        ("amount", "0"),
        ("amount", "1.005"),
        ("energy", "0.0001"),
        ("time", "1.5"),
        ("soc", "101"),
        ("full", "5"),
    ],
)
def test_a_limit_is_judged_by_its_kind(olgas, alice, online, kind, value):
    values = {"driver": alice.pk, "connector_id": "1", "limit_type": kind, "limit_value": value}
    answer = press(olgas, button(online, "start"), reason="hotline", **values)
    assert errors_of(answer).keys() == {"limit_value"}


def test_nobody_starts_a_charge_for_a_blocked_driver(olgas, alice, online):
    User.objects.filter(pk=alice.pk).update(is_active=False)
    values = {"driver": alice.pk, "connector_id": "1", "limit_type": "full", "reason": "hotline"}
    assert errors_of(press(olgas, button(online, "start"), **values)).keys() == {"driver"}


def test_a_station_that_was_never_used_is_removed(olgas, olga, station):
    answer = press(olgas, button(station, "remove"), reason="a mistake")
    assert answer.redirect_chain[-1][0] == STATIONS
    assert not Station.objects.exists()
    assert LogEntry.objects.get(object_id=str(station.pk)).change_message == "a mistake"


def test_a_station_with_sessions_stays(olgas, alice, station):
    ChargingSession.objects.create(station=station, origin="tag", limit_type="full")
    answer = press(olgas, button(station, "remove"), reason="a mistake")
    assert "Sessions were charged here" in answer.text
    assert Station.objects.exists()


def test_a_new_key_on_its_way_to_a_station_is_not_shown(olgas, station):
    command = Command.objects.create(
        station=station,
        action="ChangeConfiguration",
        payload={"key": "AuthorizationKey", "value": "s3cr3t-s3cr3t"},
        lane=Command.Lane.ASKED,
    )
    text = olgas.get(reverse("admin:stations_command_change", args=[command.pk])).text
    assert "AuthorizationKey" in text
    assert "s3cr3t-s3cr3t" not in text


def test_who_may_only_look_sees_a_page_without_a_form(client, station):
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_station"))
    client.force_login(viewer)
    answer = client.get(change_page(station))
    assert answer.status_code == 200
    assert 'name="reason"' not in answer.text
    assert client.post(change_page(station), {"name": "mine"}).status_code == 403


def test_a_site_is_added_changed_and_removed(olgas, olga, station):
    olgas.post(f"{SITES}add/", {"name": "Osh", "address": "Chui 1", "reason": "opened"})
    site = Site.objects.get()
    values = {"name": "Osh market", "address": "Chui 1", "reason": "renamed"}
    olgas.post(f"{SITES}{site.pk}/change/", values)
    site.refresh_from_db()
    assert site.name == "Osh market"

    Station.objects.update(site=site)
    answer = press(olgas, f"{SITES}{site.pk}/remove/", reason="closed")
    assert "There are stations at this site." in answer.text
    Station.objects.update(site=None)
    press(olgas, f"{SITES}{site.pk}/remove/", reason="closed")
    assert not Site.objects.exists()
    entries = LogEntry.objects.filter(user=olga).order_by("pk")
    assert [e.change_message for e in entries] == ["opened", "name · renamed", "closed"]


def test_a_login_without_a_destination_leads_to_the_overview(client, olga):
    answer = client.post("/admin/login/", {"username": olga.username, "password": PASSWORD})
    assert (answer.status_code, answer.url) == (302, reverse("admin:index"))


def test_each_button_of_a_station_stands_in_one_place():
    """What is in no menu is never found; what is in two is looked for twice."""
    shown = [
        name
        for entry in StationAdmin.actions_detail
        for name in (entry["items"] if isinstance(entry, dict) else [entry])
    ]
    buttons = {name for name in dir(StationAdmin) if button_of(getattr(StationAdmin, name))}
    assert sorted(shown) == sorted(buttons)
