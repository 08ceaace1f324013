"""Each scenario runs to its end on real servers, and no reply is wrong. No speed is asserted."""

import resource
import time
import xml.etree.ElementTree

import pytest

from benchmarks import __main__ as command
from benchmarks import messages, plot, report, websocket
from benchmarks.figures import Figure, Findings, Goal
from benchmarks.options import DAPHNE, QUICK, UVICORN, Options
from benchmarks.scenarios import SCENARIOS
from benchmarks.scenarios.sessions import ENGINES
from benchmarks.servers import has_uvicorn


class Speaker:
    sequence = last_ms = 0
    transaction_id = None


@pytest.fixture(scope="module")
def _file_limit():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


MEASURED = {
    "validated": {"MeterValues validated, nothing to store, daphne"},
    "sessions": {f"MeterValues of an open session, daphne, {name}" for name in ENGINES},
    "idle": {"Idle memory a connection, daphne"},
    "storm": {"20 stations at once until all are booted, daphne"},
    "commands": {
        f"Command from an API process to a station{back}, {place}, daphne"
        for back in ("", " and back")
        for place in ("p50", "p99")
    },
    "heartbeats": {"Heartbeat, daphne"},
}


@pytest.mark.e2e
@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.usefixtures("_file_limit")
async def test_each_scenario_runs_on_daphne_without_a_wrong_reply(tmp_path):
    assert set(MEASURED) == set(SCENARIOS)
    command.lift_file_limit()
    options = Options(tmp_path, QUICK, (DAPHNE,))
    findings, failed = await command.measure(options, list(SCENARIOS))
    assert failed == []
    names = {figure.name for figure in findings.figures if figure.values}
    assert names == set().union(*MEASURED.values())


@pytest.mark.e2e
async def test_uvicorn_is_measured_or_a_row_says_why_not(tmp_path):
    options = Options(tmp_path, QUICK, (UVICORN,))
    findings, failed = await command.measure(options, ["idle"])
    assert failed == []
    (figure,) = [figure for figure in findings.figures if "uvicorn" in figure.name]
    assert bool(figure.values) == has_uvicorn()
    assert bool(figure.missing) != has_uvicorn()


@pytest.mark.parametrize("samples", ["register", "ambient"])
@pytest.mark.parametrize("transaction_id", [None, 1, 2_147_483_647])
def test_meter_values_have_the_size_that_is_told(samples, transaction_id):
    speaker = Speaker()
    speaker.transaction_id = transaction_id
    text, message_id = messages.MeterValues(samples).text(speaker, time.time_ns() // 1_000_000)
    assert len(text) == messages.FRAME_BYTES
    assert text.startswith(b'[2,"%b","MeterValues",' % message_id)


def test_no_station_tells_one_moment_twice():
    speaker, kind = Speaker(), messages.MeterValues()
    texts = [kind.text(speaker, 1_790_000_000_000)[0] for _ in range(3)]
    moments = {text.partition(b'"timestamp":"')[2][:24] for text in texts}
    assert len(moments) == 3


@pytest.mark.parametrize("size", [0, 1, 125, 126, 568, 65_535])
def test_a_masked_frame_can_be_read_by_who_unmasks_it(size):
    payload = bytes(number % 251 for number in range(size))
    frame = websocket.masked(payload)
    body = frame[-size:] if size else b""
    mask = frame[len(frame) - size - 4 : len(frame) - size]
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(body)) == payload


def test_a_frame_in_parts_is_read_when_it_is_whole():
    whole = bytes((0x81, 126)) + (300).to_bytes(2, "big") + b"x" * 300
    assert all(websocket.read(whole[:end], 0) is None for end in range(len(whole)))
    frame = websocket.read(whole + b"\x81", 0)
    assert (frame.opcode, frame.payload, frame.end) == (websocket.TEXT, b"x" * 300, len(whole))


FOUND = Findings(
    figures=[
        Figure("fast <one>", "× echo", [2.0, 1.0, 3.0], "so", Goal(4, 3)),
        Figure("absent", "ms", goal=Goal(1, 1), missing="skipped: no server"),
    ],
    costs=[Figure("fast", "µs", [40.0, 50.0], "at 9 a second")],
    notes=["a machine"],
)


def test_the_table_tells_medians_spread_and_what_is_missing():
    table = report.table(FOUND)
    assert "| fast <one> | × echo | 4 | 3 | **2** | 1 – 3 | 3 |" in table
    assert "| absent | ms | 1 | 1 | skipped: no server |" in table


def test_the_plot_is_svg_with_a_bar_for_each_value():
    root = xml.etree.ElementTree.fromstring(plot.draw(FOUND))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "fast <one> (× echo)" in texts
    assert "45 µs" in texts


def test_the_page_is_written_between_its_marks(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "PLOT", tmp_path / "plot.svg")
    report.write(FOUND)
    report.write(FOUND)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert text.count("**2**") == 1
