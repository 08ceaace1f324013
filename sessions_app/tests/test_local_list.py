"""Lists of tags at stations: what they hold, and how they are kept in step by version."""

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry

from sessions_app import tags
from sessions_app.models import IdTag, LocalList
from sessions_app.services import calls, local_list
from sessions_app.tags import TagValues
from sessions_app.tests.stage import connect
from stations.errors import StationOffline
from stations.models import Alert, Command, Station
from stations.tests.cast import break_rows

pytestmark = pytest.mark.django_db
ON, OFF, FORCED = LocalList.Choice.ON, LocalList.Choice.OFF, LocalList.Choice.FORCED


class Keeper:
    """A station that keeps a list, and the worker that looks after it."""

    def __init__(self, stage):
        self.stage, self.version, self.list = stage, 0, {}
        self.configure(SupportedFeatureProfiles="Core,LocalAuthListManagement")
        Station.objects.update(booted_at=stage.now)

    @property
    def row(self):
        return LocalList.objects.select_related("station").get(station=self.stage.station)

    def configure(self, **values):
        station = Station.objects.get(pk=self.stage.station.pk)
        station.configuration |= {key: {"value": value} for key, value in values.items()}
        station.save(update_fields=["configuration"])

    def look(self, **later):
        """Let the worker look; return the command that it queued, sent."""
        local_list.run_due(self.stage.now + dt.timedelta(**later))
        return self.stage.take_command()

    def obey(self, command):
        """Answer as a station that keeps its list."""
        payload = command.payload
        if command.action == "GetLocalListVersion":
            calls.record_answer(command.pk, {"listVersion": self.version})
            return
        if payload["updateType"] == "Full":
            self.list = {}
        for entry in payload["localAuthorizationList"]:
            self.list.pop(entry["idTag"], None)
            if "idTagInfo" in entry:
                self.list[entry["idTag"]] = entry["idTagInfo"]
        self.version = payload["listVersion"]
        calls.record_answer(command.pk, {"status": "Accepted"})

    def settle(self):
        """Obey until nothing is asked any more; return what was asked."""
        asked = []
        command = self.look()
        while command:
            asked.append(command)
            self.obey(command)
            command = self.stage.take_command() or self.look()
        return asked

    def reboot(self):
        LocalList.objects.update(version_asked_at=self.stage.now - dt.timedelta(minutes=1))
        Station.objects.update(booted_at=self.stage.now)

    def refuse(self, command, status):
        calls.record_answer(command.pk, {"status": status})


@pytest.fixture
def keeper(stage):
    return Keeper(stage)


@pytest.fixture
def kept(keeper, olga):
    """A list with CARD in it, in step."""
    add(olga, "CARD")
    switch(keeper, olga, ON)
    keeper.settle()
    return keeper


def add(actor, id_tag, **values):
    return tags.add_tag(TagValues(id_tag=id_tag, **values), actor=actor)


def switch(keeper, actor, choice):
    local_list.choose(station=keeper.stage.station, choice=choice, actor=actor, reason="a test")


def sent(commands):
    return [
        (c.payload["updateType"], c.payload["listVersion"])
        for c in commands
        if c.action == "SendLocalList"
    ]


# --- Which stations --------------------------------------------------------------------------


def test_no_station_has_a_list_unless_someone_says_so(keeper, olga):
    add(olga, "CARD")
    assert keeper.look() is None
    assert not LocalList.objects.exists()


def test_a_station_that_does_not_say_that_it_can_gets_none_unless_forced(keeper, olga):
    add(olga, "CARD")
    keeper.configure(SupportedFeatureProfiles="Core,LocalAuthListManagementX")
    switch(keeper, olga, ON)
    assert keeper.look() is None
    switch(keeper, olga, FORCED)
    keeper.settle()
    assert keeper.list == {"CARD": {"status": "Accepted"}}


def test_where_lists_are_the_rule_every_station_that_can_has_one(keeper, olga, settings):
    settings.CSMS_LOCAL_LISTS = True
    other = Station.objects.create(station_id="K-2", identity="k-2")
    add(olga, "CARD")
    keeper.settle()
    assert keeper.list == {"CARD": {"status": "Accepted"}}
    assert not LocalList.objects.filter(station=other).exists()


def test_a_station_that_is_away_waits(keeper, olga):
    add(olga, "CARD")
    switch(keeper, olga, ON)
    keeper.stage.disconnect()
    assert local_list.run_due(keeper.stage.now) == 0
    keeper.stage.reconnect()
    keeper.settle()
    assert keeper.list.keys() == {"CARD"}


def test_a_station_that_has_not_booted_is_left_alone(keeper, olga):
    Station.objects.update(booted_at=None)
    switch(keeper, olga, ON)
    assert keeper.look() is None


def test_a_switch_says_who_and_why(keeper, olga):
    switch(keeper, olga, ON)
    entry = LogEntry.objects.get()
    assert (entry.user, "a test" in entry.change_message) == (olga, True)


# --- What is in it ---------------------------------------------------------------------------


def test_the_first_list_is_full_after_its_version_was_asked(keeper, olga, alice):
    end = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    add(olga, "CARD", user=alice, parent_id_tag="FAMILY", expires_at=end)
    switch(keeper, olga, ON)
    asked = keeper.settle()
    assert [command.action for command in asked] == ["GetLocalListVersion", "SendLocalList"]
    assert asked[1].payload == {
        "listVersion": 1,
        "updateType": "Full",
        "localAuthorizationList": [
            {
                "idTag": "CARD",
                "idTagInfo": {
                    "status": "Accepted",
                    "parentIdTag": "FAMILY",
                    "expiryDate": "2030-01-02T03:04:05.000Z",
                },
            }
        ],
    }
    assert {command.lane for command in asked} == {Command.Lane.OWN}
    row = keeper.row
    assert (row.state, row.version, row.wanted_count) == ("in_step", 1, 1)
    assert keeper.look() is None


def test_a_list_carries_rights_and_not_money(keeper, olga, bob):
    """Bob has nothing to spend: his start is judged when the station tells of it."""
    add(olga, "BOB", user=bob)
    switch(keeper, olga, ON)
    keeper.settle()
    assert keeper.list == {"BOB": {"status": "Accepted"}}
    assert keeper.stage.begin("BOB").tag.status == "Blocked"


@pytest.mark.parametrize(
    ("change", "info"),
    [
        ({"status": "Blocked"}, {"status": "Blocked"}),
        ({"parent_id_tag": "FAMILY"}, {"status": "Accepted", "parentIdTag": "FAMILY"}),
        (
            {"expires_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
            {"status": "Expired", "expiryDate": "2020-01-01T00:00:00.000Z"},
        ),
    ],
)
def test_a_changed_tag_is_told_as_a_difference(kept, olga, change, info):
    tags.change_tag("CARD", TagValues(**change), actor=olga)
    asked = kept.settle()
    assert [command.payload for command in asked] == [
        {
            "listVersion": 2,
            "updateType": "Differential",
            "localAuthorizationList": [{"idTag": "CARD", "idTagInfo": info}],
        }
    ]


def test_a_removed_tag_is_an_entry_without_info(kept, olga):
    add(olga, "NEW")
    tags.remove_tag("CARD", actor=olga)
    (command,) = kept.settle()
    assert command.payload["localAuthorizationList"] == [
        {"idTag": "CARD"},
        {"idTag": "NEW", "idTagInfo": {"status": "Accepted"}},
    ]
    assert kept.list.keys() == {"NEW"}


def test_the_last_tag_that_goes_empties_the_list(kept, olga):
    tags.remove_tag("CARD", actor=olga)
    (command,) = kept.settle()
    assert command.payload == {
        "listVersion": 2,
        "updateType": "Full",
        "localAuthorizationList": [],
    }
    assert kept.look() is None


def test_a_tag_written_in_another_case_is_replaced(kept, olga):
    tags.change_tag("CARD", TagValues(id_tag="card"), actor=olga)
    kept.settle()
    assert kept.list.keys() == {"card"}


def test_a_driver_who_is_shut_out_is_blocked_in_the_list(keeper, olga, alice):
    add(olga, "CARD", user=alice)
    switch(keeper, olga, ON)
    keeper.settle()
    alice.is_active = False
    alice.save()
    keeper.settle()
    assert keeper.list == {"CARD": {"status": "Blocked"}}


def test_a_tag_that_expires_is_told_when_it_does(keeper, olga):
    add(olga, "CARD", expires_at=keeper.stage.now + dt.timedelta(minutes=1))
    switch(keeper, olga, ON)
    keeper.settle()
    assert keeper.look() is None
    command = keeper.look(minutes=2)
    assert command.payload["localAuthorizationList"][0]["idTagInfo"]["status"] == "Expired"


def test_what_does_not_fit_is_left_out_in_a_stated_order_and_counted(keeper, olga):
    """Those that may charge before others; of them, who charged here last; then the newest."""
    for id_tag in ("OLD", "USED", "NEW"):
        add(olga, id_tag)
    add(olga, "GONE", status="Blocked")
    keeper.stage.end(keeper.stage.begin("used").transaction_id)
    keeper.configure(LocalAuthListMaxLength="2")
    switch(keeper, olga, ON)
    keeper.settle()
    assert keeper.list.keys() == {"USED", "NEW"}
    assert (keeper.row.wanted_count, keeper.row.cut_count) == (2, 2)


def test_a_long_list_goes_in_several_updates(keeper, olga):
    for number in range(5):
        add(olga, f"CARD{number}")
    keeper.configure(SendLocalListMaxLength="2")
    switch(keeper, olga, ON)
    asked = keeper.settle()
    assert sent(asked) == [("Full", 1), ("Differential", 2), ("Differential", 3)]
    assert len(keeper.list) == 5
    assert all(len(c.payload["localAuthorizationList"]) <= 2 for c in asked[1:])


@pytest.mark.parametrize("value", ["", "many", "²", "0", "-1", None, "99999999999999999999"])
def test_a_length_that_is_none_stops_nobody(keeper, olga, value):
    add(olga, "CARD")
    keeper.configure(SendLocalListMaxLength=value, LocalAuthListMaxLength=value)
    switch(keeper, olga, ON)
    keeper.settle()
    assert keeper.list.keys() == {"CARD"}


def test_a_station_with_lists_switched_off_is_asked_to_switch_them_on(keeper, olga):
    add(olga, "CARD")
    keeper.configure(LocalAuthListEnabled="False")
    switch(keeper, olga, ON)
    keeper.obey(keeper.look())
    change = keeper.stage.take_command()
    assert change.payload == {"key": "LocalAuthListEnabled", "value": "true"}
    keeper.stage.answer(change, "Rejected")
    assert keeper.look().action == "SendLocalList"


# --- What the station answers ----------------------------------------------------------------


def test_a_version_mismatch_brings_the_whole_list(kept, olga):
    add(olga, "NEW")
    kept.refuse(kept.look(), "VersionMismatch")
    kept.obey(kept.stage.take_command())
    full = kept.stage.take_command()
    assert (full.payload["updateType"], len(full.payload["localAuthorizationList"])) == ("Full", 2)
    kept.obey(full)
    assert kept.row.state == "in_step"


def test_another_version_than_ours_brings_the_whole_list_above_it(kept):
    kept.version, kept.list = 7, {}
    kept.reboot()
    kept.obey(kept.look())
    assert sent([kept.stage.take_command()]) == [("Full", 8)]


def test_an_empty_station_gets_the_whole_list(kept):
    kept.version, kept.list = 0, {}
    kept.reboot()
    kept.obey(kept.look())
    assert sent([kept.stage.take_command()]) == [("Full", 1)]


def test_the_version_is_asked_after_each_boot_and_once_a_day(kept):
    assert kept.look(hours=23) is None
    command = kept.look(hours=25)
    assert command.action == "GetLocalListVersion"
    kept.obey(command)
    assert kept.row.state == "in_step"
    assert Command.objects.filter(action="SendLocalList").count() == 1


@pytest.mark.parametrize("end", ["answer", "NotImplemented", "NotSupported", "minus_one"])
def test_a_station_without_lists_is_left_alone_and_shown(keeper, olga, end):
    add(olga, "CARD")
    switch(keeper, olga, FORCED)
    command = keeper.look()
    if end == "minus_one":
        calls.record_answer(command.pk, {"listVersion": -1})
    elif end == "answer":
        keeper.obey(command)
        keeper.refuse(keeper.stage.take_command(), "NotSupported")
    else:
        calls.record_refusal(command.pk, end, "")
    assert keeper.row.state == "unsupported"
    assert keeper.look(days=2) is None
    switch(keeper, olga, FORCED)
    assert keeper.look(days=2) is not None


def test_a_refusal_is_tried_again_later_each_time_and_becomes_an_alert(kept, olga):
    add(olga, "NEW")
    waits = []
    for _ in range(3):
        command = kept.look()
        if command.action == "GetLocalListVersion":
            kept.obey(command)
            command = kept.stage.take_command()
        kept.refuse(command, "Failed")
        assert kept.look() is None
        waits.append(kept.row.retry_at - kept.row.last_result_at)
        LocalList.objects.update(retry_at=kept.stage.now)
    assert waits[0] < waits[1] < waits[2]
    assert kept.row.state == "failed"
    alert = Alert.objects.get(kind="local_list", resolved_at=None)
    assert "Failed" in alert.text
    kept.settle()
    alert.refresh_from_db()
    assert (kept.row.state, alert.resolved_at is None) == ("in_step", False)


@pytest.mark.parametrize("has_arrived", [True, False])
def test_after_a_lost_answer_the_station_says_what_it_has(kept, olga, has_arrived):
    add(olga, "NEW")
    command = kept.look()
    if has_arrived:
        kept.version = command.payload["listVersion"]
        kept.list["NEW"] = {"status": "Accepted"}
    calls.record_silence(command.pk)
    assert kept.look(seconds=5) is None
    LocalList.objects.update(retry_at=kept.stage.now)
    asked = kept.settle()
    assert sent(asked) == ([] if has_arrived else [("Differential", 2)])
    assert kept.list.keys() == {"CARD", "NEW"}
    assert (kept.row.state, kept.row.failures) == ("in_step", 0)


def test_a_socket_that_closes_is_no_failure(kept, olga):
    add(olga, "NEW")
    kept.look()
    kept.stage.disconnect()
    kept.stage.reconnect()
    asked = kept.settle()
    assert [command.action for command in asked] == ["GetLocalListVersion", "SendLocalList"]
    assert kept.row.failures == 0


def test_two_workers_ask_once(kept, olga):
    add(olga, "NEW")
    for _ in range(2):
        local_list.run_due(kept.stage.now)
    assert Command.objects.filter(status__in=Command.OPEN).count() == 1


def test_a_list_that_staff_send_by_hand_is_replaced_by_ours(kept):
    payload = {"listVersion": 40, "updateType": "Full", "localAuthorizationList": []}
    by_hand = Command.objects.create(
        station=kept.stage.station, action="SendLocalList", payload=payload, lane=2
    )
    kept.stage.take_command()
    kept.obey(by_hand)
    assert kept.row.version == 40
    asked = kept.settle()
    assert sent(asked) == [("Full", 41)]


def test_a_call_by_hand_gives_no_list_to_a_station_that_has_none(keeper):
    payload = {"listVersion": 40, "updateType": "Full", "localAuthorizationList": []}
    by_hand = Command.objects.create(
        station=keeper.stage.station, action="SendLocalList", payload=payload, lane=2
    )
    keeper.stage.take_command()
    keeper.obey(by_hand)
    assert keeper.look(days=2) is None
    assert keeper.row.version == 40


# --- What staff ask --------------------------------------------------------------------------


def test_staff_send_the_whole_list_now(kept, olga):
    command = local_list.send_in_full(station=kept.stage.station, actor=olga, reason="a test")
    assert (command.lane, command.requested_by, command.reason) == (2, olga, "a test")
    assert sent([command]) == [("Full", 2)]
    kept.obey(kept.stage.take_command())
    assert kept.row.state == "in_step"


def test_staff_clear_a_list_and_it_stays_empty(kept, olga):
    local_list.clear(station=kept.stage.station, actor=olga, reason="a test")
    kept.obey(kept.stage.take_command())
    assert kept.list == {}
    assert (kept.row.choice, kept.row.state) == ("off", "new")
    assert kept.look(days=2) is None


def test_a_list_that_is_switched_off_is_emptied_there(kept, olga):
    switch(kept, olga, OFF)
    (command,) = kept.settle()
    assert command.payload["localAuthorizationList"] == []
    assert kept.list == {}
    assert kept.look(days=2) is None


@pytest.mark.parametrize("ask", [local_list.send_in_full, local_list.clear, local_list.ask_version])
def test_nothing_is_asked_of_a_station_that_is_away(kept, olga, ask):
    kept.stage.disconnect()
    with pytest.raises(StationOffline):
        ask(station=kept.stage.station, actor=olga, reason="a test")
    assert kept.row.choice == "on"
    assert IdTag.objects.count() == 1


def test_a_station_whose_list_cannot_be_looked_at_keeps_no_other_waiting(keeper, olga):
    other = connect(Station.objects.create(station_id="K-2", identity="k-2"))
    profiles = {"SupportedFeatureProfiles": {"value": "Core,LocalAuthListManagement"}}
    Station.objects.update(configuration=profiles, booted_at=keeper.stage.now)
    for station in (keeper.stage.station, other):
        local_list.choose(station=station, choice=ON, actor=olga, reason="test")
    break_rows(Command, station=keeper.stage.station.pk)
    local_list.run_due(keeper.stage.now)
    assert Command.objects.get().station == other
