"""Two spellings of one value are the same, and two values are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.comparison import is_same
from stations.configuration_keys import is_standard, name_in, standard


@pytest.mark.parametrize(
    ("present", "wanted"),
    [
        ("true", "true"),
        (" True ", "true"),
        ("TRUE", "true"),
        ("1", "true"),
        ("false", "0"),
        ("off", "false"),
        ("10", "10.0"),
        ("0010", "10"),
        ("+10", "10"),
        ("-1", "-1.00"),
        ("SoC,Voltage", "Voltage , soc"),
        ("SoC,", "SoC"),
        ("SoC,SoC,Voltage", "Voltage,SoC"),
        ("", ""),
        ("ocpp", "OCPP "),
    ],
)
def test_spellings_of_one_value(present, wanted):
    assert is_same(present, wanted)
    assert is_same(wanted, present)


@pytest.mark.parametrize(
    ("present", "wanted"),
    [
        (None, ""),
        (None, "true"),
        ("", "true"),
        ("false", "true"),
        ("0", "true"),
        ("1", "yes"),
        ("10", "100"),
        ("10", "1e1"),
        ("1" * 400, "1"),
        ("١٠", "10"),
        ("SoC", "SoC,Voltage"),
        ("SoC,Voltage", "SoC"),
        ("10 s", "10"),
    ],
)
def test_two_values(present, wanted):
    assert not is_same(present, wanted)


@given(st.text(max_size=500), st.text(max_size=500))
def test_whatever_a_station_reports_is_compared(present, wanted):
    assert is_same(present, present)
    assert is_same(present, wanted) == is_same(wanted, present)


def test_keys_have_no_case():
    assert standard("metervaluesampleinterval") == "MeterValueSampleInterval"
    assert standard("vendorKey") == "vendorKey"
    assert is_standard("HEARTBEATINTERVAL")
    assert not is_standard("Heartbeat")
    known = {"vendorKey": {}}
    assert name_in(known, "VENDORKEY") == "vendorKey"
    assert name_in(known, "other") == "other"
    assert name_in(known, "socketpinginterval") == "socketpinginterval"
    assert name_in(known, "websocketpinginterval") == "WebSocketPingInterval"
