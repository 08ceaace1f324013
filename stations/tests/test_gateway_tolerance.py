"""A StartTransaction or MeterValues that breaks the schema (design section 7, last lines).

It is stored, applied where it can be read, and answered with OCPP 1.6's own CALLERROR code; a
lenient station gets a confirmation. The money is right afterwards.
"""

import contextlib
import copy
import json
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as st
from ocpp.exceptions import PropertyConstraintViolationError

from sessions_app.models import ChargingSession, IdTag, Orphan, Reading
from stations.gateway import schemas
from stations.gateway.v16 import facts
from stations.models import Station

AT, LATER, END = "2026-11-24T06:00:00Z", "2026-11-24T06:10:00Z", "2026-11-24T06:20:00Z"
CODES = {
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "ProtocolError",
}
"""OCPP-J 1.6 §4.2.3, in its own spelling; ProtocolError is for a payload that is incomplete."""
STOP = {"meterStop": 3000, "timestamp": END}


@pytest.fixture
def card(transactional_db, alice):
    return IdTag.objects.create(id_tag="CARD1", identity="card1", user=alice)


def start(**changes):
    return {"connectorId": 1, "idTag": "CARD1", "meterStart": 1000, "timestamp": AT, **changes}


def values(transaction_id, *sampled, **changes):
    return {
        "connectorId": 1,
        "transactionId": transaction_id,
        "meterValue": [{"timestamp": LATER, "sampledValue": list(sampled)}],
        **changes,
    }


async def rows(queryset):
    return await sync_to_async(list)(queryset)


async def begun(station, **changes):
    """Start a transaction by a StartTransaction that breaks the schema; return its session."""
    reply = await station.ask("StartTransaction", start(**changes))
    return reply, await ChargingSession.objects.afirst()


BROKEN_STARTS = [
    {"extra": 1},
    {"connectorId": "1"},
    {"meterStart": "1000"},
    {"meterStart": 1000.4},
    {"meterStart": "1000,4"},
    {"reservationId": "none"},
]


@pytest.mark.parametrize("changes", BROKEN_STARTS)
@pytest.mark.parametrize("is_lenient", [False, True])
async def test_a_broken_start_begins_where_it_can_be_read(plug_in, k1, card, changes, is_lenient):
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=is_lenient)
    station = await plug_in()
    reply, session = await begun(station, **changes)
    assert session.status == "charging"
    assert (session.connector_id, int(session.meter_start_wh)) == (1, 1000)
    if is_lenient:
        assert reply[2]["transactionId"] == session.transaction_id
        assert reply[2]["idTagInfo"]["status"] == "Accepted"
    else:
        assert (reply[0], reply[2] in CODES) == (4, True)
    await station.call("StopTransaction", {"transactionId": session.transaction_id, **STOP})
    session = await ChargingSession.objects.aget()
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 2000, 2500)


async def test_a_tag_of_25_characters_is_nobodys(plug_in, k1, card):
    station = await plug_in()
    reply, session = await begun(station, idTag="CARD1" + "X" * 20)
    assert (reply[0], reply[2] in CODES) == (4, True)
    assert (session.status, session.user_id, session.cost_minor) == ("error", None, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"connectorId": None},
        {"connectorId": [1]},
        {"idTag": None},
        {"idTag": 7},
        {"meterStart": None},
        {"meterStart": "much"},
        {"timestamp": "yesterday"},
        {"timestamp": 7},
    ],
)
@pytest.mark.parametrize("is_lenient", [False, True])
async def test_a_start_that_cannot_be_read_is_kept_and_begins_nothing(
    plug_in, k1, card, changes, is_lenient
):
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=is_lenient)
    station = await plug_in()
    reply, session = await begun(station, **changes)
    assert session is None
    orphan = await Orphan.objects.aget()
    assert (orphan.kind, "StartTransaction" in orphan.payload["frame"]) == ("start", True)
    if is_lenient:
        assert reply[2]["idTagInfo"]["status"] == "Invalid"
        assert reply[2]["transactionId"] > 0
    else:
        assert (reply[0], reply[2] in CODES) == (4, True)


BROKEN_VALUES = [
    {"extra": 1},
    {"connectorId": "1"},
    {"connectorId": "x"},
    {"transactionId": "of its connector"},
    {"connectorId": 1, "transactionId": None},
]


@pytest.mark.parametrize("changes", BROKEN_VALUES)
@pytest.mark.parametrize("is_lenient", [False, True])
async def test_broken_meter_values_still_meter(plug_in, k1, card, changes, is_lenient):
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=is_lenient)
    station = await plug_in()
    _reply, session = await begun(station)
    payload = values(session.transaction_id, {"value": "1500"}, **changes)
    reply = await station.ask("MeterValues", payload)
    assert reply[0] == (3 if is_lenient else 4)
    assert is_lenient or reply[2] in CODES
    session = await ChargingSession.objects.aget()
    assert (session.energy_wh, session.cost_minor) == (500, 625)


BAD_VALUES = [
    {"value": 1500},
    {"value": "1500", "unit": "Furlong", "measurand": "Voltage"},
    {"value": "1500", "phase": 7},
    {"value": "1500", "location": "Moon", "measurand": "Voltage"},
    {"value": None},
    {},
    {"value": "A" * 3_000, "format": "SignedData"},
    {"value": "1500", "context": "Nonsense", "measurand": "Voltage"},
]


@pytest.mark.parametrize("bad", BAD_VALUES)
async def test_a_bad_value_loses_no_good_one(plug_in, k1, card, bad):
    station = await plug_in()
    _reply, session = await begun(station)
    await station.ask("MeterValues", values(session.transaction_id, bad, {"value": "1500"}))
    session = await ChargingSession.objects.aget()
    assert session.energy_wh == 500
    reading = await Reading.objects.aget(session=session, register_wh=1500)
    assert (reading.register_wh, reading.frame_id is not None) == (Decimal(1500), True)


@pytest.mark.parametrize(
    "meter_value",
    [
        [7, {"timestamp": LATER, "sampledValue": [{"value": "1500"}]}],
        [{"sampledValue": []}, {"timestamp": LATER, "sampledValue": [{"value": "1500"}]}],
        [{"timestamp": LATER, "sampledValue": [[], None, {"value": "1500"}]}],
        [
            {"timestamp": "x", "sampledValue": [{"value": "9"}]},
            {"timestamp": LATER, "sampledValue": [{"value": "1500"}], "more": True},
        ],
    ],
)
async def test_a_bad_moment_loses_no_good_one(plug_in, k1, card, meter_value):
    station = await plug_in()
    _reply, session = await begun(station)
    reply = await station.ask("MeterValues", values(session.transaction_id, meterValue=meter_value))
    assert (reply[0], reply[2] in CODES) == (4, True)
    session = await ChargingSession.objects.aget()
    assert (session.energy_wh, session.cost_minor) == (500, 625)


@pytest.mark.parametrize("is_lenient", [False, True])
@pytest.mark.parametrize("meter_value", [None, 7, {}, "x"])
async def test_values_that_cannot_be_read_are_kept(plug_in, k1, card, meter_value, is_lenient):
    await Station.objects.filter(pk=k1.pk).aupdate(is_lenient=is_lenient)
    station = await plug_in()
    _reply, session = await begun(station)
    reply = await station.ask("MeterValues", values(session.transaction_id, meterValue=meter_value))
    assert reply[0] == (3 if is_lenient else 4)
    assert (await Orphan.objects.aget()).kind == "readings"
    await station.call("StopTransaction", {"transactionId": session.transaction_id, **STOP})
    session = await ChargingSession.objects.aget()
    assert (session.status, session.cost_minor) == ("completed", 2500)


async def test_the_same_broken_start_again_is_the_same_session(plug_in, k1, card):
    station = await plug_in()
    for _ in range(2):
        await station.ask("StartTransaction", start(extra=1))
    assert await ChargingSession.objects.acount() == 1


async def test_a_broken_start_of_the_broken_reply_is_stopped_by_its_connector(plug_in, k1, card):
    """The station never learnt its transaction id: its values without one are still its own."""
    station = await plug_in()
    await station.ask("StartTransaction", start(extra=1))
    payload = values(None, {"value": "1500"})
    del payload["transactionId"]
    await station.call("MeterValues", payload)
    assert (await ChargingSession.objects.aget()).energy_wh == 500


# --- Any breach ---------------------------------------------------------------------------------

JUNK = st.sampled_from([None, True, -1, 0, 1.5, "", "x", "1", [], {}, [1], {"a": 1}, "A" * 3_000])


def paths(value, at=()):
    """Every place in a payload that can be broken."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from paths(part, (*at, key))


@st.composite
def broken(draw, payload):
    """A valid payload in which one to three things were removed, retyped or added."""
    payload = copy.deepcopy(payload)
    for _ in range(draw(st.integers(1, 3))):
        places = list(paths(payload))
        if not places:
            break
        *above, key = draw(st.sampled_from(places))
        part = payload
        for step in above:
            part = part[step]
        if draw(st.booleans()):
            part[key] = copy.deepcopy(draw(JUNK))
        elif isinstance(part, dict):
            part.pop(key) if draw(st.booleans()) else part.update(extra=copy.deepcopy(draw(JUNK)))
    return payload


FULL = values(
    7,
    {"value": "1500", "unit": "Wh", "measurand": "Energy.Active.Import.Register"},
    {"value": "40", "unit": "Percent", "measurand": "SoC"},
)


@given(broken(FULL))
def test_what_can_be_read_of_any_meter_values_is_read(payload):
    with contextlib.suppress(PropertyConstraintViolationError):
        check_values(payload, facts.metered(payload, facts.moment(AT), None))


def check_values(payload, fact):
    entries = payload.get("meterValue")
    is_whole = isinstance(entries, list) and FULL["meterValue"][0] in entries
    assert not is_whole or Decimal(1500) in [sample.register_wh for sample in fact.samples]


@given(broken(start()))
def test_any_start_is_read_or_refused_by_name(payload):
    with contextlib.suppress(PropertyConstraintViolationError):
        fact = facts.started(payload, facts.moment(AT))
        assert fact.at is not None
        assert abs(fact.meter_start_wh) < 10**11


@given(
    st.one_of(broken(FULL), broken(start())), st.sampled_from(["MeterValues", "StartTransaction"])
)
def test_every_breach_has_a_code_of_ocpp_16(payload, action):
    breach = schemas.request_breach("ocpp1.6", action, json.loads(json.dumps(payload)))
    assert breach is None or breach.error.code in CODES


async def test_no_broken_message_changes_the_bill(plug_in, k1, card):
    """Fifty breaches within one charge: all are answered, and meterStop is what is paid."""
    station = await plug_in()
    _reply, session = await begun(station)
    for n, payload in enumerate(fifty_breaches(session.transaction_id)):
        reply = await station.ask("MeterValues", payload, message_id=f"b{n}")
        assert reply[1] == f"b{n}"
    await station.call("StopTransaction", {"transactionId": session.transaction_id, **STOP})
    session = await ChargingSession.objects.aget()
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 2000, 2500)


def fifty_breaches(transaction_id):
    good = values(transaction_id, {"value": "1500", "unit": "Wh"})
    junk = [None, True, -1, 1.5, "", "x", [], {}, [1], "A" * 3_000]
    entry = ("meterValue", 0)
    places = [
        ("connectorId",),
        ("meterValue",),
        (*entry, "timestamp"),
        (*entry, "sampledValue"),
        (*entry, "sampledValue", 0, "unit"),
    ]
    for place in places:
        for value in junk:
            payload = copy.deepcopy(good)
            part = payload
            for step in place[:-1]:
                part = part[step]
            part[place[-1]] = value
            yield payload
