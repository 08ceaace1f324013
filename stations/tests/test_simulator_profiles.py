"""Charging profiles of a simulated station: which counts when, and what flows (OCPP 1.6 §3.13)."""

import datetime as dt
from decimal import Decimal

import pytest

from stations.simulator.profiles import Profile, compose, limit_w
from stations.tests.test_simulator_answers import charging, connected, status_of

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
WHOLE, DEFAULT, RUNNING = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"


def payload(*periods, purpose=DEFAULT, unit="W", schedule=None, **more):
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [{"startPeriod": s, "limit": w} for s, w in periods],
            **(schedule or {}),
        },
        **more,
    }


def profile(*periods, connector_id=1, **more):
    return Profile(connector_id, payload(*periods, **more))


def limit(*profiles, after=dt.timedelta(0)):
    return limit_w(profiles, 1, NOW + after, NOW)


def test_a_schedule_without_a_start_begins_with_the_charge():
    stepped = profile((0, 7000), (1800, 3000), (3600, 0))
    limits = [limit(stepped, after=HOUR * n / 2) for n in range(4)]
    assert limits == [7000, 3000, 0, 0]


def test_after_its_duration_a_schedule_says_nothing():
    brief = profile((0, 7000), schedule={"duration": 60})
    assert limit(brief, after=dt.timedelta(seconds=59)) == 7000
    assert limit(brief, after=dt.timedelta(seconds=60)) is None


def test_an_absolute_schedule_counts_from_its_start_and_a_relative_one_from_the_charge():
    times = {"startSchedule": (NOW - HOUR).isoformat()}
    steps = (0, 7000), (3600, 3000)
    assert limit(profile(*steps, schedule=times)) == 3000
    assert limit(profile(*steps, schedule=times, chargingProfileKind="Relative")) == 7000
    later = {"startSchedule": (NOW + HOUR).isoformat()}
    assert limit(profile(*steps, schedule=later)) is None


@pytest.mark.parametrize(("kind", "days"), [("Daily", 1), ("Weekly", 7)])
def test_a_recurring_schedule_comes_again(kind, days):
    again = profile(
        (0, 7000),
        (3600, 3000),
        schedule={"startSchedule": (NOW - dt.timedelta(days=3 * days)).isoformat()},
        chargingProfileKind="Recurring",
        recurrencyKind=kind,
    )
    assert [limit(again, after=HOUR * n) for n in (0, 1, 23)] == [7000, 3000, 3000]
    assert limit(again, after=dt.timedelta(days=days)) == 7000


def test_validity_has_two_ends():
    brief = profile(
        (0, 7000), validFrom=(NOW + HOUR).isoformat(), validTo=(NOW + 2 * HOUR).isoformat()
    )
    assert [limit(brief, after=HOUR * n) for n in range(3)] == [None, 7000, None]


def test_amperes_are_of_three_phases_unless_it_says_fewer():
    assert limit(profile((0, 16), unit="A")) == 16 * 230 * 3
    single = payload((0, 16), unit="A")
    single["chargingSchedule"]["chargingSchedulePeriod"][0]["numberPhases"] = 1
    assert limit(Profile(1, single)) == 16 * 230


def test_the_highest_in_the_stack_that_counts_now_decides():
    low = profile((0, 3000), stackLevel=0)
    high = profile((0, 9000), stackLevel=3, schedule={"duration": 60})
    assert limit(low, high) == 9000
    assert limit(low, high, after=HOUR) == 3000


def test_the_charges_own_goes_before_the_default_and_none_before_the_station():
    own, default = profile((0, 9000), purpose=RUNNING), profile((0, 3000))
    station = profile((0, 5000), purpose=WHOLE, connector_id=0)
    assert limit(default, own) == 9000
    assert limit(default, own, station) == 5000
    assert limit(default, station) == 3000
    assert limit(profile((0, 1000), connector_id=2)) is None


def test_a_composite_schedule_joins_what_is_equal_and_ends_at_the_stations_power():
    own = profile((0, 9000), (600, 4000), (900, 4000), (1200, 0), schedule={"duration": 1800})
    station = profile((0, 5000), purpose=WHOLE, connector_id=0)
    wanted = {"at": NOW, "started_at": NOW, "most_w": Decimal(60_000)}
    assert compose([own, station], 1, duration_s=3600, **wanted) == [
        (0, 5000),
        (600, 4000),
        (1200, 0),
        (1800, 5000),
    ]
    assert compose([], 1, duration_s=60, **wanted) == [(0, 60_000)]


# --- Over the wire ------------------------------------------------------------------------


async def set_profile(central, *periods, connector_id=1, **more):
    wanted = {"connectorId": connector_id, "csChargingProfiles": payload(*periods, **more)}
    return await status_of(central, "SetChargingProfile", **wanted)


async def test_a_last_period_of_0_stops_the_energy_and_not_the_transaction():
    async with connected(interval_s=Decimal("0.1")) as (central, station):
        await charging(central)
        answer = await set_profile(central, (0, 60_000), (1, 0), purpose=RUNNING)
        assert answer == "Accepted"
        connector = station.connectors[1]
        await station.until(lambda: connector.status == "SuspendedEVSE")
        stopped_at_wh = connector.register_wh
        samples = len(central.payloads("MeterValues"))
        await central.until(lambda c: len(c.payloads("MeterValues")) > samples + 3)
        assert connector.register_wh == stopped_at_wh
        assert connector.transaction is not None
        assert await status_of(central, "ClearChargingProfile", id=1) == "Accepted"
        await station.until(lambda: connector.status == "Charging")
        await central.until(lambda c: len(c.payloads("MeterValues")) > samples + 6)
        assert connector.register_wh > stopped_at_wh


async def test_energy_follows_the_schedule_and_not_the_samples():
    steps = (0, 36_000), (1, 0)
    async with connected(interval_s=Decimal(2), speed=Decimal(100)) as (central, station):
        assert await set_profile(central, *steps, chargingProfileKind="Relative") == "Accepted"
        await central.call("RemoteStartTransaction", {"connectorId": 1, "idTag": "TAG"})
        await central.until(lambda c: len(c.payloads("MeterValues")) >= 2)
        assert 900 <= station.connectors[1].register_wh <= 1200  # 36 kW for 1 s, 100 times


async def test_a_profile_of_a_charge_ends_with_it():
    async with connected() as (central, station):
        await charging(central)
        await set_profile(central, (0, 7000), purpose=RUNNING, transactionId=1)
        await central.call("RemoteStopTransaction", {"transactionId": 1})
        await station.until(lambda: station.connectors[1].transaction is None)
        assert await status_of(central, "ClearChargingProfile") == "Unknown"


@pytest.mark.parametrize(
    ("connector_id", "more"),
    [
        (1, {"purpose": RUNNING}),
        (1, {"purpose": WHOLE}),
        (9, {}),
        (1, {"stackLevel": 10}),
    ],
)
async def test_a_profile_that_does_not_fit_is_rejected(connector_id, more):
    async with connected() as (central, _):
        assert await set_profile(central, (0, 7000), connector_id=connector_id, **more) == (
            "Rejected"
        )


async def test_a_profile_of_another_transaction_is_rejected():
    async with connected() as (central, _):
        await charging(central)
        answer = await set_profile(central, (0, 7000), purpose=RUNNING, transactionId=77)
        assert answer == "Rejected"


async def test_periods_must_begin_at_0_and_be_few():
    async with connected() as (central, _):
        assert await set_profile(central, (60, 7000)) == "Rejected"
        assert await set_profile(central, *((n, 7000) for n in range(25))) == "Rejected"
        assert await set_profile(central) == "Rejected"


async def test_there_is_an_end_to_room_but_not_to_replacing():
    async with connected() as (central, _):
        for n in range(10):
            answer = await set_profile(central, (0, 7000), chargingProfileId=n, stackLevel=n)
            assert answer == "Accepted"
        new = {"chargingProfileId": 99, "connector_id": 2}
        assert await set_profile(central, (0, 7000), **new, stackLevel=0) == "Rejected"
        assert await set_profile(central, (0, 7000), chargingProfileId=9) == "Accepted"


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({}, 0),
        ({"id": 2, "stackLevel": 99}, 2),
        ({"connectorId": 2}, 2),
        ({"chargingProfilePurpose": WHOLE}, 2),
        ({"chargingProfilePurpose": DEFAULT, "stackLevel": 1}, 2),
        ({"chargingProfilePurpose": DEFAULT}, 1),
    ],
)
async def test_clearing_is_by_id_or_by_all_criteria(wanted, left):
    async with connected() as (central, _):
        await set_profile(central, (0, 1), chargingProfileId=1, stackLevel=1)
        await set_profile(central, (0, 1), chargingProfileId=2, connector_id=2)
        await set_profile(central, (0, 1), chargingProfileId=3, connector_id=0, purpose=WHOLE)
        assert await status_of(central, "ClearChargingProfile", **wanted) == "Accepted"
        ids = [
            n
            for n in (1, 2, 3)
            if await status_of(central, "ClearChargingProfile", id=n) != "Unknown"
        ]
        assert len(ids) == left


async def test_a_composite_schedule_is_told_in_the_unit_that_is_asked_for():
    async with connected() as (central, _):
        wanted = {"connectorId": 1, "duration": 600, "chargingRateUnit": "A"}
        await set_profile(central, (0, 16), (60, 0), unit="A", chargingProfileKind="Relative")
        _, answer = await central.call("GetCompositeSchedule", wanted)
        assert answer["status"] == "Accepted"
        assert answer["chargingSchedule"]["chargingSchedulePeriod"] == [
            {"startPeriod": 0, "limit": 16.0},
            {"startPeriod": 60, "limit": 0.0},
        ]
        other = {"connectorId": 9, "duration": 600}
        assert await status_of(central, "GetCompositeSchedule", **other) == "Rejected"
