"""A real server hands its traces to a real collector: one session, one trace."""

import json
import time

import httpx
import pytest

from config.tests.cluster import wait_until
from config.tests.collector import collecting
from config.tests.crowd import Keeper, expect
from config.tests.server import ServerProcess
from config.tests.street import SETTINGS, Charge, Street, ok

pytestmark = pytest.mark.e2e

TRACED = {
    "CSMS_LOG_FORMAT": "json",
    "CSMS_ACCESS_LOG": "true",
    "CSMS_METER_INTERVAL_S": "5",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
}
EXPECTED = {
    "start requested": "POST /ocpp/start_charge",
    "hold": "start requested",
    "queue RemoteStartTransaction": "start requested",
    "call RemoteStartTransaction": "queue RemoteStartTransaction",
    "StartTransaction": "start requested",
    "stop decided": "start requested",
    "stop asked for": "stop decided",
    "queue RemoteStopTransaction": "stop asked for",
    "call RemoteStopTransaction": "queue RemoteStopTransaction",
    "StopTransaction": "start requested",
    "settle": "StopTransaction",
}


async def charge_once(server, order):
    """An app orders a charge, the station carries it out, and Kubat stops it at the limit."""
    street = Street(server, 1)
    keeper = Keeper(server.ws_url("S-0"))
    charge = Charge(keeper, every_s=0.1, step_wh=100)
    await charge.boot()
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=60) as app:
        app.headers["Authorization"] = street.alice
        named = {"X-Request-Id": "app-1"}
        answer = await app.post("/ocpp/start_charge", json=order, headers=named)
        assert answer.headers["X-Request-Id"] == "app-1"
        session_id = ok(answer)["id"]
        await charge.begin_when_asked()
        await expect(keeper.asked, "RemoteStopTransaction")
        await charge.end()
        await keeper.stop()
        assert ok(await app.get(f"/ocpp/sessions/{session_id}"))["status"] == "completed"
    return session_id


async def test_a_collector_sees_a_session_as_one_trace_from_the_call_to_the_stop(tmp_path):
    order = {"station_id": "S-0", "limit_type": "amount", "limit_value": "10"}
    with (
        collecting() as collector,
        ServerProcess.on_sqlite(
            tmp_path, **SETTINGS, **TRACED, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint
        ) as server,
    ):
        session_id = await charge_once(server, order)
        assert server.terminate() == 0

    assert collector.paths == {"/v1/traces"}
    (root,) = collector.named("POST /ocpp/start_charge")
    found = collector.about(session_id)
    assert {span["trace"] for span in found} == {root["trace"]}
    names = {span["id"]: span["name"] for span in collector.spans}
    parents = {
        span["name"]: names[span["parent"]]
        for span in collector.spans
        if span["trace"] == root["trace"] and span is not root
    }
    assert parents.pop("charge") == "start requested"
    assert parents == EXPECTED
    assert {span["service"] for span in collector.spans} == {"kubat"}
    assert root["told"]["kubat.request_id"] == "app-1"
    for call in collector.named("call RemoteStartTransaction"):
        assert call["events"] == ["queued", "claimed"]
        assert call["told"]["kubat.outcome"] == "Accepted"
    see_lines(server, root["trace"])


def see_lines(server, trace_id):
    """Each line is JSON; that of the call has the id that the app gave it, and its trace."""
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("request_id") == "app-1"]
    assert line["logger"] == "kubat.access"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/ocpp/start_charge", 202)
    sockets = [line for line in lines if line["logger"] == "stations.gateway.connection"]
    assert {line["station_id"] for line in sockets} <= {"S-0"}


async def test_a_collector_that_is_away_delays_nothing(tmp_path):
    order = {"station_id": "S-0", "limit_type": "amount", "limit_value": "10"}
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with ServerProcess.on_sqlite(tmp_path, **SETTINGS, **TRACED, **away) as server:
        await charge_once(server, order)
        began = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began < 10
    wait_until(lambda: "127.0.0.1" in server.log)
