"""What the gateway logs names the station, the session and the command that it is about."""

import asyncio

import pytest

from billing import context
from config.tests.cluster import wait_until
from config.tests.lines import collected
from sessions_app.models import ChargingSession, IdTag
from sessions_app.services import calls, end
from stations.gateway.v16 import core
from stations.models import Station
from stations.tests.test_gateway_lane import ask, ended

TIME = "2026-11-24T10:00:00Z"
SOCKET = "stations.gateway.connection"
EXCHANGE = "stations.gateway.v16.exchange"


@pytest.fixture
def k2(k1):
    """A second station."""
    return Station.objects.create(station_id="K-2", identity="k-2", security_profile=0)


@pytest.fixture
def unprovisioned(k1):
    Station.objects.filter(pk=k1.pk).update(is_provisioned=False)
    k1.refresh_from_db()
    return k1


def broken(*_, **__):
    raise RuntimeError("the meter is odd")


async def begun(station):
    """Start by card; the transaction's id."""
    await IdTag.objects.aget_or_create(id_tag="CARD", identity="card")
    start = {"connectorId": 1, "idTag": "CARD", "meterStart": 0, "timestamp": TIME}
    return (await station.call("StartTransaction", start))["transactionId"]


async def test_a_line_about_a_frame_names_its_station_and_its_session(plug_in, k1, monkeypatch):
    station = await plug_in()
    transaction_id = await begun(station)
    monkeypatch.setattr(end, "end_session", broken)
    with collected() as lines:
        stop = {"transactionId": transaction_id, "meterStop": 10, "timestamp": TIME}
        await station.call("StopTransaction", stop)
    (line,) = lines.of(EXCHANGE)
    session = await ChargingSession.objects.aget(transaction_id=transaction_id)
    assert line["message"] == "K-1: StopTransaction failed"
    assert (line["station_id"], line["session_id"]) == ("K-1", str(session.pk))


async def test_a_frame_does_not_name_the_session_of_the_frame_before(plug_in, k1, monkeypatch):
    station = await plug_in()
    transaction_id = await begun(station)
    values = {"connectorId": 1, "transactionId": transaction_id}
    sample = {"timestamp": TIME, "sampledValue": [{"value": "5"}]}
    await station.call("MeterValues", values | {"meterValue": [sample]})
    monkeypatch.setattr(core, "judge_tag", broken)
    with collected() as lines:
        await station.ask("Authorize", {"idTag": "CARD"})
    (line,) = lines.of(EXCHANGE)
    assert line["station_id"] == "K-1"
    assert "session_id" not in line


async def test_two_sockets_do_not_name_each_other(plug_in, k2, monkeypatch):
    stations = [await plug_in(name) for name in ("K-1", "K-2")]
    monkeypatch.setattr(core, "judge_tag", broken)
    with collected() as lines:
        calls = (one.ask("Authorize", {"idTag": "CARD"}) for one in stations * 5)
        await asyncio.gather(*calls)
    told = lines.of(EXCHANGE)
    assert len(told) == 10
    assert all(line["message"].startswith(f"{line['station_id']}:") for line in told)


async def test_a_line_about_a_call_names_the_call_and_nothing_of_who_rang_for_it(
    plug_in, unprovisioned, monkeypatch
):
    station = await plug_in(answers={"ClearCache": {"status": "Accepted"}})
    await station.boot()
    await ended(await ask(unprovisioned))  # the lane rests: the next bell begins a new task
    with collected() as lines, monkeypatch.context() as patched:
        patched.setattr(calls, "record_answer", broken)
        with context.about(request_id="of the ringer", session_id="of the ringer"):
            command = await ask(unprovisioned)
        await asyncio.to_thread(wait_until, lambda: lines.of(SOCKET))
    line = lines.of(SOCKET)[0]
    assert line["message"] == "K-1: a task of its socket failed"
    assert (line["station_id"], line["command_id"]) == ("K-1", str(command.pk))
    assert not {"request_id", "session_id"} & line.keys()
