"""Configuration in the back office: keys beside what is wanted, wishes, and a new key by air."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import User
from billing.tests.back_office import errors_of, press, told, values_of
from conftest import PASSWORD
from stations import configuration, key_table, wishes
from stations.models import (
    Command,
    ConfigurationReport,
    ConfigurationWish,
    PendingKey,
    Site,
    Station,
)
from stations.tests.cast import go_online
from stations.tests.pages import STATIONS, button

WISHES = reverse("admin:stations_configurationwish_changelist")
CONFIGURED = {
    "ConnectionTimeOut": {"value": "30", "wanted": "60", "refused": "Rejected"},
    "HeartbeatInterval": {"value": "86400", "readonly": False, "before": "60"},
    "NumberOfConnectors": {"value": "2", "readonly": True},
    "VendorMode": {"value": "b", "reboot": True},
    "AuthorizationKey": {"value": "***", "readonly": False},
}


@pytest.fixture
def configured(station):
    station.configuration = CONFIGURED
    station.save(update_fields=["configuration"])
    go_online(station)
    key_table.refresh(station, read_at=station.connected_at)
    return station


def page_text(client, station):
    html = client.get(f"{STATIONS}{station.pk}/change/").text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def add_wish(client, **values):
    address = f"{WISHES}add/"
    said = {"key": "HeartbeatInterval", "value": "300", "reason": "policy"}
    return client.post(address, values_of(client, address) | said | values, follow=True)


def test_each_key_is_shown_with_what_is_wanted_and_how_it_stands(olgas, olga, configured):
    wishes.add_wish(key="HeartbeatInterval", value="300", by=olga, station=configured)
    text = page_text(olgas, configured)
    assert re.search(r"ConnectionTimeOut 30 60 Kubat refused: Rejected", text)
    assert re.search(r"HeartbeatInterval 86400 300 K-1 differs", text)
    assert re.search(r"NumberOfConnectors 2 yes nothing wanted", text)
    assert re.search(r"VendorMode b reboot required", text)
    assert re.search(r"MeterValueSampleInterval 10 Kubat not reported", text)
    assert re.search(r"Read at [\d-]{10} \d\d:\d\d\. Not as wanted: 6\.", text)


def test_a_station_that_never_reported_says_so(olgas, station):
    assert "has not reported its configuration yet" in page_text(olgas, station)


def test_an_overridden_need_is_marked_on_the_page(olgas, olga, configured):
    wishes.add_wish(key="MeterValueSampleInterval", value="600", by=olga)
    assert "all stations Kubat needs 10!" in page_text(olgas, configured)


@pytest.mark.parametrize(
    ("name", "values", "payload"),
    [
        ("read_configuration", {"keys": ""}, {}),
        ("read_configuration", {"keys": " A \n\nB\nA"}, {"key": ["A", "B"]}),
        (
            "change_key",
            {"key": "HeartbeatInterval", "value": "1"},
            {"key": "HeartbeatInterval", "value": "1"},
        ),
        ("change_key", {"other_key": "New", "value": ""}, {"key": "New", "value": ""}),
        ("undo_change", {"key": "HeartbeatInterval"}, {"key": "HeartbeatInterval", "value": "60"}),
        ("apply_wishes", {}, {}),
    ],
)
def test_a_button_asks_the_station_and_says_who_and_why(
    olgas, olga, configured, name, values, payload
):
    assert errors_of(press(olgas, button(configured, name), **values)).keys() == {"reason"}
    assert not Command.objects.exists()
    press(olgas, button(configured, name), reason="driver called", **values)
    command = Command.objects.get()
    assert (command.payload, command.requested_by) == (payload, olga)
    assert command.reason == "driver called"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"value": "1"}, "key"),
        ({"key": "HeartbeatInterval", "other_key": "New", "value": "1"}, "key"),
        ({"key": "NumberOfConnectors", "value": "1"}, "key"),
        ({"key": "AuthorizationKey", "value": "x" * 16}, "key"),
        ({"other_key": "x" * 51, "value": "1"}, "other_key"),
        ({"other_key": "New", "value": "x" * 501}, "value"),
        ({"other_key": "metervaluesampleinterval", "value": "600"}, "even_so"),
    ],
)
def test_a_change_that_makes_no_sense_is_not_sent(olgas, configured, values, field):
    answer = press(olgas, button(configured, "change_key"), reason="?", **values)
    assert field in errors_of(answer)
    assert not Command.objects.exists()


def test_the_secret_key_is_not_changed_by_its_name(olgas, configured):
    values = {"other_key": "authorizationKEY", "value": "x" * 16, "reason": "?"}
    answer = press(olgas, button(configured, "change_key"), **values)
    assert "sent by the button for a new key" in answer.text
    assert not Command.objects.exists()


def test_what_kubat_needs_is_changed_when_staff_insist(olgas, configured):
    values = {"other_key": "MeterValueSampleInterval", "value": "600", "even_so": "on"}
    press(olgas, button(configured, "change_key"), reason="a test", **values)
    assert Command.objects.get().payload["value"] == "600"


def test_stations_are_found_by_how_their_keys_stand(olgas, olga, configured):
    same = Station.objects.create(station_id="K-2", identity="k-2", is_provisioned=False)
    unread = Station.objects.create(station_id="K-3", identity="k-3")
    key_table.refresh(same, read_at=configured.connected_at)

    def found(case):
        page = olgas.get(STATIONS, {"configuration": case})
        return [row.station_id for row in page.context["cl"].result_list]

    assert found("differs") == found("refused") == ["K-1"]
    assert found("same") == ["K-2"]
    assert found("unread") == [unread.station_id]


def test_stations_of_a_list_are_read_together(olgas, configured):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    selection = {"action": "read_configuration", "_selected_action": [configured.pk, other.pk]}
    page = olgas.post(STATIONS, selection).context["form"]["page"].value()
    values = {"_submit": "1", "page": page, "keys": "", "reason": "audit"}
    answer = olgas.post(STATIONS, selection | values, follow=True)
    assert Command.objects.get().station == configured
    assert "K-2: This station is not connected." in told(answer)


# --- Wishes ---------------------------------------------------------------------------------------


def test_a_wish_is_added_changed_and_withdrawn_with_a_reason(olgas, olga, configured):
    site = Site.objects.create(name="Osh")
    add_wish(olgas, site=site.pk)
    wish = ConfigurationWish.objects.get()
    assert (wish.scope, wish.value) == (f"site:{site.pk}", "300")
    address = f"{WISHES}{wish.pk}/change/"
    said = values_of(olgas, address) | {"value": "600", "reason": "less traffic"}
    olgas.post(address, said)
    wish.refresh_from_db()
    assert (wish.key, wish.value) == ("HeartbeatInterval", "600")
    press(olgas, f"{WISHES}{wish.pk}/withdraw/", reason="enough")
    assert not ConfigurationWish.objects.exists()
    entries = LogEntry.objects.filter(user=olga).order_by("pk")
    assert [entry.change_message for entry in entries] == [
        "policy",
        "value: 600 · less traffic",
        "enough",
    ]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"key": ""}, "key"),
        ({"key": "AuthorizationKey"}, "key"),
        ({"key": "MeterValueSampleInterval", "value": "600"}, "even_so"),
        ({"key": "MeterValuesSampledData", "value": "Power.Active.Import"}, "even_so"),
    ],
)
def test_a_wish_that_cannot_be_is_shown_again_with_its_error(olgas, values, field):
    answer = add_wish(olgas, **values)
    assert answer.context["adminform"].form.errors.keys() == {field}
    assert not ConfigurationWish.objects.exists()


def test_a_wish_is_not_changed_against_a_need_in_silence(olgas, olga):
    wish = wishes.add_wish(key="MeterValueSampleInterval", value="10", by=olga)
    address = f"{WISHES}{wish.pk}/change/"
    said = values_of(olgas, address) | {"value": "600", "reason": "less traffic"}
    answer = olgas.post(address, said)
    assert answer.context["adminform"].form.errors.keys() == {"even_so"}
    assert told(olgas.post(address, said | {"even_so": "on"}, follow=True))
    wish.refresh_from_db()
    assert wish.value == "600"


def test_a_second_wish_for_the_same_is_refused(olgas):
    add_wish(olgas, key="VendorKey")
    answer = add_wish(olgas, key="vendorkey", value="2")
    assert "There is a wish for this key" in answer.text
    assert ConfigurationWish.objects.count() == 1


def test_a_need_is_overridden_only_with_a_warning(olgas):
    values = {"key": "MeterValueSampleInterval", "value": "600", "even_so": "on"}
    answer = add_wish(olgas, **values)
    assert "Kubat needs 10 of MeterValueSampleInterval." in told(answer)[0]
    assert ConfigurationWish.objects.get().value == "600"
    lines = re.sub(r"<[^>]+>|\s+", " ", olgas.get(WISHES).text)
    assert re.search(r"600\s+all stations", lines)


@pytest.mark.parametrize("model", [ConfigurationReport, ConfigurationWish, PendingKey])
def test_lists_take_the_same_queries_for_many_rows(
    olgas, olga, station, django_assert_max_num_queries, model
):
    others = Station.objects.bulk_create(
        Station(station_id=f"S-{n}", identity=f"s-{n}") for n in range(20)
    )
    for other in others:
        wishes.add_wish(key="K", value="1", by=olga, station=other)
        PendingKey.objects.create(station=other, digest="0" * 64)
    address = reverse(f"admin:stations_{model._meta.model_name}_changelist")
    with django_assert_max_num_queries(14):
        assert olgas.get(address).status_code == 200


# --- A new key over the air -----------------------------------------------------------------------


@pytest.fixture
def keyed(configured):
    Station.objects.filter(pk=configured.pk).update(security_profile=1, key_digest="old")
    return configured


def test_a_new_key_goes_to_the_station_and_is_shown_to_nobody(olgas, keyed):
    answer = press(olgas, button(keyed, "send_key"), reason="yearly")
    command = Command.objects.get()
    assert re.fullmatch("[0-9a-f]{40}", command.payload["value"])
    assert command.payload["value"] not in answer.text
    assert command.payload["value"] not in page_text(olgas, keyed)
    assert Station.objects.get(pk=keyed.pk).key_digest == "old"


def test_a_new_key_is_shown_once_to_who_asks_for_it(olgas, keyed):
    answer = press(olgas, button(keyed, "send_key"), reason="yearly", is_shown="on")
    key = Command.objects.get().payload["value"]
    assert key in told(answer)[0]
    assert key not in page_text(olgas, keyed)
    said = LogEntry.objects.values_list("change_message", flat=True)
    assert not any(key in message for message in said)


def test_a_station_without_a_key_gets_none_by_air(olgas, configured):
    answer = press(olgas, button(configured, "send_key"), reason="yearly")
    assert "A station of this security profile has no key." in answer.text
    assert not Command.objects.exists()


def test_who_may_only_look_presses_nothing(client, keyed):
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_station"))
    client.force_login(viewer)
    assert "ConnectionTimeOut" in page_text(client, keyed)
    for name in ("read_configuration", "change_key", "apply_wishes", "undo_change", "send_key"):
        assert client.get(button(keyed, name)).status_code == 403
    assert client.get(WISHES).status_code == 403
    assert not Command.objects.exists()


def test_the_last_commands_are_shown_with_what_came_of_them(olgas, olga, configured):
    for fields in (
        {"status": "answered", "response": {"status": "Scheduled"}},
        {"status": "failed", "error": {"code": "NotSupported", "description": "no such thing"}},
        {"status": "answered", "response": {"configurationKey": [{"key": "x" * 400}]}},
        {"status": "queued"},
    ):
        Command.objects.create(
            station=configured,
            action="Reset",
            lane=2,
            requested_by=olga,
            reason="it hangs",
            **fields,
        )
    text = page_text(olgas, configured)
    assert "Scheduled" in text
    assert "NotSupported: no such thing" in text
    assert "it hangs" in text
    assert "x" * 250 not in text
    assert configuration.READ not in text


def test_a_page_with_many_commands_and_keys_asks_no_more_of_the_database(olgas, olga, configured):
    def count():
        with CaptureQueriesContext(connection) as queries:
            assert olgas.get(f"{STATIONS}{configured.pk}/change/").status_code == 200
        return len(queries)

    def add(number):
        Command.objects.create(station=configured, action="Reset", lane=2, requested_by=olga)
        wishes.add_wish(key=f"K{number}", value="1", by=olga, station=configured)

    add(0)
    few = count()
    for number in range(1, 15):
        add(number)
    assert count() == few


def test_what_a_station_reports_is_no_markup(olgas, configured):
    configured.configuration = {"<b>Key</b>": {"value": "<script>alert(1)</script>"}}
    configured.save(update_fields=["configuration"])
    html = olgas.get(f"{STATIONS}{configured.pk}/change/").text
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html
