"""The station must report: what Kubat sets, what it learns, and the rule of the key."""

import asyncio
import time

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from stations import commands, configuration, keys
from stations.models import Command, Frame, Station
from stations.tests.in_process import Denied

OLD, NEW = "old key of K-1", "new key of K-1"
SETUP = [
    "MeterValueSampleInterval",
    "MeterValuesSampledData",
    "ConnectionTimeOut",
    "StopTransactionOnInvalidId",
    "AllowOfflineTxForUnknownId",
]


def report(**values):
    """A GetConfiguration.conf."""
    return {
        "configurationKey": [
            {"key": key, "readonly": False, "value": value} for key, value in values.items()
        ]
    }


async def until(check, within_s=10):
    """Wait until an async check is true; return its value."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        value = await check()
        if value:
            return value
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come true")


async def set_up(k1, count):
    """Wait until so many steps of the set-up have ended and none is open; return the row."""

    async def is_done():
        steps = Command.objects.filter(reference="setup")
        is_open = await steps.filter(status__in=Command.OPEN).aexists()
        return not is_open and await steps.acount() >= count

    await until(is_done)
    return await Station.objects.aget(pk=k1.pk)


def changes(station):
    return {
        payload["key"]: payload["value"]
        for action, payload in station.calls
        if action == "ChangeConfiguration"
    }


async def test_the_first_accepted_boot_sets_what_differs(plug_in, k1):
    answer = report(
        MeterValueSampleInterval="60",
        ConnectionTimeOut="60",
        StopTransactionOnInvalidId="True",
        MeterValuesSampledData="SoC,Voltage",
    )
    station = await plug_in(answers={"GetConfiguration": answer})
    await station.boot()
    row = await set_up(k1, 4)
    assert station.calls[0] == ("GetConfiguration", {})
    assert changes(station) == {
        "MeterValueSampleInterval": "10",
        "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import,SoC",
        "AllowOfflineTxForUnknownId": "false",
    }
    assert row.configuration["MeterValueSampleInterval"] == {
        "value": "10",
        "readonly": False,
        "wanted": "10",
        "before": "60",
    }
    assert row.meter_interval_s == 10
    await station.boot()
    await asyncio.sleep(0.3)
    assert await Command.objects.acount() == 4


async def test_what_is_refused_is_kept_and_the_set_up_goes_on(plug_in, k1):
    def answer(payload):
        return {"status": "Rejected" if payload["key"] == SETUP[1] else "NotSupported"}

    fixed = {"configurationKey": [{"key": SETUP[0], "readonly": True, "value": "60"}]}
    station = await plug_in(answers={"GetConfiguration": fixed, "ChangeConfiguration": answer})
    await station.boot()
    row = await set_up(k1, 5)
    assert list(changes(station)) == SETUP[1:]
    refused = {key: row.configuration[key]["refused"] for key in SETUP}
    assert refused == {
        SETUP[0]: "readonly",
        SETUP[1]: "Rejected",
        **dict.fromkeys(SETUP[2:], "NotSupported"),
    }


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
async def test_a_station_that_knows_no_configuration_still_charges(plug_in, k1, code):
    refusal = [code, ""]
    station = await plug_in(answers={"GetConfiguration": refusal, "ChangeConfiguration": refusal})
    await station.boot()
    await set_up(k1, 2)
    assert [action for action, _ in station.calls] == ["GetConfiguration", "ChangeConfiguration"]


async def test_a_silent_station_is_asked_for_the_rest(plug_in, k1):
    station = await plug_in(answers={"GetConfiguration": None})
    await station.boot()
    await set_up(k1, 6)
    assert list(changes(station)) == SETUP


@pytest.mark.parametrize("is_global", [True, False])
async def test_set_up_can_be_switched_off(plug_in, k1, settings, is_global):
    settings.CSMS_PROVISION = not is_global
    await Station.objects.filter(pk=k1.pk).aupdate(is_provisioned=is_global)
    station = await plug_in()
    await station.boot()
    await asyncio.sleep(0.3)
    assert station.calls == []


async def test_a_set_up_that_was_cut_off_goes_on_after_the_next_boot(plug_in, k1):
    station = await plug_in(answers={"ChangeConfiguration": None})
    await station.boot()
    await station.expect_call("ChangeConfiguration")
    await station.close()
    station = await plug_in()
    await station.boot()
    await set_up(k1, 8)
    assert list(changes(station)) == SETUP


async def test_a_set_up_that_was_cut_off_goes_on_once_the_lane_is_empty(plug_in, k1):
    station = await plug_in(answers={"ChangeConfiguration": None})
    await station.boot()
    await station.expect_call("ChangeConfiguration")
    await station.close()
    station = await plug_in()
    began = time.monotonic()
    await station.expect_call("GetConfiguration", within=15)
    assert time.monotonic() - began > 4.5
    await set_up(k1, 8)


# --- The key --------------------------------------------------------------------------------


@pytest.fixture
def keyed(k1):
    k1.security_profile, k1.key_digest, k1.is_provisioned = 1, keys.digest(OLD), False
    k1.save()
    return k1


async def change_key(keyed):
    def send():
        return commands.send(
            station=Station.objects.get(pk=keyed.pk),
            action="ChangeConfiguration",
            payload={"key": "AuthorizationKey", "value": NEW},
            lane=Command.Lane.ASKED,
            timeout_s=1,
        )

    return await sync_to_async(send)()


async def good_keys(plug_in):
    """Which of the two keys open a socket."""
    good = set()
    for key in (OLD, NEW):
        try:
            await plug_in(key=key)
            good.add(key)
        except Denied:
            pass
    return good


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        ({"status": "Accepted"}, {NEW}),
        ({"status": "RebootRequired"}, {NEW}),
        ({"status": "Rejected"}, {OLD}),
        ({"status": "NotSupported"}, {OLD}),
        (["InternalError", ""], {OLD}),
        ({"status": "Perhaps"}, {OLD, NEW}),
        (None, {OLD, NEW}),
    ],
)
async def test_which_key_is_good_after_an_answer(plug_in, keyed, answer, good):
    station = await plug_in(key=OLD, answers={"ChangeConfiguration": answer})
    await station.boot()
    command = await change_key(keyed)

    async def is_ended():
        row = await Command.objects.aget(pk=command.pk)
        return row if row.status not in Command.OPEN else None

    row = await until(is_ended)
    assert row.payload["value"] == "***"
    assert station.calls[0][1]["value"] == NEW
    assert (await station.call("Heartbeat", {})).keys() == {"currentTime"}
    assert await good_keys(plug_in) == good


async def test_both_keys_are_good_until_the_answer_has_come(plug_in, keyed):
    station = await plug_in(key=OLD, answers={"ChangeConfiguration": None})
    await station.boot()
    await change_key(keyed)
    await station.expect_call("ChangeConfiguration")
    assert await good_keys(plug_in) == {OLD, NEW}


async def test_a_key_is_in_no_frame_and_in_no_configuration(plug_in, gateway, keyed):
    station = await plug_in(key=OLD, answers={"GetConfiguration": report(AuthorizationKey=NEW)})
    await station.boot()
    await change_key(keyed)
    await station.expect_call("ChangeConfiguration")

    def send():
        row = Station.objects.get(pk=keyed.pk)
        return commands.send(
            station=row, action="GetConfiguration", payload={}, lane=Command.Lane.ASKED
        )

    command = await sync_to_async(send)()

    async def is_answered():
        return (await Command.objects.aget(pk=command.pk)).status == "answered"

    await until(is_answered)
    shown = await Command.objects.aget(pk=command.pk)
    assert shown.response["configurationKey"][0]["value"] == "***"
    row = await Station.objects.aget(pk=keyed.pk)
    assert row.configuration["AuthorizationKey"]["value"] == "***"

    async def texts():
        frames = [frame.text async for frame in Frame.objects.all()]
        return frames if any("configurationKey" in text for text in frames) else None

    frames = await until(texts)
    assert not any(NEW in text for text in frames)
    assert sum("***" in text for text in frames) == 2


def test_begin_after_a_finished_set_up_asks_nothing(k1):
    configuration.begin([k1])
    Command.objects.update(status=Command.Status.ANSWERED, resolved_at=timezone.now())
    configuration.begin([k1])
    assert Command.objects.count() == 1
