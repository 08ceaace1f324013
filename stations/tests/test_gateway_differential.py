"""What is fast in the gateway against what is plain: the same verdict, reading and wording.

CSMS_FUZZ_CASES (default 600 a test) makes it as long as wanted.
"""

import dataclasses
import json
import os
import re
from decimal import Decimal, InvalidOperation

import ocpp.messages
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.exceptions import OCPPError
from ocpp.v16 import call_result

from stations.gateway import schemas, wire
from stations.gateway.v16 import answer, meter, values
from stations.gateway.v16.charge_point import ChargePoint
from stations.gateway.v16.facts import is_nothing_metered, metered
from stations.tests.schema_cases import mutated, payloads

fuzzed = settings(
    max_examples=int(os.environ.get("CSMS_FUZZ_CASES", "600")), derandomize=True, deadline=None
)
ACTIONS = sorted(schemas.actions("ocpp1.6"))
NAMES = ACTIONS + [f"{action}Response" for action in ACTIONS]


# --- Schemas ------------------------------------------------------------------------------


@st.composite
def cases(draw):
    """A schema of OCPP 1.6, and a payload that keeps it or has up to three faults."""
    name = draw(st.sampled_from(NAMES))
    payload = draw(payloads(schemas.schema_of("ocpp1.6", name)))
    for _ in range(draw(st.integers(0, 3))):
        payload = draw(mutated(payload))
    return name, payload


def is_valid_to_library(name, payload):
    message = ocpp.messages.Call("1", name, payload)
    if name.endswith("Response"):
        message = ocpp.messages.CallResult("1", payload)
        message.action = name.removesuffix("Response")
    try:
        ocpp.messages._validate_payload(message, "1.6")
    except OCPPError:
        return False
    except InvalidOperation:
        return None
    return True


def is_excepted(name, payload):
    """A whole number with a point, as 1.0, where an integer is asked for.

    The schemas of the security extension are of draft 6, in which that is an integer; the
    library judges all by draft 4. Stations that write so exist, and lose nothing here.
    """
    is_newer = "draft-04" not in schemas.schema_of("ocpp1.6", name)["$schema"]
    return is_newer and any(has_whole_float(value) for value in payload.values())


def has_whole_float(value):
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return any(map(has_whole_float, inner))
    return isinstance(value, float) and value.is_integer()


def breach_of(name, payload):
    if name.endswith("Response"):
        return schemas.response_breach("ocpp1.6", name.removesuffix("Response"), payload)
    return schemas.request_breach("ocpp1.6", name, payload)


@fuzzed
@given(cases())
def test_our_verdict_on_a_payload_is_the_library_s(case):
    name, payload = case
    if not isinstance(payload, dict):
        return
    verdict = is_valid_to_library(name, json.loads(json.dumps(payload)))
    if verdict is None:  # the library has none: a number that is too long stops it
        breach_of(name, payload)
    elif not is_excepted(name, payload):
        assert (breach_of(name, payload) is None) == verdict


@pytest.mark.parametrize("number", [1.0, 1e16])
def test_a_whole_number_with_a_point_is_an_integer_to_the_security_extension(number):
    payload = {"status": "Idle", "requestId": number}
    assert breach_of("LogStatusNotification", payload) is None
    assert not is_valid_to_library("LogStatusNotification", dict(payload))
    assert is_excepted("LogStatusNotification", payload)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4, derandomize=True, deadline=None)
@given(data=st.data())
def test_each_schema_takes_what_keeps_it(name, data):
    payload = data.draw(payloads(schemas.schema_of("ocpp1.6", name)))
    assert breach_of(name, payload) is None
    assert is_valid_to_library(name, payload)


# --- Frames -------------------------------------------------------------------------------


def read_slowly(text):
    """What OCPP-J says that a text is, by the standard library; None where that cannot read it."""
    try:
        frame = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, list) or len(frame) < 2:
        return "nothing"
    kind, message_id = frame[:2]
    is_kind = isinstance(kind, int | float) and not isinstance(kind, bool)
    if not (is_kind and isinstance(message_id, str) and 1 <= len(message_id) <= 36):
        return "nothing"
    if kind == 2:
        is_whole = len(frame) == 4 and isinstance(frame[2], str) and isinstance(frame[3], dict)
        action = frame[2] if len(frame) > 2 and isinstance(frame[2], str) else ""
        payload = frame[3] if len(frame) > 3 and isinstance(frame[3], dict) else {}
        return ("call", message_id, action, payload, is_whole)
    if kind == 3 and len(frame) == 3 and isinstance(frame[2], dict):
        return ("result", message_id, frame[2])
    if kind == 4 and len(frame) >= 3:
        return ("refusal", message_id)
    return "nothing"


def _refuse(constant):
    raise ValueError(constant)


def told(message):
    """What `wire` read, in the words of `read_slowly`."""
    if isinstance(message, wire.Call):
        return ("call", message.id, message.action, message.payload, not message.fault)
    if isinstance(message, wire.Result):
        return ("result", message.id, message.payload)
    return ("refusal", message.id) if isinstance(message, wire.Refusal) else "nothing"


SCALARS = st.sampled_from(
    [2, 3, 4, 5, 2.0, True, None, "", "a1", "x" * 36, "x" * 37, "Heartbeat", "ключ", "\\", '"', {}]
)
FRAMES = st.lists(SCALARS | st.dictionaries(st.sampled_from("ab"), SCALARS), max_size=6)
CALLS = st.tuples(st.just(2), st.text(max_size=38), st.text(max_size=5), st.just({}))


@st.composite
def texts(draw):
    """The text of a frame, whole or with a few characters changed."""
    text = json.dumps(draw(FRAMES | CALLS.map(list)), ensure_ascii=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        put = draw(st.sampled_from(["", " ", ",", '"', "\\", "]", "[", "2", "NaN", "\\u0041"]))
        text = text[:at] + put + text[at + draw(st.integers(0, 1)) :]
    return text


@fuzzed
@given(texts())
def test_the_fast_reader_of_frames_reads_what_the_plain_one_reads(text):
    slowly = read_slowly(text)
    message = wire.parse(text)
    if slowly is not None and "\\u" not in text:
        assert told(message) == slowly
    elif slowly is None:
        assert message is None or (isinstance(message, wire.Call) and message.fault)


@fuzzed
@given(
    st.text(max_size=8) | st.uuids().map(str),
    st.sampled_from([{}, {"a": 1.5}, {"ключ": ["é"]}, {"big": 2**70}, {"a": {"b": None}}]),
)
def test_the_fast_writer_of_frames_writes_what_the_plain_one_writes(message_id, payload):
    plainly = json.dumps([3, message_id, payload], separators=(",", ":"))
    assert wire.result(message_id, payload) == plainly


# --- Confirmations and readings -----------------------------------------------------------

CONFIRMATIONS = [
    kind
    for kind in vars(call_result).values()
    if dataclasses.is_dataclass(kind) and isinstance(kind, type)
]
VALUES = st.sampled_from(
    [
        None,
        "Accepted",
        5,
        {"status": "Accepted", "parent_id_tag": None, "expiry_date": "x"},
        [{"key": "k", "readonly": True, "value": None}, None],
        [],
    ]
)


@pytest.mark.parametrize("kind", CONFIRMATIONS, ids=lambda kind: kind.__name__)
@settings(max_examples=4, derandomize=True, deadline=None)
@given(data=st.data())
def test_a_confirmation_is_spelled_as_the_library_spells_it(kind, data):
    confirmation = kind(**{field.name: data.draw(VALUES) for field in dataclasses.fields(kind)})
    plainly = snake_to_camel_case(remove_nones(serialize_as_dict(confirmation)))
    assert answer.payload_of(confirmation) == plainly


TIMES = st.from_regex(re.compile(r"2\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d:[0-6]\d(\.\d{3})?Z"))
ODD_TIMES = ["2026-W10-1T10:00:00Z", "2026-11-24t10:00:00z", "٢٠٢٦-11-24T10:00:00Z", "", "Z"]


@fuzzed
@given(TIMES | st.sampled_from(ODD_TIMES))
def test_a_plain_time_is_read_as_any_other(text):
    assert values.moment(text) == values._read_moment(text)


@fuzzed
@given(st.data())
def test_what_is_passed_over_has_nothing_that_would_be_stored(data):
    payload = data.draw(payloads(schemas.schema_of("ocpp1.6", "MeterValues")))
    if is_nothing_metered(payload):
        assert not meter.has_untimed(payload, "meterValue")
        assert metered(payload, None, None).samples == ()


def test_the_first_judge_knows_every_action_that_has_a_handler():
    assert ChargePoint.validators.keys() == ChargePoint.handlers.keys()
    assert "MeterValues" in ChargePoint.handlers


def number_read_slowly(value):
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= values.LARGEST:
        return None
    return number.quantize(values.FINEST).normalize()


NUMBERS = (
    st.from_regex(r"\A[+-]?\d{0,12}(\.\d{0,8})?\Z")
    | st.sampled_from(["٣", "1e3", "NaN", "-0", " 7 ", "", True, None, 2**31 - 1, -(2**31), 1.5])
    | st.integers()
)


@fuzzed
@given(NUMBERS)
def test_a_plain_number_is_read_as_any_other(value):
    slowly = number_read_slowly(value)
    assert str(values.decimal(value)) == str(slowly)
    is_id = slowly is not None and slowly == int(slowly) and abs(slowly) <= values.MAX_INT32
    assert values.integer({"id": value}, "id") == (int(slowly) if is_id else None)
