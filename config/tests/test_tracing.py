"""A session is one trace, from the call of an app to its settlement; untraced, nothing happens."""

import contextlib
import datetime as dt
import subprocess
import sys

import pytest
from knox.models import AuthToken
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import StatusCode

from billing import tracing
from config import telemetry
from config.tests.lines import collected
from config.tests.server import ROOT
from sessions_app.models import ChargingSession, IdTag
from sessions_app.services import expire, steps
from sessions_app.tests.stage import Stage
from stations.models import Command

pytestmark = pytest.mark.django_db(transaction=True)
SOMEWHERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Kept:
    """The spans that have ended, by name."""

    def __init__(self, exporter):
        self.exporter = exporter

    def __getitem__(self, name):
        found = self.named(name)
        assert len(found) == 1, f"{len(found)} of {name}: {self.names}"
        return found[0]

    def named(self, name):
        return [span for span in self.all if span.name == name]

    @property
    def all(self):
        return self.exporter.get_finished_spans()

    @property
    def names(self):
        return [span.name for span in self.all]

    def of_session(self, session):
        return [s for s in self.all if s.attributes.get("kubat.session_id") == str(session.pk)]

    def is_below(self, span, other):
        """Whether a span is a descendant of another."""
        by_id = {each.context.span_id: each for each in self.all}
        while span.parent is not None:
            if span.parent.span_id == other.context.span_id:
                return True
            if span.parent.span_id not in by_id:
                return False
            span = by_id[span.parent.span_id]
        return False


@pytest.fixture
def stage(station):
    return Stage(station)


@pytest.fixture
def kept():
    with traced(TracerProvider()) as kept:
        yield kept


@contextlib.contextmanager
def traced(provider):
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.install(telemetry.Tracer(provider))
    try:
        yield Kept(exporter)
    finally:
        tracing.install(None)
        provider.shutdown()


def is_sampled(traceparent):
    return bool(int(traceparent[-2:], 16) & 1)


def order(client, user, **more):
    _, token = AuthToken.objects.create(user)
    body = {"station_id": "K-1", "limit_type": "amount", "limit_value": "100", **more}
    return client.post(
        "/ocpp/start_charge",
        body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def charged(stage, alice, client):
    """A whole charge that its limit ends, from the API on."""
    session = ChargingSession.objects.get(pk=order(client, alice).json()["id"])
    stage.accept_start()
    transaction_id = stage.begin(session).transaction_id
    for _ in range(8):  # 100 som buy 8 kWh
        stage.deliver(transaction_id, 1000)
    stage.answer(stage.take_command())
    stage.end(transaction_id)
    session.refresh_from_db()
    assert session.status == "completed"
    return session


def test_a_session_is_one_trace_from_the_call_of_the_app_to_its_settlement(
    kept, stage, alice, client
):
    session = charged(stage, alice, client)
    root = kept["POST /ocpp/start_charge"]
    spans = [root, *kept.of_session(session)]
    assert {span.context.trace_id for span in spans} == {root.context.trace_id}
    assert all(kept.is_below(span, root) for span in spans[1:])
    assert root.parent is None
    assert {span.name for span in spans} == {
        "POST /ocpp/start_charge",
        "start requested",
        "hold",
        "StartTransaction",
        "stop decided",
        "stop asked for",
        "StopTransaction",
        "settle",
        "charge",
    }
    assert kept.is_below(kept["settle"], kept["StopTransaction"])
    assert kept.is_below(kept["queue RemoteStopTransaction"], kept["stop decided"])
    assert kept["stop decided"].attributes["kubat.by"] == "limit"
    assert all(span.status.status_code is not StatusCode.ERROR for span in spans)


def test_a_command_carries_the_step_that_queued_it(kept, stage, alice, client):
    charged(stage, alice, client)
    for action in ("RemoteStartTransaction", "RemoteStopTransaction"):
        queued = kept[f"queue {action}"]
        command = Command.objects.get(action=action)
        assert queued.attributes["kubat.command_id"] == str(command.pk)
        _, trace_id, span_id, _ = command.trace_parent.split("-")
        assert int(trace_id, 16) == queued.context.trace_id
        assert int(span_id, 16) == queued.context.span_id
        assert is_sampled(command.trace_parent)


def test_the_step_of_a_charge_shows_what_it_came_to_and_the_curve_of_its_meter(
    kept, stage, alice, client
):
    session = charged(stage, alice, client)
    charge = kept["charge"]
    told = charge.attributes
    assert (told["kubat.energy_wh"], told["kubat.cost_minor"]) == (8000, 10_000)
    assert (told["kubat.hold_minor"], told["kubat.stop_reason"]) == (10_000, "limit")
    assert charge.start_time == int(session.started_at.timestamp() * 1e6) * 1000
    assert charge.end_time == int(session.stopped_at.timestamp() * 1e6) * 1000
    registers = [event.attributes["kubat.register_wh"] for event in charge.events]
    assert registers == [1000.0 + 1000 * step for step in range(9)]
    assert told["kubat.readings"] == len(registers)


def test_a_long_charge_is_shown_by_a_few_readings_with_the_first_and_the_last():
    rows = [(number, None, None, None) for number in range(5_000)]
    shown = steps._spread(rows)
    assert len(shown) == steps.SHOWN
    assert (shown[0], shown[-1]) == (rows[0], rows[-1])
    assert shown == sorted(shown)


def test_no_reading_is_a_step(kept, stage, alice):
    session = stage.charge(alice, value="500")
    before = len(kept.all)
    for _ in range(20):
        stage.deliver(session.transaction_id, 100)
    assert len(kept.all) == before


def test_a_charge_by_card_begins_a_trace_at_its_start(kept, stage, alice):
    IdTag.objects.create(id_tag="CARD", identity="card", user=alice)
    transaction_id = stage.begin("CARD").transaction_id
    stage.deliver(transaction_id, 1000)
    stage.end(transaction_id, reason="Local")
    start = kept["StartTransaction"]
    assert start.parent is None
    session = ChargingSession.objects.get(transaction_id=transaction_id)
    spans = kept.of_session(session)
    assert {"StartTransaction", "hold", "StopTransaction", "settle", "charge"} == {
        span.name for span in spans
    }
    assert {span.context.trace_id for span in spans} == {start.context.trace_id}


def test_a_stop_by_the_app_is_in_the_trace_of_the_session_and_linked_to_its_call(
    kept, stage, alice, client
):
    session = stage.charge(alice)
    with tracing.span("POST /ocpp/stop_charge"):
        stage.stop(session, alice)
    call, stop = kept["POST /ocpp/stop_charge"], kept["stop decided"]
    assert stop.context.trace_id == kept["hold"].context.trace_id != call.context.trace_id
    assert [link.context.span_id for link in stop.links] == [call.context.span_id]


def test_a_start_that_never_begins_ends_its_trace_with_the_cause(kept, stage, alice):
    session = stage.ask(alice, "amount", "100")
    expire.run_due(session.due_at + dt.timedelta(seconds=1))
    given_up = kept["given up"]
    assert given_up.attributes["kubat.error_code"] == "station_timeout"
    assert given_up.context.trace_id == kept["hold"].context.trace_id


def test_a_refused_start_is_an_error_that_says_its_kind_and_nothing_more(
    kept, stage, alice, client
):
    stage.disconnect()
    assert order(client, alice).json()["code"] == "station_offline"
    refused = kept["start requested"]
    assert (refused.status.status_code, refused.status.description) == (
        StatusCode.ERROR,
        "StationOffline",
    )
    assert refused.events == ()
    root = kept["POST /ocpp/start_charge"]
    assert root.attributes["http.response.status_code"] == 409
    assert root.status.status_code is StatusCode.UNSET, "a client's mistake is not ours"


def test_the_mark_of_a_client_is_linked_and_does_not_become_our_trace(kept, client):
    client.get("/auth/me", headers={"traceparent": SOMEWHERE})
    root = kept["GET /auth/me"]
    assert root.parent is None
    assert [f"{link.context.trace_id:032x}" for link in root.links] == [SOMEWHERE.split("-")[1]]


@pytest.mark.parametrize(
    "mark", ["", "x", SOMEWHERE[:-1], "00-" + "0" * 32 + "-b7ad6b7169203331-01"]
)
def test_a_mark_that_is_nonsense_is_left_out(kept, client, mark):
    client.get("/auth/me", headers={"traceparent": mark})
    assert kept["GET /auth/me"].links == ()


def test_what_a_sampler_leaves_out_is_left_out_to_the_end(stage, alice, client):
    with traced(TracerProvider(sampler=ParentBased(ALWAYS_OFF))) as kept:
        session = charged(stage, alice, client)
        assert not is_sampled(session.trace_parent)
        assert kept.all == ()


def test_a_session_from_before_traces_gets_what_comes_after(stage, alice):
    session = stage.charge(alice)
    assert session.trace_parent == ""
    with traced(TracerProvider()) as kept:
        stage.end(session.transaction_id)
        assert kept["StopTransaction"].attributes["kubat.session_id"] == str(session.pk)
        assert kept.is_below(kept["settle"], kept["StopTransaction"])


def test_the_lines_of_a_traced_work_name_its_trace(kept, client, settings):
    settings.CSMS_ACCESS_LOG = True
    with collected() as lines, tracing.span("work"):
        client.get("/nowhere")
        (line,) = lines.of("kubat.access")
    assert line["trace_id"] == f"{kept['work'].context.trace_id:032x}"


def test_without_traces_a_session_is_as_it_was(stage, alice, client):
    session = charged(stage, alice, client)
    assert session.trace_parent == ""
    assert set(Command.objects.values_list("trace_parent", flat=True)) == {""}


@pytest.mark.parametrize(
    ("environment", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "x"}, False),
    ],
)
def test_the_standard_environment_switches_traces_on(monkeypatch, environment, is_wanted):
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", *telemetry.ENDPOINTS):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert telemetry.is_wanted() is is_wanted
    with telemetry.traced():
        assert tracing.is_on() is is_wanted
    assert not tracing.is_on()


def test_packages_that_are_missing_are_told_and_nothing_fails(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with collected() as lines, telemetry.traced():
        assert not tracing.is_on()
    assert "the extra `otel` is not installed" in lines.of("config.telemetry")[0]["message"]


def test_nothing_of_opentelemetry_is_loaded_unless_it_is_wanted():
    """But for what redis-py takes of it by itself, where it is there: for metrics of its own."""
    program = (
        "import sys, django; django.setup(); import config.asgi, config.telemetry as t\n"
        "with t.traced(): assert not sys.modules.keys()"
        " & {'opentelemetry.sdk.trace', 'opentelemetry.exporter', 'google.protobuf'}"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings", "SECRET_KEY": "x"}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
