"""Frames as text: every call is recognised and owed an answer, nothing else is (P5). Pure."""

import json

import ocpp.messages
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import Invalid
from stations.gateway import schemas, wire
from stations.gateway.v16 import exchange
from stations.gateway.wire import Call, Refusal, Result

TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


def test_a_whole_call_has_no_fault():
    text = '[2,"1","Heartbeat",{}]'
    assert wire.parse(text) == Call("1", "Heartbeat", {}, text)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ('[2,"1"]', ""),
        ('[2,"1","Heartbeat"]', "Heartbeat"),
        ('[2,"1","Heartbeat",{},5]', "Heartbeat"),
        ('[2,"1",["Heartbeat"],{}]', ""),
        ('[2,"1",{"a":1},{}]', ""),
        ('[2,"1",null,{}]', ""),
        ('[2,"1","Heartbeat",[]]', "Heartbeat"),
        ('[2,"1","Heartbeat",null]', "Heartbeat"),
        ('[2,"1","Heartbeat",{"a":NaN}]', "Heartbeat"),
        ('[2,"1","Heartbeat",{"a":' + "9" * 5000 + "}]", "Heartbeat"),
        ('[2,"1","Heartbeat",' + "[" * 100_000 + "]" * 100_000 + "]", "Heartbeat"),
        (' [ 2 , "1" , "Heartbeat" , {"a":"\\ud800"} ]', "Heartbeat"),
    ],
)
def test_a_call_with_a_fault_is_still_a_call(text, action):
    message = wire.parse(text)
    assert isinstance(message, Call)
    assert (message.id, message.action) == ("1", action)
    assert message.fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "hello",
        "[]",
        "[2]",
        '[2,""]',
        '[2,5,"Heartbeat",{}]',
        '[2,null,"Heartbeat",{}]',
        '["2","1","Heartbeat",{}]',
        '[true,"1","Heartbeat",{}]',
        '[5,"1","Heartbeat",{}]',
        '[2,"' + "x" * 37 + '","Heartbeat",{}]',
        '[2,"' + "x" * 37 + '","Heartbeat",{"a":NaN}]',
        "[" * 100_000,
        '[3,"1"]',
        '[3,"1",[]]',
    ],
)
def test_what_is_neither_a_call_nor_an_answer_is_ignored(text):
    assert wire.parse(text) is None


def test_answers_to_our_calls():
    assert wire.parse('[3,"1",{"status":"Accepted"}]') == Result("1", {"status": "Accepted"})
    assert wire.parse('[4,"1","GenericError","so",{}]') == Refusal("1", "GenericError", "so")
    assert wire.parse('[4,"1","GenericError"]') == Refusal("1", "GenericError", "")


@given(TEXT)
def test_no_text_breaks_the_reader(text):
    wire.parse(text)


@given(JSON)
def test_no_json_breaks_the_reader(value):
    wire.parse(json.dumps(value))


@given(st.text(min_size=1, max_size=36), JSON)
def test_every_call_is_answered_by_its_own_id(message_id, rest):
    message = wire.parse(json.dumps([2, message_id, rest]))
    assert isinstance(message, Call)
    answer = wire.error(message.id, "FormationViolation", message.fault)
    assert json.loads(answer)[1] == message_id


def test_numbers_go_out_as_they_are():
    """python-ocpp rounds every Decimal to one decimal, and spells `soc` anew."""
    text = wire.call("1", "DataTransfer", {"limit": 21.37, "social_key": 1})
    assert orjson.loads(text)[3] == {"limit": 21.37, "social_key": 1}


def test_every_schema_of_the_version_compiles():
    names = schemas.actions("ocpp1.6")
    assert len(names) == 39
    for name in names:
        schemas.request_breach("ocpp1.6", name, {})
        schemas.response_breach("ocpp1.6", name, {})


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Authorize", {}, "ProtocolError"),
        ("Authorize", {"idTag": 5}, "TypeConstraintViolation"),
        ("Authorize", {"idTag": "x" * 21}, "TypeConstraintViolation"),
        ("Authorize", {"idTag": "x", "more": 1}, "FormationViolation"),
        (
            "StatusNotification",
            {"connectorId": 1, "status": "Asleep", "errorCode": "NoError"},
            "PropertyConstraintViolation",
        ),
    ],
)
def test_breaches_have_the_codes_of_ocpp_16(action, payload, code):
    breach = schemas.request_breach("ocpp1.6", action, payload)
    assert breach is not None
    assert breach.error.code == code


def test_one_decimal_is_judged_without_binary_noise():
    period = {"startPeriod": 0, "limit": 21.4}
    payload = {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [period]},
        },
    }
    schemas.check_request("ocpp1.6", "SetChargingProfile", payload)
    period["limit"] = 4.11
    with pytest.raises(Invalid):
        schemas.check_request("ocpp1.6", "SetChargingProfile", payload)


@pytest.mark.parametrize("action", ["", "Fly", "HeartbeatResponse", "../Heartbeat"])
def test_what_is_no_action_cannot_be_asked(action):
    with pytest.raises(Invalid):
        schemas.check_request("", action, {})


def test_python_ocpp_makes_no_thread_hops():
    assert exchange.SUBPROTOCOL == "ocpp1.6"
    assert ocpp.messages.ASYNC_VALIDATION is False
