"""Which frames concern a session: exactly its own, also beside another at the same station."""

import datetime as dt
import json
import uuid
from dataclasses import replace
from decimal import Decimal

import pytest

from sessions_app.frames import Traces, is_concerned, pick
from stations.models import Frame

AT = dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)
COMMAND = str(uuid.uuid4())
ONE = Traces(
    connector_id=1,
    transaction_id=7,
    id_tag="tag1",
    has_own_tag=True,
    meter_start_at=AT,
    meter_start_wh=Decimal(1000),
    begun_at=AT,
    ended_at=AT + dt.timedelta(hours=1),
    message_ids=frozenset({COMMAND}),
    frame_ids=frozenset(),
)


def frame(message, *, direction="in", action="", after_s=0.0):
    text = message if isinstance(message, str) else json.dumps(message)
    kind = message[2] if not action and isinstance(message, list) and message[0] == 2 else action
    message_id = message[1] if isinstance(message, list) else "m1"
    return Frame(
        direction=direction,
        action=kind,
        text=text,
        message_id=message_id,
        at=AT + dt.timedelta(seconds=after_s),
    )


def call(action, payload, **more):
    return frame([2, "m1", action, payload], **more)


def concerns(one, traces=ONE):
    try:
        message = json.loads(one.text)
    except ValueError:
        message = None
    return is_concerned(one, message, traces)


START = {"connectorId": 1, "idTag": "TAG1", "timestamp": "2026-11-24T06:00:00Z", "meterStart": 1000}
STATUS = {"connectorId": 1, "status": "Charging", "errorCode": "NoError"}


@pytest.mark.parametrize(
    "one",
    [
        call("StartTransaction", START),
        call("StartTransaction", START | {"timestamp": "2026-11-24T12:00:00+06:00"}),
        call("StartTransaction", START | {"meterStart": "1000"}),
        call("MeterValues", {"connectorId": 1, "transactionId": 7}),
        call("MeterValues", {"connectorId": 1, "transactionId": "7"}),
        call("StopTransaction", {"transactionId": 7}),
        call("Authorize", {"idTag": "tag1"}),
        call("StatusNotification", STATUS, after_s=60),
        frame([2, COMMAND, "RemoteStartTransaction", {}], direction="out"),
        frame(
            '[2,"x","StopTransaction",{"transactionId":7,"tr (… cut …)', action="StopTransaction"
        ),
    ],
)
def test_what_is_of_the_session(one):
    assert concerns(one)


@pytest.mark.parametrize(
    "one",
    [
        call("StartTransaction", START | {"connectorId": 2}),
        call("StartTransaction", START | {"idTag": "TAG2"}),
        call("StartTransaction", START | {"timestamp": "2026-11-24T06:00:01Z"}),
        call("StartTransaction", START | {"timestamp": "yesterday"}),
        call("StartTransaction", START | {"meterStart": 1001}),
        call("StartTransaction", START | {"meterStart": None}),
        call("StartTransaction", {}),
        call("MeterValues", {"connectorId": 1, "transactionId": 70}),
        call("MeterValues", {"connectorId": 1, "transactionId": 0}),
        call("MeterValues", {"connectorId": 1}),
        call("StopTransaction", {"transactionId": -7}),
        call("StopTransaction", {"transactionId": [7]}),
        call("Authorize", {"idTag": "TAG2"}),
        call("StatusNotification", STATUS | {"connectorId": 2}, after_s=60),
        call("StatusNotification", STATUS | {"connectorId": 0}, after_s=60),
        call("StatusNotification", STATUS, after_s=-1),
        call("StatusNotification", STATUS, after_s=3601),
        call("Heartbeat", {}),
        frame([2, "m1", "MeterValues", [7]]),
        frame([2, "m1", "MeterValues"]),
        frame([2, str(uuid.uuid4()), "RemoteStartTransaction", {}], direction="out"),
        frame("no message"),
        frame('{"transactionId": "7"}'),
        frame('[2,"x","StopTransaction",{"transactionId":77,"tr (… cut …)'),
    ],
)
def test_what_is_of_another_or_of_nobody(one):
    assert not concerns(one)


def test_a_card_is_shown_at_any_connector_so_it_is_no_trace():
    card = replace(ONE, has_own_tag=False)
    assert not concerns(call("Authorize", {"idTag": "TAG1"}), card)
    assert concerns(call("StartTransaction", START), card)


def test_values_without_a_transaction_belong_by_the_reading_that_they_became():
    one = call("MeterValues", {"connectorId": 1})
    known = replace(ONE, frame_ids=frozenset({one.pk}))
    assert concerns(one, known)
    assert not concerns(call("MeterValues", {"connectorId": 1}), known)


def test_a_session_without_a_transaction_owns_none():
    none = replace(ONE, transaction_id=None)
    for text in ("null", "None", "0"):
        assert not concerns(call("StopTransaction", {"transactionId": text}), none)


def test_an_answer_goes_with_its_call_and_with_no_other_of_the_same_id():
    mine = call("MeterValues", {"transactionId": 7})
    other = call("MeterValues", {"transactionId": 8})
    first, second = (frame([3, "m1", {}], direction="out") for _ in range(2))
    assert list(pick([mine, first, other, second], ONE)) == [mine, first]
    assert list(pick([other, second, mine, first], ONE)) == [mine, first]


def test_ids_of_both_sides_are_apart():
    mine = frame([2, COMMAND, "RemoteStopTransaction", {}], direction="out")
    theirs = frame([2, COMMAND, "Heartbeat", {}])
    confirmed = frame([3, COMMAND, {}], direction="out")
    answer = frame([3, COMMAND, {"status": "Accepted"}])
    assert list(pick([mine, theirs, confirmed, answer], ONE)) == [mine, answer]


def test_an_error_is_an_answer_and_a_second_one_is_none():
    mine = call("StartTransaction", START)
    error = frame([4, "m1", "InternalError", "", {}], direction="out")
    again = frame([3, "m1", {}], direction="out")
    assert list(pick([mine, error, again], ONE)) == [mine, error]


def test_an_answer_whose_call_is_not_there_is_nobodys():
    assert list(pick([frame([3, "m1", {}], direction="out")], ONE)) == []
