"""OCPP 1.6 payloads as facts: exact payloads in, exact facts out. Pure."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ocpp.exceptions import PropertyConstraintViolationError

from sessions_app.facts import Sample, Started, Stopped
from stations.gateway.v16 import facts, meter
from stations.gateway.v16.values import decimal, integer, moment

NOW = dt.datetime(2026, 11, 24, 6, tzinfo=dt.UTC)
AT = "2026-11-24T06:00:00Z"


def sampled(*values, at=AT):
    return {"meterValue": [{"timestamp": at, "sampledValue": list(values)}]}


def only(*values):
    """The one sample that these values make."""
    (sample,) = meter.read(sampled(*values), "meterValue")
    return sample


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T06:00:00Z", NOW),
        ("2026-11-24T06:00:00.000Z", NOW),
        ("2026-11-24T06:00:00", NOW),
        ("2026-11-24 06:00:00Z", NOW),
        ("2026-11-24T12:00:00+06:00", NOW),
        ("2026-11-24T12:00:00+0600", NOW),
        ("2026-11-24T00:30:00-05:30", NOW),
        ("2026-11-24T06:00:00.1234567Z", NOW.replace(microsecond=123456)),
        ("1970-01-01T00:00:00Z", dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_times_are_read(text, expected):
    assert moment(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-02-30T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        "2026-11-24T06:00:00+99:00",
        "",
        None,
        1700000000,
        ["2026-11-24T06:00:00Z"],
    ],
)
def test_what_is_no_time_is_not_taken_for_one(value):
    assert moment(value) is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "much", "", None, True, [1], {}])
def test_what_is_no_number_is_not_taken_for_one(value):
    assert decimal(value) is None
    assert integer({"n": value}, "n") is None


@given(st.integers(-(10**11) + 1, 10**11 - 1), st.integers(0, 6))
def test_numbers_keep_every_digit(units, places):
    number = Decimal(units).scaleb(-places)
    assert decimal(f"{number:f}") == number


def test_started():
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 7, "timestamp": AT, "reservationId": 3}
    assert facts.started(payload, NOW) == Started(1, "A", Decimal(7), NOW, NOW, 3)


@pytest.mark.parametrize(
    "changes", [{"timestamp": "x"}, {"connectorId": -1}, {"connectorId": 10**9}, {"idTag": None}]
)
def test_a_start_without_its_facts_is_unreadable(changes):
    payload = {"connectorId": 1, "idTag": "A", "meterStart": 7, "timestamp": AT, **changes}
    with pytest.raises(PropertyConstraintViolationError):
        facts.started(payload, NOW)


def test_a_stop_keeps_what_can_be_read():
    assert facts.stopped({"transactionId": 5, "meterStop": "x", "timestamp": "x"}, NOW) == Stopped(
        5, None, None, NOW
    )


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    ["meterValue", "transactionData", "timestamp", "sampledValue", "value", "unit"]
                ),
                x,
            )
        ),
    )
)
def test_no_payload_breaks_the_reader(value):
    payload = value if isinstance(value, dict) else {"transactionData": value, "timestamp": value}
    facts.stopped(payload, NOW)
    meter.read({"meterValue": [payload]}, "meterValue")


def test_a_plain_value_is_a_register_in_wh():
    assert only({"value": "21.18"}) == Sample(NOW, Decimal("21.18"), context="Sample.Periodic")


def test_units_become_wh_and_w():
    sample = only(
        {"value": "1.2345", "unit": "kWh", "context": "Transaction.Begin"},
        {"value": "7.4", "unit": "kW", "measurand": "Power.Active.Import"},
        {"value": "55", "unit": "Percent", "measurand": "SoC"},
        {"value": "31", "unit": "Celcius", "measurand": "Temperature"},
    )
    assert sample == Sample(
        NOW, Decimal("1234.5"), Decimal("7400"), Decimal(55), "Transaction.Begin", is_kwh=True
    )


def test_phases_are_summed_where_there_is_no_total():
    phases = [{"value": "100", "phase": phase} for phase in ("L1", "L2", "L3")]
    assert only(*phases).register_wh == 300
    assert only(*phases, {"value": "290"}).register_wh == 290
    to_neutral = [{"value": "50", "phase": phase} for phase in ("L1-N", "L2-N", "L3-N")]
    assert only(*to_neutral).register_wh == 150
    assert only(*phases, *to_neutral).register_wh == 300


def test_the_outlet_is_what_the_driver_pays():
    inlet = {"value": "110", "location": "Inlet"}
    assert only(inlet, {"value": "100", "location": "Outlet"}).register_wh == 100
    assert only(inlet).register_wh == 110


def test_a_meter_that_is_wired_the_other_way_is_read_and_flagged():
    sample = only({"value": "100", "measurand": "Energy.Active.Export.Register"})
    assert (sample.register_wh, sample.flags) == (100, ("export_register",))


def test_a_bad_value_is_flagged_and_loses_no_other():
    sample = only({"value": "x"}, {"value": "7", "measurand": "Power.Active.Import"})
    assert (sample.register_wh, sample.power_w, sample.flags) == (None, 7, ("unreadable",))


def test_signed_values_are_no_numbers():
    sample = only({"value": "A" * 5000, "format": "SignedData"}, {"value": "5"})
    assert (sample.register_wh, sample.flags) == (5, ("signed",))


def test_numbers_for_strings_are_read():
    assert only({"value": 21.18}).register_wh == Decimal("21.18")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("21,18", "21.18"),
        ("1234567,123", "1234567.123"),
        (" 0,5 ", "0.5"),
        ("1.5e3", "1500"),
        ("-7", "-7"),
        ("+7", "7"),
    ],
)
def test_numbers_are_read_as_meters_write_them(text, expected):
    assert only({"value": text}).register_wh == Decimal(expected)


@pytest.mark.parametrize("text", ["1,234", "-12,345", "1,2,3", "1.234,5", "0x1F", "", " ", "n/a"])
def test_a_number_that_could_be_two_is_none(text):
    assert only({"value": text}) == Sample(NOW, context="Sample.Periodic", flags=("unreadable",))


def test_both_registers_are_kept_where_both_are_told():
    export = {"value": "90", "measurand": "Energy.Active.Export.Register"}
    sample = only({"value": "5"}, export)
    assert (sample.register_wh, sample.export_wh, sample.flags) == (5, 90, ())


def test_a_sum_of_phases_is_flagged():
    phases = [{"value": "100", "phase": phase} for phase in ("L1", "L3")]
    assert only(*phases).flags == ("phases:2", "phases_summed")
    assert only(*phases, {"value": "290"}).flags == ()


@pytest.mark.parametrize("context", ["Other", "Interruption.End", "Trigger", 7, "Nonsense"])
def test_an_odd_context_loses_no_value(context):
    assert only({"value": "5", "context": context}).register_wh == 5


@pytest.mark.parametrize(
    "value",
    [
        {"value": "150", "measurand": "SoC", "unit": "Percent"},
        {"value": "5", "unit": "Celcius"},
        {"value": "5", "unit": "Hertz"},
        {"value": "1e300"},
        {"value": None},
        {},
    ],
)
def test_a_value_that_cannot_be_is_flagged(value):
    sample = only(value)
    assert (sample.register_wh, sample.soc, sample.flags) == (None, None, ("unreadable",))


@pytest.mark.parametrize("count", [1, 1_999, 2_000, 2_001, 30_000])
def test_of_a_long_message_the_last_moment_is_always_read(count):
    entries = [
        {
            "timestamp": facts.wire_time(NOW + dt.timedelta(seconds=n)),
            "sampledValue": [{"value": n}],
        }
        for n in range(count)
    ]
    samples = meter.read({"transactionData": entries}, "transactionData")
    assert samples[-1].register_wh == count - 1
    assert min(count, 1_000) <= len(samples) <= meter.MAX_MOMENTS


def test_empty_and_unused_values_make_no_sample():
    assert meter.read(sampled(), "meterValue") == ()
    assert meter.read(sampled({"value": "230", "measurand": "Voltage"}), "meterValue") == ()


def test_transaction_0_is_passed_on_and_a_broken_connector_does_no_harm():
    fact = facts.metered({"connectorId": 1, "transactionId": 0, **sampled()}, NOW, uuid.uuid4())
    assert (fact.connector_id, fact.transaction_id) == (1, 0)
    fact = facts.metered({"connectorId": "x", "transactionId": 4}, NOW, uuid.uuid4())
    assert (fact.connector_id, fact.transaction_id) == (0, 4)


ODD = st.sampled_from(["", None, [], {}, 7, "?"])
SAMPLED = st.fixed_dictionaries(
    {},
    optional={
        "value": st.decimals(0, 10**9, places=3).map(str)
        | st.sampled_from(["0", "1e3", "-5", "1,5", "1,234", " 7 ", "٣", "9" * 12, "1.1234567"])
        | ODD,
        "measurand": st.sampled_from(
            [meter.ENERGY, meter.POWER, meter.SOC, meter.EXPORT, "Voltage", "Temperature"]
        )
        | ODD,
        "unit": st.sampled_from(["Wh", "kWh", "wh", "W", "kW", "Percent", "V"]) | ODD,
        "phase": st.sampled_from(["L1", "L2", "L1-N"]) | ODD,
        "location": st.sampled_from(["Outlet", "Body", "EV", "Grid"]) | ODD,
        "format": st.sampled_from(["Raw", "SignedData"]) | ODD,
        "context": st.sampled_from(["Sample.Clock", "Trigger", "Sample.Odd"]) | ODD,
    },
)


@settings(max_examples=400, deadline=None)
@given(st.lists(SAMPLED, max_size=4))
def test_a_plain_meter_is_read_as_any_meter_would_be(sampled):
    at = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    assert meter._sample(at, sampled) == meter._odd_sample(at, sampled)
