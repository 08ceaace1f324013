"""Mutated frames on many sockets: each call is answered, no socket falls, nothing leaks (P5).

The suite sends a few thousand; KUBAT_FUZZ=100000 sends that many.
"""

import asyncio
import copy
import itertools
import json
import os
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from stations.gateway import schemas

from .kit import FREE_TAG, UNKNOWN_TAG, stamp

SOCKETS = 20
BATCH = 40
FRAMES = int(os.environ.get("KUBAT_FUZZ", "3000"))
EXAMPLES = FRAMES // BATCH
ANSWERED_WITHIN_S = 60
MAX_GROWTH_MIB = 40
CARD = "FUZZ-CARD"
ID = "@ID@"
SUBPROTOCOL = "ocpp1.6"
CODES = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
NOW = stamp()
VALUE = {"value": "1500.5", "unit": "Wh", "measurand": "Energy.Active.Import.Register"}
SAMPLES = [{"timestamp": NOW, "sampledValue": [VALUE, {"value": "7", "unit": "kW"}]}]
CALLS = [
    ("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m", "iccid": ""}),
    ("Heartbeat", {}),
    ("Authorize", {"idTag": CARD}),
    ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}),
    ("StartTransaction", {"connectorId": 1, "idTag": CARD, "meterStart": 0, "timestamp": NOW}),
    ("StartTransaction", {"connectorId": 2, "idTag": FREE_TAG, "meterStart": 9, "timestamp": NOW}),
    ("MeterValues", {"connectorId": 1, "transactionId": 7, "meterValue": SAMPLES}),
    ("MeterValues", {"connectorId": 2, "meterValue": SAMPLES * 3}),
    ("StopTransaction", {"transactionId": 7, "meterStop": 2000, "timestamp": NOW}),
    (
        "StopTransaction",
        {
            "transactionId": 12,
            "meterStop": 5,
            "timestamp": NOW,
            "reason": "Local",
            "idTag": UNKNOWN_TAG,
            "transactionData": SAMPLES,
        },
    ),
    ("DataTransfer", {"vendorId": "v", "messageId": "m", "data": "d"}),
    ("DiagnosticsStatusNotification", {"status": "Uploaded"}),
    ("FirmwareStatusNotification", {"status": "Installed"}),
    ("SecurityEventNotification", {"type": "FirmwareUpdated", "timestamp": NOW}),
    ("SignCertificate", {"csr": "-----BEGIN CERTIFICATE REQUEST-----"}),
    ("LogStatusNotification", {"status": "Uploaded", "requestId": 1}),
    ("SignedFirmwareStatusNotification", {"status": "Installed", "requestId": 1}),
    ("Reset", {"type": "Hard"}),
    ("Fly", {}),
]
ODD = [
    None,
    True,
    -1,
    0,
    7,
    0.1,
    2**31,
    2**63,
    10**400,
    1e308,
    float("nan"),
    "",
    "7",
    "x" * 700,
    "\0",
    "ключ",
    "\ud800",
    "2026-02-30T00:00:00Z",
    "9999-12-31T23:59:59Z",
    [],
    [None] * 50,
    {},
    {"a": {"b": [1]}},
]


def places_of(node, path=()):
    """Every place in a frame, as the keys that lead there."""
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places_of(node[key], (*path, key))


@st.composite
def mutated(draw):
    """The text of a call that up to three mutations have gone through, and perhaps a cut cable."""
    frame = [2, ID, *copy.deepcopy(draw(st.sampled_from(CALLS)))]
    for _ in range(draw(st.integers(0, 3))):
        places = list(places_of(frame))
        if places:
            mutate(draw, frame, draw(st.sampled_from(places)))
    text = json.dumps(frame)
    if draw(st.integers(0, 7)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["", '"', "]", "}", "[" * 2000, "\x00", "é"]))
    return text


def mutate(draw, frame, path):
    *way, key = path
    node = frame
    for step in way:
        node = node[step]
    how = draw(st.sampled_from(["replace", "replace", "drop", "repeat", "wrap", "rename"]))
    if how == "drop":
        del node[key]
    elif how == "repeat" and isinstance(node, list):
        node.insert(key, copy.deepcopy(node[key]))
    elif how == "wrap":
        node[key] = [node[key]]
    elif how == "rename" and isinstance(node, dict):
        node[f"{key}s"] = node.pop(key)
    else:
        node[key] = copy.deepcopy(draw(st.sampled_from(ODD)))


def call_in(text):
    """The id and the action of a text that P5 calls a call; None for anything else."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, list) or len(frame) < 2 or isinstance(frame[0], bool):
        return None
    if frame[0] != 2 or not isinstance(frame[1], str) or not 1 <= len(frame[1]) <= 36:
        return None
    return frame[1], frame[2] if len(frame) > 2 and isinstance(frame[2], str) else ""


class Socket:
    """One station that sends what it is given, and counts what comes back."""

    def __init__(self, websocket):
        self.websocket = websocket
        self.answers = Counter()
        self.owed = Counter()
        self.actions = {}  # of the calls that kept the id that they were given
        self._numbers = itertools.count()

    async def play(self, texts):
        """Send the texts, and wait for every answer that is owed; the last is a Heartbeat's."""
        self.answers.clear()
        self.owed.clear()
        for text in [*texts, json.dumps([2, ID, "Heartbeat", {}])]:
            own_id = f"f{next(self._numbers)}"
            sent = text.replace(ID, own_id)
            call = call_in(sent)
            if call is not None:
                self.owed[call[0]] += 1
            if call is not None and call[0] == own_id:
                self.actions[own_id] = call[1]
            await self.websocket.send(sent)
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            while self.owed - self.answers:
                self._take(json.loads(await self.websocket.recv()))

    def _take(self, answer):
        kind, message_id, *rest = answer
        if kind == 2:
            return  # a call of the central system
        self.answers[message_id] += 1
        action = self.actions.pop(message_id, None)
        if kind == 3:
            (payload,) = rest
            assert action is None or is_confirmation(payload, action), answer
        else:
            code, description, details = rest
            assert kind == 4
            assert code in CODES, answer
            assert isinstance(description, str)
            assert details == {}
            assert action != "StopTransaction", answer


def is_confirmation(payload, action):
    known = schemas.is_known(SUBPROTOCOL, action)
    return known and schemas.response_breach(SUBPROTOCOL, action, payload) is None


class Swarm:
    """Twenty stations with open sockets, on a loop in a thread of its own."""

    def __init__(self, urls):
        self._urls = urls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.sockets = []

    def __enter__(self):
        self._thread.start()
        self._run(self._open())
        return self

    def __exit__(self, *error):
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def play(self, texts):
        """Deal the texts to the sockets and wait until each has had its answers."""
        self._run(self._play(texts))

    async def _open(self):
        for url in self._urls:
            websocket = await connect(url, subprotocols=[SUBPROTOCOL], compression=None)
            self.sockets.append(Socket(websocket))

    async def _play(self, texts):
        dealt = (texts[number :: len(self.sockets)] for number in range(len(self.sockets)))
        async with asyncio.TaskGroup() as tasks:
            for socket, mine in zip(self.sockets, dealt, strict=True):
                tasks.create_task(socket.play(mine))

    async def _close(self):
        for socket in self.sockets:
            await socket.websocket.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def memory_mib(process):
    """What a process holds in memory now."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.fixture(scope="module")
def swarm(running):
    """Stations without a key, and a driver with money and a card."""
    server, token = running
    with httpx.Client(
        base_url=server.base_url, headers={"Authorization": f"Bearer {token}"}, trust_env=False
    ) as olga:
        person = {"email": "fuzz@example.org", "password": "correct horse battery"}
        driver = olga.post("/auth/register", json=person).json()["id"]
        money = {"amount": "1000.00", "provider": "manual", "user_id": driver}
        assert olga.post("/billing/topups", json=money).status_code == 201
        card = {"id_tag": CARD, "user_id": driver}
        assert olga.post("/ocpp/id_tags", json=card).status_code == 201
        for number in range(SOCKETS):
            station = {"station_id": f"FUZZ-{number}", "connectors": 2, "security_profile": 0}
            assert olga.post("/ocpp/stations", json=station).status_code == 201
    with Swarm([server.ws_url(f"FUZZ-{number}") for number in range(SOCKETS)]) as swarm:
        yield swarm


# The sockets' thread draws random numbers of its own while the frames are made.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
def test_mutated_frames(running, swarm):
    server, _ = running
    measured = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(mutated(), min_size=BATCH, max_size=BATCH))
    def play(texts):
        swarm.play(texts)
        measured.append(memory_mib(server.process))

    play()
    settled = measured[len(measured) // 4 :]
    assert settled[-1] - settled[0] < MAX_GROWTH_MIB, measured
    assert "Clean." in server.manage("reconcile")
