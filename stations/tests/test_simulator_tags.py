"""What a simulated station knows of tags without asking (OCPP 1.6 §3.5, §5.15)."""

import datetime as dt

import pytest

from stations.simulator.errors import ScenarioFailed
from stations.simulator.memory import Memory
from stations.simulator.station import SimulatedStation
from stations.tests.test_simulator_answers import connected, status_of

ACCEPTED, BLOCKED = {"status": "Accepted"}, {"status": "Blocked"}


def entry(id_tag, info=ACCEPTED):
    return {"idTag": id_tag, "idTagInfo": info} if info else {"idTag": id_tag}


async def send(central, version, *entries, kind="Full"):
    payload = {"listVersion": version, "updateType": kind, "localAuthorizationList": entries}
    return await status_of(central, "SendLocalList", **payload)


async def version_of(central):
    _, answer = await central.call("GetLocalListVersion", {})
    return answer["listVersion"]


async def switch(central, **keys):
    for key, value in keys.items():
        assert await status_of(central, "ChangeConfiguration", key=key, value=value) == "Accepted"


async def test_a_full_list_replaces_and_a_difference_adds_changes_and_removes():
    async with connected() as (central, station):
        assert await version_of(central) == 0
        assert await send(central, 1, entry("A"), entry("B")) == "Accepted"
        assert await send(central, 2, entry("C"), entry("D")) == "Accepted"
        changes = entry("C", BLOCKED), entry("D", None), entry("E")
        assert await send(central, 4, *changes, kind="Differential") == "Accepted"
        assert await version_of(central) == 4
        assert station.memory.local_list == {"C": BLOCKED, "E": ACCEPTED}


@pytest.mark.parametrize("version", [1, 3])
async def test_a_difference_to_a_later_version_is_a_mismatch(version):
    async with connected() as (central, station):
        await send(central, 3, entry("A"))
        answer = await send(central, version, entry("B"), kind="Differential")
        assert answer == "VersionMismatch"
        assert await version_of(central) == 3
        assert list(station.memory.local_list) == ["A"]


@pytest.mark.parametrize(
    ("version", "entries"),
    [
        (0, [entry("A")]),
        (2, [entry("A"), entry("B", None)]),
        (2, [entry("A"), entry("A")]),
        (2, [entry(f"T{n}") for n in range(101)]),
    ],
)
async def test_a_list_that_cannot_be_kept_changes_nothing(version, entries):
    async with connected() as (central, _):
        await send(central, 1, entry("KEPT"))
        assert await send(central, version, *entries) == "Failed"
        assert await version_of(central) == 1


async def test_differences_do_not_pass_the_length_of_the_list():
    async with connected() as (central, station):
        for version in (1, 2):
            rows = [entry(f"V{version}-{n}") for n in range(100)]
            assert await send(central, version, *rows, kind="Differential") == "Accepted"
        assert await send(central, 3, entry("ONE-MORE"), kind="Differential") == "Failed"
        assert len(station.memory.local_list) == 200


async def test_a_list_that_is_switched_off_is_not_supported():
    async with connected() as (central, _):
        await switch(central, LocalAuthListEnabled="false")
        assert await send(central, 1, entry("A")) == "NotSupported"
        assert await version_of(central) == -1


async def test_a_listed_tag_starts_without_authorize_only_where_that_is_switched_on():
    async with connected() as (central, station):
        await send(central, 1, entry("MINE"))
        await station.present_tag(station.connectors[1], "MINE")
        assert len(central.payloads("Authorize")) == 1
        await switch(central, LocalPreAuthorize="true")
        await station.present_tag(station.connectors[2], "MINE")
        assert len(central.payloads("Authorize")) == 1


async def test_a_tag_that_is_listed_as_blocked_is_asked_about():
    async with connected() as (central, station):
        await switch(central, LocalPreAuthorize="true")
        await send(central, 1, entry("CARD", BLOCKED))
        await station.present_tag(station.connectors[1], "CARD")
        assert len(central.payloads("Authorize")) == 1


@pytest.mark.parametrize(
    ("info", "switches", "verdict"),
    [
        (ACCEPTED, {"AllowOfflineTxForUnknownId": "false"}, None),
        (BLOCKED, {}, "Blocked"),
        (BLOCKED, {"LocalAuthorizeOffline": "false"}, None),
        ({**ACCEPTED, "expiryDate": "2020-01-01T00:00:00Z"}, {}, "Expired"),
        (None, {"AllowOfflineTxForUnknownId": "false"}, "Invalid"),
        (None, {}, None),
    ],
)
async def test_without_a_network_the_list_decides(info, switches, verdict):
    async with connected() as (central, station):
        await switch(central, **switches)
        await send(central, 1, *([entry("CARD", info)] if info else []))
        station.cut_network()
        await station.until(lambda: station.wire is None)
        if verdict is None:
            await station.present_tag(station.connectors[1], "CARD")
            return
        with pytest.raises(ScenarioFailed, match=f"the tag CARD is {verdict}"):
            await station.present_tag(station.connectors[1], "CARD")
        assert station.connectors[1].status == "Available"


async def test_the_cache_remembers_an_answer_until_it_is_cleared():
    async with connected() as (central, station):
        central.verdicts["THIEF"] = "Blocked"
        with pytest.raises(ScenarioFailed):
            await station.present_tag(station.connectors[1], "THIEF")
        assert station.tags.find("THIEF", station.clock.now()) == BLOCKED
        assert await status_of(central, "ClearCache") == "Accepted"
        assert station.tags.find("THIEF", station.clock.now()) is None


async def test_a_cache_that_is_switched_off_keeps_nothing():
    async with connected() as (central, station):
        await switch(central, AuthorizationCacheEnabled="false")
        await station.present_tag(station.connectors[1], "CARD")
        await station.until(lambda: station.is_silent)
        assert station.memory.cached_tags == {}
        assert await status_of(central, "ClearCache") == "Rejected"


async def test_the_list_the_cache_and_availability_outlive_the_process(tmp_path):
    file = tmp_path / "memory.json"
    async with connected() as (central, station):
        station.memory.file = file
        await send(central, 1, entry("CARD"))
        await status_of(central, "ChangeAvailability", connectorId=2, type="Inoperative")
        await station.present_tag(station.connectors[1], "OTHER")
        await station.until(lambda: station.is_silent)
    again = SimulatedStation(station.setup, memory=Memory.load(file))
    now = dt.datetime.now(dt.UTC)
    assert again.tags.find("CARD", now) == again.tags.find("OTHER", now) == ACCEPTED
    assert again.memory.list_version == 1
    assert [c.status for c in again.connectors.values()] == ["Charging", "Unavailable"]
