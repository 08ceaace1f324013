"""Stations that do not obey, that were offline, or whose meter is odd, against a plain double."""

import asyncio
import contextlib
from decimal import Decimal

import pytest

from stations.simulator.errors import CallRefused, ScenarioFailed
from stations.simulator.quirks import METERS
from stations.tests.central import Central
from stations.tests.test_simulator_scenarios import make_station, playing, run

LONG = {"car_needs_wh": Decimal(1_000_000)}


@pytest.fixture
def central():
    return Central()


async def until_up(central):
    await central.until(lambda c: len(c.payloads("StatusNotification")) >= 2)


async def remote_start(central):
    await until_up(central)
    return await central.call("RemoteStartTransaction", {"connectorId": 1, "idTag": "TAG"})


async def until_charging(central):
    await central.until(lambda c: len(c.payloads("MeterValues")) > 2)


async def charge_with(central, meter):
    async with central.listening() as url:
        await run("local-start", make_station(url, meter=METERS[meter]), "CARD")
    return central.payloads("MeterValues"), central.payloads("StopTransaction")[0]


def first_values(samples):
    return [row["meterValue"][0]["sampledValue"][0] for row in samples]


# --- Starts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "answer"), [("refused-start", "Rejected"), ("ignored-start", "Accepted")]
)
async def test_a_start_that_is_not_obeyed_is_answered_and_begins_nothing(central, scenario, answer):
    async with central.listening() as url, playing(scenario, make_station(url)):
        assert await remote_start(central) == [3, {"status": answer}]
    assert central.payloads("StartTransaction") == []
    assert len(central.payloads("Heartbeat")) == 1


async def test_a_silent_station_answers_nothing_and_goes_on_talking(central):
    async with central.listening() as url, playing("silent", make_station(url)):
        await until_up(central)
        asking = asyncio.create_task(central.call("RemoteStartTransaction", {"idTag": "TAG"}))
        await central.until(lambda c: c.payloads("Heartbeat"))
        assert not asking.done()
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
    assert central.payloads("StartTransaction") == []


async def test_without_a_cable_a_start_ends_at_the_timeout_that_the_server_set(central):
    async with central.listening() as url, playing("unplugged-cable", make_station(url)):
        await until_up(central)
        await central.call("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "1"})
        assert await remote_start(central) == [3, {"status": "Accepted"}]
    assert central.actions(1) == [
        "BootNotification",
        "StatusNotification Available",
        "StatusNotification Preparing",
        "StatusNotification Available",
    ]


async def test_a_cached_tag_starts_without_authorize(central):
    async with central.listening() as url:
        await run("cached-tag", make_station(url), "CARD")
    assert central.payloads("Authorize") == []
    assert len(central.payloads("StopTransaction")) == 1


async def test_a_cached_tag_that_the_server_refuses_is_a_failure(central):
    central.verdicts["CARD"] = "Blocked"
    async with central.listening() as url:
        with pytest.raises(ScenarioFailed, match="the tag CARD is Blocked"):
            await run("cached-tag", make_station(url), "CARD")


@pytest.mark.parametrize("scenario", ["cached-tag", "offline", "offline-many", "clock-1970"])
async def test_scenarios_at_the_station_need_a_tag(central, scenario):
    async with central.listening() as url:
        with pytest.raises(ScenarioFailed, match="needs a tag"):
            await run(scenario, make_station(url))
    assert central.connections == []


# --- Stops --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "answer"), [("refused-stop", "Rejected"), ("ignored-stop", "Accepted")]
)
async def test_a_stop_that_is_not_obeyed_ends_when_the_driver_unplugs(central, scenario, answer):
    async with central.listening() as url, playing(scenario, make_station(url, **LONG), "CARD"):
        await until_charging(central)
        stop = await central.call("RemoteStopTransaction", {"transactionId": 1})
        assert stop == [3, {"status": answer}]
    (stop,) = central.payloads("StopTransaction")
    assert stop["reason"] == "EVDisconnected"


@pytest.mark.parametrize(
    ("action", "payload", "answer", "reason"),
    [
        ("UnlockConnector", {"connectorId": 1}, "Unlocked", "UnlockCommand"),
        ("Reset", {"type": "Hard"}, "Accepted", "HardReset"),
    ],
)
async def test_a_stubborn_stop_ends_with_an_unlock_or_a_reset(
    central, action, payload, answer, reason
):
    async with (
        central.listening() as url,
        playing("stubborn-stop", make_station(url, **LONG), "CARD"),
    ):
        await until_charging(central)
        for _ in range(3):
            stop = await central.call("RemoteStopTransaction", {"transactionId": 1})
            assert stop == [3, {"status": "Accepted"}]
        assert not central.payloads("StopTransaction")
        assert await central.call(action, payload) == [3, {"status": answer}]
    (stop,) = central.payloads("StopTransaction")
    assert stop["reason"] == reason


async def test_a_silent_stop_is_never_answered(central):
    async with central.listening() as url, playing("silent-stop", make_station(url, **LONG), "C"):
        await until_charging(central)
        asking = asyncio.create_task(central.call("RemoteStopTransaction", {"transactionId": 1}))
        await central.until(lambda c: c.payloads("StopTransaction"))
        assert not asking.done()
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
    assert central.payloads("StopTransaction")[0]["reason"] == "EVDisconnected"


@pytest.mark.parametrize("scenario", ["silent-stop", "refused-stop", "ignored-stop"])
async def test_a_stop_that_nobody_asks_for_is_a_failure(central, scenario):
    async with central.listening() as url:
        with pytest.raises(ScenarioFailed, match="no RemoteStopTransaction came"):
            await run(scenario, make_station(url), "CARD")


async def test_double_stop_is_the_same_stop_with_two_message_ids(central):
    async with central.listening() as url:
        await run("double-stop", make_station(url), "CARD")
    first, second = [row for row in central.received if row[0] == "StopTransaction"]
    assert first[1] == second[1]
    assert first[2] != second[2]


async def test_double_stop_fails_when_the_second_is_refused(central):
    central.refused["StopTransaction"] = 99
    async with central.listening() as url:
        station = make_station(url)
        failing = asyncio.create_task(run("double-stop", station, "CARD"))
        await station.until(lambda: station.is_ready)
        station.configuration.change("TransactionMessageRetryInterval", "0")
        with pytest.raises(ScenarioFailed, match="StopTransaction was refused for good"):
            await failing


async def test_a_stop_without_a_start_must_be_confirmed(central):
    async with central.listening() as url:
        await run("stop-without-start", make_station(url))
    assert central.payloads("StartTransaction") == []
    central.refused["StopTransaction"] = 1
    async with central.listening() as url:
        with pytest.raises(CallRefused, match="InternalError"):
            await run("stop-without-start", make_station(url))


# --- Network and clock --------------------------------------------------------------------


async def test_reconnect_goes_on_with_the_charge_and_does_not_boot(central):
    async with central.listening() as url:
        await run("reconnect", make_station(url, car_needs_wh=Decimal(2000)), "CARD")
    assert len(central.payloads("BootNotification")) == 1
    assert len(central.connections) == 2
    assert central.actions(2)[0] == "StatusNotification Charging"
    assert central.payloads("StopTransaction")[0]["meterStop"] == 2000


@pytest.mark.parametrize(("scenario", "charges"), [("offline", 1), ("offline-many", 3)])
async def test_offline_charges_are_told_in_order_over_the_next_connection(
    central, scenario, charges
):
    async with central.listening() as url:
        await run(scenario, make_station(url), "CARD")
    assert central.payloads("Authorize") == []
    told = [a for a in central.actions(2) if a in {"StartTransaction", "StopTransaction"}]
    assert told == ["StartTransaction", "StopTransaction"] * charges
    assert [s["meterStop"] for s in central.payloads("StopTransaction")] == [
        1000 * n for n in range(1, charges + 1)
    ]


async def test_state_before_money_tells_every_status_before_the_stop(central):
    async with central.listening() as url:
        await run("state-before-money", make_station(url, **LONG), "CARD")
    told = central.actions(2)
    assert "BootNotification" not in told
    assert told[:3] == [f"StatusNotification {s}" for s in ("Finishing", "Available", "Preparing")]
    assert told.index("StopTransaction") > told.index("MeterValues") > 2


async def test_a_clock_in_1970_dates_everything_then(central):
    async with central.listening() as url:
        await run("clock-1970", make_station(url), "CARD")
    (start,), (stop,) = central.payloads("StartTransaction"), central.payloads("StopTransaction")
    assert start["timestamp"].startswith("1970-01-01T00:00:")
    assert start["timestamp"] < stop["timestamp"] < "1970-01-02"
    assert stop["meterStop"] == 1000


# --- Meters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meter", "last"),
    [
        ("plain", {"value": "1000", "unit": "Wh"}),
        ("wh-labelled-kwh", {"value": "1000", "unit": "kWh"}),
        ("kwh-labelled-wh", {"value": "1.000", "unit": "Wh"}),
        ("kwh", {"value": "1.000", "unit": "kWh"}),
        ("comma-decimals", {"value": "1,000", "unit": "kWh"}),
        ("fractional-strings", {"value": "1000.000", "unit": "Wh"}),
        ("numbers", {"value": 1000.0, "unit": "Wh"}),
        ("negative", {"value": "-1000", "unit": "Wh"}),
        ("export-only", {"value": "1000", "measurand": "Energy.Active.Export.Register"}),
        ("odd-context", {"value": "1000", "context": "Periodic"}),
        ("phases", {"value": "333", "phase": "L1"}),
    ],
)
async def test_a_meter_tells_its_last_reading_in_its_own_way(central, meter, last):
    samples, stop = await charge_with(central, meter)
    assert last.items() <= first_values(samples)[-1].items()
    assert stop["meterStop"] == 1000


@pytest.mark.parametrize(("meter", "label"), [("no-unit", "unit"), ("no-measurand", "measurand")])
async def test_a_label_is_left_out(central, meter, label):
    samples, _ = await charge_with(central, meter)
    assert all(label not in value for value in first_values(samples))


@pytest.mark.parametrize(("meter", "stop"), [("meter-stop-zero", 0), ("meter-stop-kwh", 1)])
async def test_meter_stop_may_be_wrong_on_its_own(central, meter, stop):
    samples, message = await charge_with(central, meter)
    assert message["meterStop"] == stop
    assert first_values(samples)[-1]["value"] == "1000"


@pytest.mark.parametrize(
    ("meter", "said"), [("no-transaction-id", None), ("zero-transaction-id", 0), ("plain", 1)]
)
async def test_samples_say_whose_they_are(central, meter, said):
    samples, stop = await charge_with(central, meter)
    assert {row.get("transactionId") for row in samples} == {said}
    assert stop["transactionId"] == 1


async def test_empty_samples_have_no_value_at_all(central):
    samples, _ = await charge_with(central, "empty-sampled-value")
    assert [row["meterValue"][0]["sampledValue"] for row in samples] == [[]] * len(samples)


async def test_duplicates_come_twice(central):
    samples, _ = await charge_with(central, "duplicates")
    assert samples[::2] == samples[1::2]


async def test_disorder_tells_the_earlier_sample_after_the_later_one(central):
    samples, _ = await charge_with(central, "disorder")
    times = [[value["timestamp"] for value in row["meterValue"]] for row in samples]
    assert len(times[0]) == 1
    assert all(later > earlier for later, earlier in times[1:])


async def test_a_jump_is_one_sample_and_the_next_is_right_again(central):
    samples, stop = await charge_with(central, "jump")
    readings = [int(value["value"]) for value in first_values(samples)]
    assert readings[2] > 1000 * readings[1] / 2 > readings[3]
    assert readings[-1] == stop["meterStop"] == 1000


async def test_celcius_is_misspelt(central):
    samples, _ = await charge_with(central, "celcius")
    assert {row["meterValue"][0]["sampledValue"][-1]["unit"] for row in samples} == {"Celcius"}


@pytest.mark.parametrize(
    ("meter", "starts"),
    [
        ("plain", [0, 1000, 2000]),
        ("per-transaction-register", [0, 0, 0]),
        ("per-boot-register", [0, 1000, 0]),
    ],
)
async def test_a_register_begins_again_where_its_meter_says(central, meter, starts):
    async with central.listening() as url:
        station = make_station(url, meter=METERS[meter])
        for charges in (2, 1):
            async with asyncio.timeout(15), station.powered():
                await station.until(lambda: station.is_ready)
                for _ in range(charges):
                    station.begin(station.connectors[1], "CARD")
                    await station.until(
                        lambda: station.is_silent and not station.memory.transactions
                    )
    assert [row["meterStart"] for row in central.payloads("StartTransaction")] == starts
    assert [row["meterStop"] for row in central.payloads("StopTransaction")] == [
        start + 1000 for start in starts
    ]
