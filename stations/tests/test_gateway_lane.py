"""Our calls to a station: one at a time, crossing with its own, gated by Boot, ended with it."""

import asyncio
import datetime as dt
import time
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from sessions_app.models import ChargingSession
from sessions_app.services.holds import Limit
from sessions_app.services.start import request_start
from stations import commands
from stations.gateway import lane as gateway_lane
from stations.models import Command, Station

Lane = Command.Lane


@pytest.fixture
def unprovisioned(k1):
    """K-1 that Kubat does not set up, so that only the test's own commands go out."""
    Station.objects.filter(pk=k1.pk).update(is_provisioned=False)
    k1.refresh_from_db()
    return k1


async def ask(station, action="ClearCache", payload=None, **options):
    """Queue a command for the socket that is open now."""

    def send():
        row = Station.objects.get(pk=station.pk)
        options.setdefault("lane", Lane.ASKED)
        return commands.send(station=row, action=action, payload=payload or {}, **options)

    return await sync_to_async(send)()


async def ended(command, within_s=10):
    """Wait until a command has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        row = await Command.objects.aget(pk=command.pk)
        if row.status not in Command.OPEN:
            return row
        await asyncio.sleep(0.02)
    raise AssertionError(f"{command.action} is still {row.status}")


async def test_an_answer_is_stored_as_it_came(plug_in, unprovisioned):
    station = await plug_in(answers={"ClearCache": {"status": "Accepted"}})
    await station.boot()
    row = await ended(await ask(unprovisioned))
    assert (row.status, row.response, row.error) == ("answered", {"status": "Accepted"}, None)
    assert station.call_ids == [str(row.pk)]


async def test_a_callerror_is_a_failure(plug_in, unprovisioned):
    station = await plug_in(answers={"ClearCache": ["NotSupported", "no cache"]})
    await station.boot()
    row = await ended(await ask(unprovisioned))
    assert row.status == "failed"
    assert row.error == {"code": "NotSupported", "description": "no cache"}


async def test_an_answer_that_breaks_its_schema_is_a_failure(plug_in, unprovisioned):
    station = await plug_in(answers={"ClearCache": {"status": "Perhaps"}})
    await station.boot()
    row = await ended(await ask(unprovisioned))
    assert (row.status, row.error["code"]) == ("failed", "invalid_response")


async def test_a_zero_character_in_an_answer_can_be_stored(plug_in, unprovisioned):
    answer = {"status": "Accepted", "data": "a\0b"}
    station = await plug_in(answers={"DataTransfer": answer})
    await station.boot()
    row = await ended(await ask(unprovisioned, "DataTransfer", {"vendorId": "x"}))
    assert row.response["data"] == "a\ufffdb"


async def test_silence_ends_with_its_time_and_a_late_answer_is_ignored(plug_in, unprovisioned):
    station = await plug_in(answers={"ClearCache": None})
    await station.boot()
    row = await ended(await ask(unprovisioned, timeout_s=1))
    assert row.status == "timed_out"
    await station.send_frame([3, str(row.pk), {"status": "Accepted"}])
    assert set(await station.call("Heartbeat", {})) == {"currentTime"}
    assert (await Command.objects.aget(pk=row.pk)).status == "timed_out"


async def test_one_call_at_a_time_in_the_order_of_the_lanes(plug_in, unprovisioned):
    release = asyncio.Event()

    async def slowly(payload):
        await release.wait()
        return {"status": "Accepted"}

    station = await plug_in(
        answers={
            "ClearCache": slowly,
            "DataTransfer": {"status": "Accepted"},
            "RemoteStopTransaction": {"status": "Accepted"},
        }
    )
    await station.boot()
    first = await ask(unprovisioned)
    await station.expect_call("ClearCache")
    transfer = await ask(unprovisioned, "DataTransfer", {"vendorId": "x"})
    stop = await ask(unprovisioned, "RemoteStopTransaction", {"transactionId": 1}, lane=Lane.STOP)
    await asyncio.sleep(0.2)
    assert len(station.calls) == 1
    release.set()
    for command in (first, stop, transfer):
        assert (await ended(command)).status == "answered"
    names = [action for action, _ in station.calls]
    assert names == ["ClearCache", "RemoteStopTransaction", "DataTransfer"]


async def test_calls_cross(plug_in, unprovisioned):
    """A station may send calls of its own before it answers ours."""

    station = await plug_in(answers={"RemoteStartTransaction": None})
    await station.boot()
    command = await ask(
        unprovisioned, "RemoteStartTransaction", {"idTag": "CARD1", "connectorId": 1}
    )
    await station.expect_call("RemoteStartTransaction")
    assert "idTagInfo" in await station.call("Authorize", {"idTag": "CARD1"})
    await station.send_frame([3, station.call_ids[-1], {"status": "Accepted"}])
    row = await ended(command, within_s=3)
    assert (row.status, row.response) == ("answered", {"status": "Accepted"})


async def test_a_start_that_comes_before_the_answer_to_our_remote_start(
    plug_in, unprovisioned, alice
):
    """StartTransaction crosses with RemoteStart: the session is charging all the same."""
    station = await plug_in(answers={"RemoteStartTransaction": None})
    await station.boot()

    def begin():
        return request_start(
            driver=alice, station_id="K-1", connector_id=1, limit=Limit("full"), actor=alice
        )

    session = await sync_to_async(begin)()
    asked = await station.expect_call("RemoteStartTransaction")
    started = await station.call(
        "StartTransaction",
        {
            "connectorId": 1,
            "idTag": asked["idTag"].lower(),
            "meterStart": 0,
            "timestamp": timezone.now().isoformat(),
        },
    )
    assert started["idTagInfo"] == {"status": "Accepted"}
    await station.send_frame([3, station.call_ids[-1], {"status": "Accepted"}])
    await ended(await Command.objects.aget(action="RemoteStartTransaction"))
    row = await ChargingSession.objects.aget(pk=session.pk)
    assert (row.status, row.transaction_id) == ("charging", started["transactionId"])


async def test_nothing_of_our_own_goes_out_shortly_before_a_stop(plug_in, unprovisioned, alice):
    """An answer that does not come would hold the RemoteStop up; staff are served all the same."""
    station = await plug_in(answers={"ClearCache": {"status": "Accepted"}})
    await station.boot()
    limit = Limit("energy", Decimal(1))

    def begin():
        request_start(driver=alice, station_id="K-1", connector_id=1, limit=limit, actor=alice)

    await sync_to_async(begin)()
    asked = await station.expect_call("RemoteStartTransaction")
    now = timezone.now().isoformat()
    started = await station.call(
        "StartTransaction",
        {"connectorId": 1, "idTag": asked["idTag"], "meterStart": 0, "timestamp": now},
    )
    transaction = {"transactionId": started["transactionId"]}
    values = [{"timestamp": now, "sampledValue": [{"value": "950"}]}]  # 139 Wh in 10 s at 50 kW
    await station.call("MeterValues", {"connectorId": 1, **transaction, "meterValue": values})
    own = await ask(unprovisioned, "GetConfiguration", lane=Lane.OWN)
    assert (await ended(await ask(unprovisioned))).status == "answered"
    assert (await Command.objects.aget(pk=own.pk)).status == "queued"
    await station.call("StopTransaction", {**transaction, "meterStop": 960, "timestamp": now})
    assert (await ended(own)).status == "answered"


async def test_a_closed_socket_ends_the_call_at_once(plug_in, unprovisioned):
    station = await plug_in(answers={"ClearCache": None})
    await station.boot()
    sent = await ask(unprovisioned, timeout_s=60)
    await station.expect_call("ClearCache")
    bound = await ask(unprovisioned, "DataTransfer", {"vendorId": "x"}, is_bound=True)
    free = await ask(unprovisioned, "RemoteStopTransaction", {"transactionId": 1}, lane=Lane.STOP)
    await station.close()
    for command in (sent, bound):
        row = await Command.objects.aget(pk=command.pk)
        assert (row.status, row.error["code"]) == ("failed", "disconnected")
    assert (await Command.objects.aget(pk=free.pk)).status == "queued"
    station = await plug_in()
    await station.boot()
    assert (await ended(free)).status == "answered"


async def test_nothing_goes_out_before_boot_but_a_staff_command_after_3_s(plug_in, unprovisioned):
    station = await plug_in()
    own = await ask(unprovisioned, "GetConfiguration", lane=Lane.OWN)
    staff = await ask(unprovisioned, "GetLocalListVersion")
    await asyncio.sleep(2.5)
    assert station.calls == []
    await ended(staff)
    await asyncio.sleep(0.5)
    assert [action for action, _ in station.calls] == ["GetLocalListVersion"]
    await station.boot()
    await ended(own)


async def test_a_station_that_was_accepted_before_is_asked_3_s_after_it_connects(
    plug_in, unprovisioned
):
    await Station.objects.filter(pk=unprovisioned.pk).aupdate(booted_at=timezone.now())
    await plug_in()
    own = await ask(unprovisioned, "GetConfiguration", lane=Lane.OWN)
    began = time.monotonic()
    await ended(own)
    assert 2 < time.monotonic() - began < 5


async def test_a_staff_command_does_not_wait_while_boot_stands_rejected(plug_in, unprovisioned):
    await Station.objects.filter(pk=unprovisioned.pk).aupdate(registration="Rejected")
    station = await plug_in()
    await station.boot()
    own = await ask(unprovisioned, "GetConfiguration", lane=Lane.OWN)
    began = time.monotonic()
    await ended(await ask(unprovisioned))
    assert time.monotonic() - began < 2
    assert (await Command.objects.aget(pk=own.pk)).status == "queued"


async def test_a_lost_bell_costs_delay_only(plug_in, unprovisioned):
    station = await plug_in(answers={"ClearCache": {"status": "Accepted"}})
    await station.boot()
    await asyncio.sleep(0.3)
    command = await Command.objects.acreate(
        station=unprovisioned,
        action="ClearCache",
        lane=Lane.ASKED,
        deadline_at=timezone.now() + dt.timedelta(seconds=30),
    )
    assert (await ended(command)).status == "answered"


async def test_a_lane_that_has_nothing_to_do_ends_and_comes_back_at_the_bell(
    plug_in, gateway, unprovisioned, monkeypatch
):
    monkeypatch.setattr(gateway_lane, "UNASKED_AFTER_S", 0.05)
    monkeypatch.setattr(gateway_lane, "SETUP_AFTER_S", 0.05)
    station = await plug_in(answers={"ClearCache": {"status": "Accepted"}})
    await station.boot()
    (connection,) = gateway._all
    for _ in range(2):
        if connection._tasks():
            await asyncio.wait(connection._tasks(), timeout=10)
        assert connection._tasks() == []
        assert (await ended(await ask(unprovisioned))).status == "answered"
