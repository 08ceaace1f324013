"""Tags and local lists over the wire, as the conformance cases of OCPP 1.6 play them.

The numbers in the names are those of the compliance cases for a central system.
"""

import asyncio
import datetime as dt
import time

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from sessions_app.models import ChargingSession, IdTag, LocalList, Orphan
from sessions_app.services import local_list
from stations.models import Alert, Command, Station
from stations.tests.cast import signed_in

COMMANDS = "/ocpp/stations/K-1/commands"


@pytest.fixture
def cards(transactional_db, alice, bob):
    """Alice's card and her wife's, of one family; an expired, a blocked and a stranger's one."""
    past = timezone.now() - dt.timedelta(days=1)
    for id_tag, values in {
        "ALICE": {"user": alice, "parent_id_tag": "FAMILY"},
        "ANNA": {"user": None, "parent_id_tag": "family"},
        "OLD": {"user": alice, "expires_at": past},
        "BAD": {"user": alice, "status": "Blocked"},
        "ELSE": {"user": bob},
    }.items():
        IdTag.objects.create(id_tag=id_tag, identity=id_tag.casefold(), **values)


def wire(at):
    return at.isoformat().replace("+00:00", "Z")


def start(tag, *, at=None, meter=1000):
    return {
        "connectorId": 1,
        "idTag": tag,
        "meterStart": meter,
        "timestamp": wire(at or timezone.now()),
    }


def stop(number, *, at=None, meter=2000, **more):
    return {
        "transactionId": number,
        "meterStop": meter,
        "timestamp": wire(at or timezone.now()),
        **more,
    }


async def ended():
    return await ChargingSession.objects.aget()


async def ask(olga, action, payload):
    """Ask by the API, and wait for the end of the command."""
    client = await sync_to_async(signed_in)(olga)
    body = {"action": action, "payload": payload}
    answer = await sync_to_async(client.post)(COMMANDS, body, format="json")
    assert answer.status_code == 202, answer.content
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        command = await Command.objects.aget(pk=answer.json()["id"])
        if command.status not in Command.OPEN:
            return command
        await asyncio.sleep(0.02)
    raise AssertionError("the command did not end")


# --- Authorize -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ("NOBODY", "Invalid"),  # 023_1
        ("OLD", "Expired"),  # 023_2
        ("BAD", "Blocked"),  # 023_3
        ("alice", "Accepted"),
        (" ALICE", "Invalid"),
        ("ALICE ", "Invalid"),
        ("ALICE\0", "Invalid"),
        ("ALICE\r\n", "Invalid"),
        ("ALICE;1", "Invalid"),
        ("", "Invalid"),
    ],
)
async def test_023_what_a_tag_may(plug_in, k1, cards, tag, status):
    station = await plug_in()
    answer = await station.call("Authorize", {"idTag": tag})
    assert answer["idTagInfo"]["status"] == status


async def test_a_tag_is_told_with_its_parent_and_its_end(plug_in, k1, cards):
    end = dt.datetime(2099, 1, 2, tzinfo=dt.UTC)
    await IdTag.objects.filter(identity="alice").aupdate(expires_at=end)
    station = await plug_in()
    assert await station.call("Authorize", {"idTag": "ALICE"}) == {
        "idTagInfo": {
            "status": "Accepted",
            "parentIdTag": "FAMILY",
            "expiryDate": "2099-01-02T00:00:00.000Z",
        }
    }


@pytest.mark.parametrize("tag", ["A" * 21, "ALICE" + "0" * 16])
async def test_a_tag_that_is_too_long_is_no_ones(plug_in, k1, cards, tag):
    station = await plug_in()
    assert (await station.ask("Authorize", {"idTag": tag}))[0] == 4
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=True)
    await station.close()
    station = await plug_in()
    answer = await station.call("Authorize", {"idTag": tag})
    assert answer == {"idTagInfo": {"status": "Invalid"}}


async def test_a_start_with_a_tag_that_is_too_long_is_not_cut_to_anothers(plug_in, k1, cards):
    await IdTag.objects.acreate(id_tag="C" * 20, identity="c" * 20)
    station = await plug_in()
    reply = await station.ask("StartTransaction", start("C" * 21))
    assert reply[0] == 4
    session = await ended()
    assert (session.status, session.error_code) == ("error", "tag_invalid")


@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired"])
async def test_007_061_a_cached_tag_starts_at_once_and_is_judged_all_the_same(
    plug_in, k1, cards, status
):
    tag = {"Accepted": "ALICE", "Blocked": "BAD", "Expired": "OLD"}[status]
    station = await plug_in()
    answer = await station.call("StartTransaction", start(tag))
    assert answer["idTagInfo"]["status"] == status
    assert answer["transactionId"] > 0


# --- Offline ---------------------------------------------------------------------------------


async def test_037_an_offline_start_is_replayed_with_its_stop(plug_in, k1, cards):
    begun = timezone.now() - dt.timedelta(hours=2)
    station = await plug_in()
    await station.boot()
    answer = await station.call("StartTransaction", start("ALICE", at=begun))
    assert answer["idTagInfo"]["status"] == "Accepted"
    later = begun + dt.timedelta(hours=1)
    end = stop(answer["transactionId"], at=later, meter=9000, idTag="ALICE", reason="Local")
    assert (await station.call("StopTransaction", end))["idTagInfo"]["status"] == "Accepted"
    session = await ended()
    assert (session.status, session.cost_minor) == ("completed", 10_000)
    assert session.stopped_at - session.started_at == dt.timedelta(hours=1)


@pytest.mark.parametrize("tag", ["NOBODY", "BAD", "OLD"])
async def test_039_an_offline_start_by_a_bad_tag_is_stopped_and_kept(plug_in, k1, cards, tag):
    begun = timezone.now() - dt.timedelta(hours=2)
    station = await plug_in()
    answer = await station.call("StartTransaction", start(tag, at=begun))
    assert answer["idTagInfo"]["status"] != "Accepted"
    end = stop(answer["transactionId"], meter=1200, reason="DeAuthorized")
    assert await station.call("StopTransaction", end) == {}
    session = await ended()
    assert (session.status, session.cost_minor) == ("review", 0)


async def test_a_tag_that_was_blocked_later_was_good_when_it_expired_later(plug_in, k1, cards):
    """Rights are judged at the station's time: yesterday this card had not expired."""
    station = await plug_in()
    begun = timezone.now() - dt.timedelta(days=1, minutes=30)
    answer = await station.call("StartTransaction", start("OLD", at=begun))
    assert answer["idTagInfo"]["status"] == "Accepted"
    await station.call("StopTransaction", stop(answer["transactionId"]))


# --- Who may stop ----------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["ALICE", "alice"])
async def test_068_the_tag_that_started_stops(plug_in, k1, cards, tag):
    station = await plug_in()
    number = (await station.call("StartTransaction", start("ALICE")))["transactionId"]
    answer = await station.call("StopTransaction", stop(number, idTag=tag))
    assert answer["idTagInfo"] == {"status": "Accepted"}
    assert (await ended()).status == "completed"


async def test_069_a_tag_of_the_family_stops(plug_in, k1, cards):
    station = await plug_in()
    number = (await station.call("StartTransaction", start("ALICE")))["transactionId"]
    answer = await station.call("StopTransaction", stop(number, idTag="ANNA"))
    assert answer["idTagInfo"] == {"status": "Accepted", "parentIdTag": "family"}
    session = await ended()
    assert (session.status, session.flags) == ("completed", [])


@pytest.mark.parametrize("tag", ["ELSE", "NOBODY", "NU\0L"])
async def test_a_foreign_tag_stops_too_and_is_noted(plug_in, k1, cards, tag):
    station = await plug_in()
    number = (await station.call("StartTransaction", start("ALICE")))["transactionId"]
    reply = await station.ask("StopTransaction", stop(number, idTag=tag))
    assert reply[0] == 3
    session = await ended()
    assert (session.status, session.flags) == ("completed", ["stopped_by_another_tag"])


async def test_another_card_of_the_same_driver_is_no_stranger(plug_in, k1, cards):
    station = await plug_in()
    number = (await station.call("StartTransaction", start("ALICE")))["transactionId"]
    await station.call("StopTransaction", stop(number, idTag="BAD"))
    assert (await ended()).flags == []


@pytest.mark.parametrize("tag", ["T" * 300, "NU\0L", 5, {}, None])
async def test_a_stop_with_a_tag_that_is_none_is_confirmed(plug_in, k1, cards, tag):
    station = await plug_in()
    number = (await station.call("StartTransaction", start("ALICE")))["transactionId"]
    reply = await station.ask("StopTransaction", stop(number, idTag=tag))
    assert reply[0] == 3
    assert (await ended()).status == "completed"


# --- Local lists -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [-1, 0, 12])
async def test_042_the_version_of_a_list_is_asked_and_shown(plug_in, k1, olga, version):
    station = await plug_in(answers={"GetLocalListVersion": {"listVersion": version}})
    await station.boot()
    command = await ask(olga, "GetLocalListVersion", {})
    assert (command.status, command.response) == ("answered", {"listVersion": version})
    row = await LocalList.objects.aget()
    assert (row.version, row.last_result) == (version, str(version))


@pytest.mark.parametrize("kind", ["Full", "Differential"])
@pytest.mark.parametrize("status", ["Accepted", "NotSupported", "Failed", "VersionMismatch"])
async def test_043_a_list_is_sent_as_it_was_given(plug_in, k1, olga, kind, status):
    station = await plug_in(answers={"SendLocalList": {"status": status}})
    await station.boot()
    payload = {
        "listVersion": 3,
        "updateType": kind,
        "localAuthorizationList": [{"idTag": "A", "idTagInfo": {"status": "Accepted"}}],
    }
    command = await ask(olga, "SendLocalList", payload)
    assert (command.status, command.response) == ("answered", {"status": status})
    assert await station.expect_call("SendLocalList") == payload
    row = await LocalList.objects.aget()
    assert (row.version, row.last_result) == (3 if status == "Accepted" else None, status)
    assert not await Alert.objects.filter(kind="local_list").aexists()


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"listVersion": "3", "updateType": "Full"},
        {"listVersion": 3, "updateType": "Half"},
        {"listVersion": 3, "updateType": "Full", "localAuthorizationList": [{}]},
        {
            "listVersion": 3,
            "updateType": "Full",
            "localAuthorizationList": [{"idTag": "A" * 21, "idTagInfo": {"status": "Accepted"}}],
        },
    ],
)
async def test_a_list_that_breaks_its_schema_is_not_sent(plug_in, k1, olga, payload):
    station = await plug_in()
    await station.boot()
    client = await sync_to_async(signed_in)(olga)
    body = {"action": "SendLocalList", "payload": payload}
    answer = await sync_to_async(client.post)(COMMANDS, body, format="json")
    assert answer.status_code == 400


async def until(check, within_s=10):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if await check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come true")


class Keeper:
    """A station's memory: its list and the version of it, as §5.10 and §5.15 say."""

    def __init__(self):
        self.version, self.tags = 0, set()
        self.answers = {
            "GetLocalListVersion": lambda _: {"listVersion": self.version},
            "SendLocalList": self.take,
        }

    def take(self, update):
        if update["updateType"] == "Full":
            self.tags.clear()
        elif update["listVersion"] <= self.version:
            return {"status": "VersionMismatch"}
        for entry in update["localAuthorizationList"]:
            (self.tags.add if "idTagInfo" in entry else self.tags.discard)(entry["idTag"])
        self.version = update["listVersion"]
        return {"status": "Accepted"}


@pytest.fixture
def forced(k1):
    return LocalList.objects.create(station=k1, choice="forced")


async def in_step():
    await sync_to_async(local_list.run_due)(timezone.now())
    return (await LocalList.objects.aget()).state == "in_step"


async def test_a_list_is_made_of_the_tags_and_kept_in_step(plug_in, k1, cards, forced):
    keeper = Keeper()
    station = await plug_in(answers=keeper.answers)
    await station.boot()
    await until(in_step)
    assert (keeper.version, keeper.tags) == (1, {"ALICE", "ANNA", "OLD", "BAD", "ELSE"})
    await IdTag.objects.filter(identity="else").adelete()
    await until(in_step)
    assert (keeper.version, keeper.tags) == (2, {"ALICE", "ANNA", "OLD", "BAD"})
    lists = [payload for action, payload in station.calls if action == "SendLocalList"]
    assert lists[-1]["localAuthorizationList"] == [{"idTag": "ELSE"}]


async def test_a_station_that_lost_its_list_gets_it_again(plug_in, k1, cards, forced):
    keeper = Keeper()
    station = await plug_in(answers=keeper.answers)
    await station.boot()
    await until(in_step)
    await station.close()
    keeper.version, keeper.tags = 0, set()
    station = await plug_in(answers=keeper.answers)
    await station.boot()
    await until(lambda: is_asked(station))
    await until(in_step)
    assert len(keeper.tags) == 5


async def is_asked(station):
    await sync_to_async(local_list.run_due)(timezone.now())
    return any(action == "GetLocalListVersion" for action, _ in station.calls)


@pytest.mark.parametrize(
    "answer", [{"status": "Sure"}, {}, ["InternalError", ""], None, {"status": "Failed"}]
)
async def test_an_answer_that_is_none_is_tried_again_and_breaks_nothing(
    plug_in, k1, cards, forced, answer
):
    answers = {"GetLocalListVersion": {"listVersion": 0}, "SendLocalList": answer}
    station = await plug_in(answers=answers)
    await station.boot()

    async def has_failed():
        await sync_to_async(local_list.run_due)(timezone.now())
        return (await LocalList.objects.aget()).failures == 1

    await until(has_failed)
    row = await LocalList.objects.aget()
    assert (row.state, row.retry_at is not None, row.entries) == ("failed", True, {})
    started = await station.call("StartTransaction", start("ALICE"))
    assert started["idTagInfo"]["status"] == "Accepted"
    await station.call("StopTransaction", stop(started["transactionId"]))
    assert not await Orphan.objects.aexists()
