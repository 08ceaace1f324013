"""What the stations say: OCPP 1.6 calls as text, made fast, each with a new id and moment."""

import datetime as dt
import functools
import json
import time
from dataclasses import dataclass
from typing import Any, Protocol

FRAME_BYTES = 568
"""The size of a MeterValues of four samples that all figures are told for."""
LONGEST_ID = 36
POWER_W = 22_000
REGISTER_WH = 1_000_000

_PERIODIC = {"context": "Sample.Periodic"}
_RAW = {"format": "Raw"}
_SAMPLES = {
    "register": (
        _PERIODIC | {"value": "%b", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        _PERIODIC | {"value": "22000.0", "measurand": "Power.Active.Import", "unit": "W"},
        _PERIODIC | {"value": "47.5", "measurand": "SoC", "location": "EV", "unit": "Percent"},
        _PERIODIC | _RAW | {"value": "230.4", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
    ),
    "ambient": (
        _PERIODIC | _RAW | {"value": "230.4", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
        _PERIODIC | _RAW | {"value": "231.1", "measurand": "Voltage", "phase": "L2-N", "unit": "V"},
        _PERIODIC | _RAW | {"value": "229.8", "measurand": "Voltage", "phase": "L3-N", "unit": "V"},
        _PERIODIC
        | {"value": "41.5", "measurand": "Temperature", "location": "Body", "unit": "Celsius"},
    ),
}
_STARTED_MS = time.time_ns() // 1_000_000


class Speaker(Protocol):
    """What a message must know of the station that says it."""

    sequence: int
    last_ms: int
    transaction_id: int | None


class Kind(Protocol):
    """A kind of call that a load consists of."""

    def text(self, speaker: Speaker, now_ms: int) -> tuple[bytes, bytes]:
        """The next call of a station, and its id."""


def call(message_id: str, action: str, payload: dict[str, Any]) -> bytes:
    return json.dumps([2, message_id, action, payload], separators=(",", ":")).encode()


class Heartbeat:
    """A Heartbeat (OCPP 1.6 §4.6)."""

    def text(self, speaker: Speaker, now_ms: int) -> tuple[bytes, bytes]:
        speaker.sequence += 1
        message_id = b"%012d" % speaker.sequence
        return b'[2,"%b","Heartbeat",{}]' % message_id, message_id


@dataclass(frozen=True, slots=True)
class MeterValues:
    """A MeterValues of four samples in 568 bytes (OCPP 1.6 §4.7).

    `register`: energy, power, state of charge and a voltage; the register runs at 22 kW by the
    clock. `ambient`: three voltages and a temperature, of which Kubat stores nothing.
    """

    samples: str = "register"

    def text(self, speaker: Speaker, now_ms: int) -> tuple[bytes, bytes]:
        template, width = _template(self.samples, self._transaction_of(speaker))
        speaker.sequence += 1
        speaker.last_ms = at_ms = max(now_ms, speaker.last_ms + 1)  # a moment is told once
        message_id = str(speaker.sequence).zfill(width).encode()
        moment = _second(at_ms // 1000) + b"%03dZ" % (at_ms % 1000)
        if self.samples == "ambient":
            return template % (message_id, moment), message_id
        return template % (message_id, moment, _register(at_ms)), message_id

    def _transaction_of(self, speaker: Speaker) -> int | None:
        """What is told; a server that gave none does not care."""
        return None if self.samples == "ambient" else speaker.transaction_id or 1


def register_wh(at_ms: int) -> float:
    """What every meter shows at a moment: it has run at 22 kW since this process began."""
    return REGISTER_WH + (at_ms - _STARTED_MS) * POWER_W / 3_600_000


def moment(at_ms: int) -> str:
    return (_second(at_ms // 1000) + b"%03dZ" % (at_ms % 1000)).decode()


def _register(at_ms: int) -> bytes:
    return b"%.1f" % register_wh(at_ms)


@functools.lru_cache(maxsize=8)
def _second(at_s: int) -> bytes:
    return dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.").encode()


@functools.lru_cache(maxsize=16_384)
def _template(samples: str, transaction_id: int | None) -> tuple[bytes, int]:
    """The text with gaps, and how wide an id makes it 568 bytes."""
    entry = {"timestamp": "%b", "sampledValue": _SAMPLES[samples]}
    payload: dict[str, Any] = {"connectorId": 1, "meterValue": [entry]}
    if transaction_id is not None:
        payload = {"connectorId": 1, "transactionId": transaction_id, "meterValue": [entry]}
    template = call("%b", "MeterValues", payload)
    told = {b"2026-11-24T10:00:00.000Z": 1, b"1000000.0": template.count(b"%b") - 2}
    size = len(template) - 2 * template.count(b"%b") + sum(len(k) * n for k, n in told.items())
    width = FRAME_BYTES - size
    if not 1 <= width <= LONGEST_ID:
        raise ValueError(f"a {samples} message of {size} bytes cannot be made {FRAME_BYTES}")
    return template, width
