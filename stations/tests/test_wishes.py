"""What is wanted of a station: by whom, which wish wins, and how its keys stand beside it."""

import pytest
from django.contrib.admin.models import LogEntry

from billing.errors import Invalid
from stations import configuration, key_table, reconfigure, registry, wishes
from stations.errors import NothingToUndo, StationOffline, WishNotFound
from stations.key_table import KeyState
from stations.models import Alert, Command, ConfigurationReport, ConfigurationWish, Site, Station
from stations.tests.cast import go_online
from stations.wanted import overridden_need, unmet, wanted

INTERVAL = "MeterValueSampleInterval"
HEARTBEAT = "HeartbeatInterval"


@pytest.fixture
def k1(station):
    station.vendor, station.model = "Acme", "X1"
    station.site = Site.objects.create(name="Osh")
    station.save()
    return station


def want(olga, value, key=HEARTBEAT, **where):
    return wishes.add_wish(key=key, value=value, by=olga, reason="policy", **where)


def report(station, **values):
    """Let the station answer GetConfiguration, in the transaction that ends the command."""
    answer = [{"key": key, "value": value, "readonly": False} for key, value in values.items()]
    answered(station, configuration.READ, {}, {"configurationKey": answer})


def answered(station, action, payload, response=None, error=None, **fields):
    command = Command.objects.create(
        station=station,
        action=action,
        payload=payload,
        lane=Command.Lane.ASKED,
        status="answered" if response is not None else "failed",
        response=response,
        error=error,
        **fields,
    )
    configuration.absorb(command)
    station.refresh_from_db()
    return command


def change(station, key, value, status):
    answered(station, configuration.CHANGE, {"key": key, "value": value}, {"status": status})


def state_of(station, key):
    station.refresh_from_db()
    return next(row for row in key_table.rows(station) if row.key == key)


def differing(station):
    return ConfigurationReport.objects.get(station=station).differing


# --- Who wants what -----------------------------------------------------------------------------


def test_the_most_specific_wish_wins(k1, olga):
    places = ({}, {"vendor": "Acme", "model": "X1"}, {"site": k1.site}, {"station": k1})
    for number, place in enumerate(places):
        wish = want(olga, str(number), **place)
        assert wanted(k1)[HEARTBEAT].value == str(number)
        assert wanted(k1)[HEARTBEAT].wish == wish
    for number in (2, 1, 0):
        wish = ConfigurationWish.objects.get(value=str(number + 1))
        wishes.withdraw_wish(wish_id=wish.pk, by=olga, reason="enough")
        assert wanted(k1)[HEARTBEAT].value == str(number)


def test_a_wish_reaches_only_whom_it_is_for(k1, olga):
    other = Station.objects.create(station_id="K-2", identity="k-2", vendor="Acme", model="X2")
    for place in ({"vendor": "Acme", "model": "X1"}, {"site": k1.site}, {"station": k1}):
        wish = want(olga, "1", **place)
        assert HEARTBEAT in wanted(k1)
        assert HEARTBEAT not in wanted(other)
        assert list(wish.stations()) == [k1]
        wishes.withdraw_wish(wish_id=wish.pk, by=olga)


@pytest.mark.parametrize("key", [INTERVAL, "METERVALUESAMPLEINTERVAL"])
def test_a_need_is_overridden_and_stays_in_sight(k1, olga, key):
    assert wanted(k1)[INTERVAL].value == "10"
    want(olga, "60", key=key)
    overridden = wanted(k1)[INTERVAL]
    assert (overridden.value, overridden.need) == ("60", "10")
    assert overridden_need(key, "60") == "10"
    assert overridden_need(key, "10.0") is None
    assert overridden_need(HEARTBEAT, "60") is None


def test_a_station_that_kubat_leaves_alone_has_wishes_and_no_needs(k1, olga):
    k1.is_provisioned = False
    want(olga, "60")
    assert wanted(k1).keys() == {HEARTBEAT}


def test_one_wish_for_one_key_and_one_place(k1, olga):
    want(olga, "1", key="VendorKey")
    want(olga, "1", key="VendorKey", station=k1)
    with pytest.raises(Invalid) as refused:
        want(olga, "2", key="vendorkey")
    assert refused.value.fields.keys() == {"key"}
    with pytest.raises(Invalid):
        want(olga, "2", site=k1.site, station=k1)
    with pytest.raises(Invalid):
        want(olga, "2", vendor="Acme")
    assert ConfigurationWish.objects.count() == 2


def test_nobody_wants_one_secret_for_many(k1, olga):
    with pytest.raises(Invalid):
        want(olga, "0123456789abcdef", key="authorizationKey")
    assert not ConfigurationWish.objects.exists()


def test_who_wanted_what_and_why_is_recorded(k1, olga):
    wish = want(olga, "1")
    wishes.change_wish(wish_id=wish.pk, value="2", by=olga, reason="too often")
    wishes.withdraw_wish(wish_id=wish.pk, by=olga, reason="nobody cares")
    said = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(said) == ["policy", "value: 2 · too often", "nobody cares"]
    with pytest.raises(WishNotFound):
        wishes.change_wish(wish_id=wish.pk, value="3", by=olga)
    with pytest.raises(WishNotFound):
        wishes.withdraw_wish(wish_id=wish.pk, by=olga)


# --- How the keys stand ---------------------------------------------------------------------------


def test_each_state_of_a_key(k1, olga):
    for key in ("Same", "Differs", "Refused", "Unknown", "Unreported", "Reboots"):
        want(olga, "1", key=key)
    report(k1, Same="1.0", Differs="2", Refused="2", Free="x", Reboots="2")
    change(k1, "Refused", "1", "Rejected")
    change(k1, "Reboots", "1", "RebootRequired")
    answer = {"configurationKey": [], "unknownKey": ["Unknown"]}
    answered(k1, configuration.READ, {"key": ["Unknown"]}, answer)
    states = {row.key: (row.state, row.cause) for row in key_table.rows(k1)}
    assert {key: states[key] for key in ("Same", "Differs", "Refused", "Free")} == {
        "Same": (KeyState.SAME, ""),
        "Differs": (KeyState.DIFFERS, ""),
        "Refused": (KeyState.REFUSED, "Rejected"),
        "Free": (KeyState.FREE, ""),
    }
    assert states["Unknown"][0] == KeyState.UNKNOWN
    assert states["Unreported"][0] == KeyState.UNREPORTED
    assert states["Reboots"][0] == KeyState.REBOOT
    stored = ConfigurationReport.objects.get()
    assert (stored.differing, stored.refused) == (4 + 5, 1)  # and what Kubat needs itself


def test_a_wish_is_compared_at_once_at_every_station(k1, olga):
    other = Station.objects.create(station_id="K-2", identity="k-2", is_provisioned=False)
    for station in (k1, other):
        report(station, HeartbeatInterval="60")
    before = differing(k1)
    wish = want(olga, "300")
    assert (differing(k1), differing(other)) == (before + 1, 1)
    wishes.change_wish(wish_id=wish.pk, value="60", by=olga)
    assert (differing(k1), differing(other)) == (before, 0)
    wishes.change_wish(wish_id=wish.pk, value="61", by=olga)
    wishes.withdraw_wish(wish_id=wish.pk, by=olga)
    assert (differing(k1), differing(other)) == (before, 0)


def test_comparing_a_fleet_takes_a_few_queries(k1, olga, django_assert_max_num_queries):
    Station.objects.bulk_create(
        Station(station_id=f"S-{n}", identity=f"s-{n}", is_provisioned=False) for n in range(200)
    )
    with django_assert_max_num_queries(20):
        want(olga, "300")
    assert ConfigurationReport.objects.filter(differing=1).count() == 200


def test_a_station_that_moves_is_compared_with_its_new_site(k1, olga):
    report(k1, HeartbeatInterval="60")
    before = differing(k1)
    site = Site.objects.create(name="Bishkek")
    want(olga, "300", site=site)
    assert differing(k1) == before
    registry.update_station(station_id="K-1", changes={"site": site}, by=olga)
    assert differing(k1) == before + 1


def test_reboot_required_is_shown_until_the_next_boot_and_then_asked_for(k1):
    report(k1, VendorMode="a", GetConfigurationMaxKeys="1")
    change(k1, "VendorMode", "b", "RebootRequired")
    assert state_of(k1, "VendorMode").state == KeyState.REBOOT
    configuration.begin([k1])
    assert state_of(k1, "VendorMode").state == KeyState.FREE
    asked = Command.objects.get(reference=configuration.VERIFY)
    assert (asked.action, asked.payload) == ("GetConfiguration", {"key": ["VendorMode"]})
    configuration.begin([k1])
    assert Command.objects.filter(reference=configuration.VERIFY).count() == 1


def test_a_station_that_kubat_leaves_alone_is_not_asked_after_its_boot(k1):
    report(k1, VendorMode="a")
    change(k1, "VendorMode", "b", "RebootRequired")
    k1.is_provisioned = False
    k1.save(update_fields=["is_provisioned"])
    configuration.begin([k1])
    assert state_of(k1, "VendorMode").state == KeyState.FREE
    assert not Command.objects.filter(status="queued").exists()


def test_a_key_that_comes_twice_or_without_a_value_is_kept_once(k1):
    keys = [
        {"key": "Twice", "value": "1", "readonly": False},
        {"key": "twice", "value": "2", "readonly": True},
        {"key": "Empty", "readonly": False},
    ]
    answered(k1, configuration.READ, {}, {"configurationKey": keys, "unknownKey": ["Empty"]})
    assert k1.configuration["Twice"] == {"value": "2", "readonly": True, "spelled": "twice"}
    assert k1.configuration["Empty"].get("value") is None
    assert "twice" not in k1.configuration


@pytest.mark.parametrize(
    "key", ["", " ", "__class__", "ключ", "a,b", "x" * 50, "\N{REPLACEMENT CHARACTER}"]
)
def test_a_key_of_any_name_is_kept_and_shown(k1, key):
    report(k1, **{key: "<script>"})
    assert k1.configuration[key]["value"] == "<script>"
    assert key in {row.key for row in key_table.rows(k1)}


@pytest.mark.parametrize("answer", [{}, {"configurationKey": None}, {"unknownKey": []}])
def test_an_answer_without_keys_changes_none(k1, answer):
    report(k1, HeartbeatInterval="60")
    before = k1.configuration
    answered(k1, configuration.READ, {}, answer)
    assert k1.configuration == before


def test_of_thousands_of_keys_a_bounded_number_is_kept(k1):
    many = {f"Vendor{n}": "x" * 500 for n in range(5_000)}
    report(k1, **many, HeartbeatInterval="60")
    assert len(k1.configuration) == configuration.MAX_KEYS + 1
    assert k1.configuration[HEARTBEAT]["value"] == "60"
    left_out = 5_000 - configuration.MAX_KEYS
    assert ConfigurationReport.objects.get().left_out == left_out
    answered(k1, configuration.READ, {"key": ["x"]}, {"unknownKey": ["x"]})
    assert ConfigurationReport.objects.get().left_out == left_out


def test_a_key_in_another_case_is_the_same_key_and_is_asked_for_as_the_station_writes_it(k1, olga):
    report(k1, metervaluesampleinterval="60")
    assert k1.meter_interval_s == 60
    go_online(k1)
    asked = reconfigure.change_key(station=k1, key=INTERVAL, value="30", by=olga)
    assert asked.payload == {"key": "metervaluesampleinterval", "value": "30"}
    change(k1, "metervaluesampleinterval", "30", "RebootRequired")
    assert k1.meter_interval_s == 30
    configuration.begin([k1])
    asked = Command.objects.get(reference=configuration.VERIFY)
    assert asked.payload == {"key": ["metervaluesampleinterval"]}
    report(k1, MeterValueSampleInterval="20")
    assert "spelled" not in k1.configuration[INTERVAL]
    assert k1.meter_interval_s == 20


# --- What staff ask -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "portions"), [(None, [3]), ("2", [2, 1]), ("1", [1, 1, 1]), ("0", [3]), ("x", [3])]
)
def test_named_keys_are_asked_for_in_portions_that_the_station_takes(k1, olga, most, portions):
    if most is not None:
        report(k1, GetConfigurationMaxKeys=most)
    go_online(k1)
    asked = reconfigure.read_keys(station=k1, keys=["A", "B", "C"], by=olga)
    assert [len(command.payload["key"]) for command in asked] == portions
    assert [key for command in asked for key in command.payload["key"]] == ["A", "B", "C"]


def test_no_named_key_asks_for_all(k1, olga):
    go_online(k1)
    assert [c.payload for c in reconfigure.read_keys(station=k1, keys=[], by=olga)] == [{}]


def test_a_change_is_undone(k1, olga):
    report(k1, HeartbeatInterval="60")
    go_online(k1)
    with pytest.raises(NothingToUndo):
        reconfigure.undo_change(station=k1, key=HEARTBEAT, by=olga)
    change(k1, HEARTBEAT, "300", "Rejected")
    with pytest.raises(NothingToUndo):
        reconfigure.undo_change(station=k1, key=HEARTBEAT, by=olga)
    change(k1, HEARTBEAT, "300", "Accepted")
    undone = reconfigure.undo_change(station=k1, key=HEARTBEAT, by=olga, reason="oops")
    assert undone.payload == {"key": HEARTBEAT, "value": "60"}
    assert (undone.requested_by, undone.reason) == (olga, "oops")


def test_the_secret_key_is_not_changed_as_others_are(k1, olga):
    go_online(k1)
    with pytest.raises(Invalid):
        reconfigure.change_key(station=k1, key="AUTHORIZATIONKEY", value="x" * 16, by=olga)
    assert not Command.objects.exists()


def test_a_station_that_is_away_is_not_asked(k1, olga):
    for ask in (
        lambda: reconfigure.read_keys(station=k1, keys=[], by=olga),
        lambda: reconfigure.change_key(station=k1, key=HEARTBEAT, value="1", by=olga),
        lambda: configuration.apply(station=k1, by=olga),
    ):
        with pytest.raises(StationOffline):
            ask()
    assert not Command.objects.exists()


# --- Runs -----------------------------------------------------------------------------------------


def finish(station, **answers):
    """Answer the open steps of a run as the station would; return what was changed."""
    changed = {}
    while step := Command.objects.filter(status="queued").order_by("created_at").first():
        is_read = step.action == configuration.READ
        key = step.payload.get("key")
        response = {"configurationKey": []} if is_read else answers.get(key, {"status": "Accepted"})
        Command.objects.filter(pk=step.pk).update(status="answered", response=response)
        configuration.absorb(Command.objects.get(pk=step.pk))
        if not is_read:
            changed[key] = step.payload["value"]
    station.refresh_from_db()
    return changed


def test_a_changed_wish_is_sent_at_the_next_boot_and_not_again(k1, olga):
    configuration.begin([k1])
    assert len(finish(k1)) == 5
    configuration.begin([k1])
    assert finish(k1) == {}
    wish = want(olga, "300")
    configuration.begin([k1])
    assert finish(k1, **{HEARTBEAT: {"status": "Rejected"}}) == {HEARTBEAT: "300"}
    assert state_of(k1, HEARTBEAT).state == KeyState.REFUSED
    configuration.begin([k1])
    assert finish(k1) == {}
    wishes.change_wish(wish_id=wish.pk, value="600", by=olga)
    assert state_of(k1, HEARTBEAT).state == KeyState.UNREPORTED
    configuration.begin([k1])
    assert finish(k1) == {HEARTBEAT: "600"}


def test_staff_apply_wishes_at_a_station_that_kubat_leaves_alone(k1, olga):
    Station.objects.filter(pk=k1.pk).update(is_provisioned=False)
    k1.refresh_from_db()
    want(olga, "300")
    configuration.begin([k1])
    assert not Command.objects.exists()
    go_online(k1)
    configuration.apply(station=k1, by=olga, reason="now")
    configuration.apply(station=k1, by=olga, reason="again")
    step = Command.objects.get()
    assert (step.requested_by, step.reason, step.lane) == (olga, "now", Command.Lane.OWN)
    assert finish(k1) == {HEARTBEAT: "300"}


def test_an_applied_run_that_was_cut_off_goes_on_as_what_it_was(k1, olga):
    Station.objects.filter(pk=k1.pk).update(is_provisioned=False)
    k1.refresh_from_db()
    want(olga, "300")
    go_online(k1)
    configuration.apply(station=k1, by=olga)
    gone = {"code": "disconnected", "description": ""}
    Command.objects.update(status="failed", error=gone)
    configuration.go_on(k1.pk)
    assert finish(k1) == {HEARTBEAT: "300"}


def test_a_station_that_does_not_report_as_needed_is_told_once_until_it_does(k1, olga):
    report(k1, **{INTERVAL: "60", "MeterValuesSampledData": "SoC,Energy.Active.Import.Register"})
    configuration.begin([k1])
    refused = {"status": "Rejected"}
    finish(k1, **{INTERVAL: refused, "MeterValuesSampledData": refused})
    alert = Alert.objects.get()
    assert (alert.kind, alert.station) == (configuration.UNMET, k1)
    assert INTERVAL in alert.text
    assert "MeterValuesSampledData" in alert.text
    go_online(k1)
    configuration.apply(station=k1, by=olga)
    finish(k1)
    alert.refresh_from_db()
    assert alert.resolved_at is not None


def test_a_change_by_hand_is_judged_as_well(k1):
    report(k1, **{INTERVAL: "10"})
    change(k1, INTERVAL, "600", "Accepted")
    alert = Alert.objects.get(resolved_at__isnull=True)
    change(k1, INTERVAL, "10", "Accepted")
    alert.refresh_from_db()
    assert alert.resolved_at is not None


def test_a_wish_against_a_vital_need_is_told_too(k1, olga):
    report(k1, **{INTERVAL: "10"})
    want(olga, "600", key=INTERVAL)
    configuration.begin([k1])
    assert finish(k1)[INTERVAL] == "600"
    assert INTERVAL in Alert.objects.get().text


@pytest.mark.parametrize(
    ("interval", "sampled", "missing"),
    [
        ("10", "Power.Active.Import,Energy.Active.Import.Register", []),
        ("5", "Energy.Active.Import.Register,Power.Active.Import,SoC,Voltage", []),
        ("0", "Power.Active.Import,Energy.Active.Import.Register", [INTERVAL]),
        ("ten", "Power.Active.Import", [INTERVAL, "MeterValuesSampledData"]),
        (None, None, []),
    ],
)
def test_more_often_and_more_than_needed_is_enough(interval, sampled, missing):
    configured = {INTERVAL: {"value": interval}, "MeterValuesSampledData": {"value": sampled}}
    assert unmet(Station(configuration=configured)) == missing
