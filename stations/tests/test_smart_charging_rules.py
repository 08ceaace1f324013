"""Charging profiles on the wire, and what they must keep to before they are sent."""

import dataclasses
import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.gateway.schemas import request_breach, response_breach
from stations.smart_charging import (
    Capability,
    ChargingProfile,
    Kind,
    Period,
    Purpose,
    Recurrence,
    Schedule,
    Unit,
    faults,
    limited,
    read_profile,
    read_schedule,
    tx_profile,
    write_profile,
)

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
UNTOLD = Capability.of({})
NIGHT = ChargingProfile(
    id=7,
    purpose=Purpose.TX_DEFAULT,
    kind=Kind.RECURRING,
    recurrence=Recurrence.DAILY,
    stack_level=1,
    valid_from=NOON,
    valid_to=NOON + dt.timedelta(days=30),
    schedule=Schedule(
        Unit.AMPERE,
        (Period(0, Decimal("10.1"), 3), Period(3600, Decimal(32))),
        start_at=NOON,
        duration_s=7200,
        min_rate=Decimal("6.0"),
    ),
)
CHARGE = ChargingProfile(
    id=8,
    purpose=Purpose.TX,
    kind=Kind.RELATIVE,
    transaction_id=42,
    schedule=Schedule(Unit.WATT, (Period(0, Decimal(11000)),)),
)
STATION = ChargingProfile(
    id=9,
    purpose=Purpose.STATION_MAX,
    kind=Kind.ABSOLUTE,
    schedule=Schedule(Unit.WATT, (Period(0, Decimal(22000)),), start_at=NOON),
)


def with_schedule(profile, **changes):
    return dataclasses.replace(profile, schedule=dataclasses.replace(profile.schedule, **changes))


def told(**values):
    return Capability.of({key: {"value": value} for key, value in values.items()})


def test_a_profile_is_written_field_by_field():
    assert json.dumps(write_profile(NIGHT)["chargingSchedule"]) == (
        '{"duration": 7200, "startSchedule": "2026-03-02T12:00:00Z", "chargingRateUnit": "A", '
        '"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.1, "numberPhases": 3}, '
        '{"startPeriod": 3600, "limit": 32}], "minChargingRate": 6}'
    )


@pytest.mark.parametrize("profile", [NIGHT, CHARGE, STATION])
def test_a_profile_passes_the_schema_and_is_read_as_it_was_written(profile):
    payload = json.loads(json.dumps(write_profile(profile)))
    request = {"connectorId": 1, "csChargingProfiles": payload}
    assert request_breach("ocpp1.6", "SetChargingProfile", request) is None
    assert read_profile(payload) == profile


@given(st.decimals(min_value=0, max_value=1_000_000, places=1))
def test_no_limit_is_changed_by_the_wire(limit):
    schedule = Schedule(Unit.WATT, (Period(0, limit),))
    payload = json.loads(json.dumps(tx_profile(schedule)["chargingSchedule"]))
    answer = {"status": "Accepted", "chargingSchedule": payload}
    assert response_breach("ocpp1.6", "GetCompositeSchedule", answer) is None
    assert read_schedule(payload).periods[0].limit == limit


def test_a_limit_finer_than_the_wire_is_refused_and_not_rounded():
    with pytest.raises(ValueError, match=r"10\.15 has more than one decimal"):
        tx_profile(Schedule(Unit.AMPERE, (Period(0, Decimal("10.15")),)))


def test_the_limit_of_a_charge_is_rounded_down():
    payload = tx_profile(Decimal("10999.99"), 42)
    assert payload["chargingSchedule"]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 10999.9}
    ]
    assert (payload["transactionId"], payload["chargingProfileKind"]) == (42, "Relative")
    assert limited(Decimal("0.09")) == 0


def test_a_profile_for_a_remote_start_names_no_transaction():
    payload = tx_profile(Decimal(11000))
    assert "transactionId" not in payload
    request = {"idTag": "A", "chargingProfile": payload}
    assert request_breach("ocpp1.6", "RemoteStartTransaction", request) is None


def test_a_time_without_a_zone_is_utc():
    payload = {**write_profile(NIGHT), "validFrom": "2026-03-02T12:00:00"}
    assert read_profile(payload).valid_from == NOON


@pytest.mark.parametrize(
    "change",
    [
        {"chargingProfilePurpose": "Other"},
        {"chargingProfileKind": "Sometimes"},
        {"recurrencyKind": "Hourly"},
        {"validFrom": "noon"},
    ],
)
def test_what_no_profile_says_is_not_read(change):
    with pytest.raises(ValueError):
        read_profile({**write_profile(NIGHT), **change})


@pytest.mark.parametrize(
    ("profile", "connector_id", "running"),
    [(NIGHT, 0, None), (NIGHT, 2, None), (STATION, 0, None), (CHARGE, 1, 42)],
)
def test_what_keeps_the_rules_has_no_faults(profile, connector_id, running):
    assert faults(profile, connector_id, UNTOLD, running_transaction_id=running) == []


@pytest.mark.parametrize(
    ("profile", "connector_id", "running", "fault"),
    [
        (NIGHT, -1, None, "A connector is not negative."),
        (STATION, 1, None, "ChargePointMaxProfile is for connector 0 only."),
        (CHARGE, 0, 42, "TxProfile is for one connector, not for connector 0."),
        (CHARGE, 1, None, "TxProfile needs a transaction that runs at the connector."),
        (CHARGE, 1, 43, "Another transaction runs at the connector."),
    ],
)
def test_a_purpose_keeps_to_its_place(profile, connector_id, running, fault):
    assert faults(profile, connector_id, UNTOLD, running_transaction_id=running) == [fault]


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        (dataclasses.replace(NIGHT, transaction_id=42), "Only a TxProfile names a transaction."),
        (dataclasses.replace(NIGHT, recurrence=None), "A Recurring profile, and no other, says"),
        (dataclasses.replace(NIGHT, kind=Kind.ABSOLUTE), "A Recurring profile, and no other, says"),
        (dataclasses.replace(NIGHT, valid_to=NOON), "It must be valid from a time before"),
        (dataclasses.replace(NIGHT, stack_level=-1), "A stack level is not negative."),
        (with_schedule(NIGHT, start_at=None), "A profile that is Recurring needs the start"),
        (with_schedule(NIGHT, periods=()), "The first period starts at 0."),
        (with_schedule(NIGHT, periods=(Period(1, Decimal(6)),)), "The first period starts at 0."),
        (with_schedule(NIGHT, periods=(Period(0, Decimal(6)),) * 2), "Each period starts after"),
        (with_schedule(NIGHT, duration_s=3600), "The schedule ends before its last period."),
        (with_schedule(NIGHT, duration_s=0), "The schedule ends before its last period."),
        (with_schedule(NIGHT, min_rate=Decimal("-1")), "A limit is not negative"),
        (with_schedule(NIGHT, periods=(Period(0, Decimal("6.05")),)), "A limit is not negative"),
        (with_schedule(NIGHT, periods=(Period(0, Decimal(6), 4),)), "There are one to three"),
    ],
)
def test_a_fault_of_the_profile_is_named(profile, fault):
    [found] = faults(profile, 0, UNTOLD)
    assert found.startswith(fault)


@pytest.mark.parametrize("limit", ["NaN", "Infinity"])
def test_a_limit_is_a_number(limit):
    broken = with_schedule(NIGHT, periods=(Period(0, Decimal(limit)),))
    assert faults(broken, 0, UNTOLD) == ["A limit is not negative and has one decimal at most."]


def test_a_relative_profile_has_no_start_of_its_own():
    started = with_schedule(CHARGE, start_at=NOON)
    found = faults(started, 1, UNTOLD, running_transaction_id=42)
    assert found == ["A Relative profile has no start of its own."]


def test_a_station_has_no_charge_to_be_relative_to():
    relative = with_schedule(dataclasses.replace(STATION, kind=Kind.RELATIVE), start_at=None)
    [found] = faults(relative, 0, UNTOLD)
    assert found.startswith("ChargePointMaxProfile has no charge")


@pytest.mark.parametrize(
    ("told_by_station", "fault"),
    [
        ({"SupportedFeatureProfiles": "Core,RemoteTrigger"}, "The station does not support"),
        ({"ChargeProfileMaxStackLevel": "0"}, "The station's highest stack level is 0."),
        ({"ChargingScheduleMaxPeriods": "1"}, "The station takes 1 periods at most."),
        ({"MaxChargingProfilesInstalled": "2"}, "The station holds 2 profiles at most."),
        ({"ChargingScheduleAllowedChargingRateUnit": "Power"}, "The station takes no limits in A."),
    ],
)
def test_the_stations_own_bounds_hold(told_by_station, fault):
    [found] = faults(NIGHT, 0, told(**told_by_station), installed_ids=frozenset({1, 2}))
    assert found.startswith(fault)


def test_a_profile_that_replaces_its_like_takes_no_new_place():
    full = told(MaxChargingProfilesInstalled="2")
    assert faults(NIGHT, 0, full, installed_ids=frozenset({1, NIGHT.id})) == []


@pytest.mark.parametrize("value", [None, "", "many", "-1", "²"])
def test_a_bound_that_makes_no_sense_is_not_held_against_a_profile(value):
    assert told(ChargingScheduleMaxPeriods=value).max_periods is None


def test_what_a_station_tells_is_read_in_any_case():
    capability = told(
        SupportedFeatureProfiles="Core, smartCharging",
        ChargingScheduleAllowedChargingRateUnit="Current,POWER",
        ChargeProfileMaxStackLevel=" 8 ",
    )
    assert capability.is_supported
    assert capability.units == {Unit.AMPERE, Unit.WATT}
    assert capability.max_stack_level == 8


def test_a_station_that_told_nothing_may_support_it():
    assert Capability(None, None, None, None, None) == UNTOLD
