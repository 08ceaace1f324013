"""What a simulated station answers to each call of the central system."""

import asyncio
import contextlib
from decimal import Decimal

import pytest

from stations.simulator.connector import Setup
from stations.simulator.station import SimulatedStation
from stations.tests.central import Central


@contextlib.asynccontextmanager
async def connected(**changes):
    """A central system and a station with two connectors that has told its statuses."""
    central = Central()
    async with central.listening() as url:
        values = {
            "url": url,
            "station_id": "S-1",
            "connectors": 2,
            "speed": Decimal(120),
            "interval_s": Decimal("0.05"),
        } | changes
        station = SimulatedStation(Setup(**values))
        async with asyncio.timeout(15), station.powered():
            await station.until(lambda: station.is_ready)
            yield central, station


async def charging(central, connector_id=1):
    await central.call("RemoteStartTransaction", {"connectorId": connector_id, "idTag": "TAG"})
    await central.until(lambda c: c.payloads("MeterValues"))


async def status_of(central, action, **payload):
    kind, answer = await central.call(action, payload)
    assert kind == 3
    return answer["status"]


async def test_remote_start_takes_the_first_free_connector():
    async with connected() as (central, station):
        assert await status_of(central, "RemoteStartTransaction", idTag="A") == "Accepted"
        assert await status_of(central, "RemoteStartTransaction", idTag="B") == "Accepted"
        assert await status_of(central, "RemoteStartTransaction", idTag="C") == "Rejected"
        assert {c.transaction.id_tag for c in station.connectors.values()} == {"A", "B"}


async def test_remote_start_is_rejected_on_a_connector_that_charges():
    async with connected() as (central, _):
        await charging(central)
        answer = await status_of(central, "RemoteStartTransaction", connectorId=1, idTag="B")
        assert answer == "Rejected"


async def test_remote_stop_of_another_transaction_is_rejected():
    async with connected() as (central, station):
        await charging(central)
        assert await status_of(central, "RemoteStopTransaction", transactionId=77) == "Rejected"
        assert station.connectors[1].transaction is not None


async def test_a_profile_limits_the_power():
    async with connected(power_w=Decimal(60_000), speed=Decimal(1)) as (central, station):
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7400.0}],
            },
        }
        answer = await status_of(
            central,
            "SetChargingProfile",
            connectorId=1,
            csChargingProfiles=profile,
        )
        assert answer == "Rejected", "a TxProfile belongs to a transaction"
        await central.call(
            "RemoteStartTransaction",
            {"connectorId": 1, "idTag": "TAG", "chargingProfile": profile},
        )
        await station.until(lambda: station.connectors[1].power_w)
        assert station.connectors[1].power_w == 7400
        assert await status_of(central, "ClearChargingProfile") == "Accepted"
        await station.until(lambda: station.connectors[1].power_w == 60_000)


async def test_configuration_is_read_and_changed():
    async with connected() as (central, _):
        change = "ChangeConfiguration"
        key = "MeterValueSampleInterval"
        assert await status_of(central, change, key=key, value="2") == "Accepted"
        assert await status_of(central, change, key=key, value="soon") == "Rejected"
        assert await status_of(central, change, key="NumberOfConnectors", value="9") == "Rejected"
        assert await status_of(central, change, key="NoSuchKey", value="1") == "NotSupported"
        _, answer = await central.call("GetConfiguration", {"key": [key, "NoSuchKey"]})
        assert answer == {
            "configurationKey": [{"key": key, "readonly": False, "value": "2"}],
            "unknownKey": ["NoSuchKey"],
        }
        _, answer = await central.call("GetConfiguration", {})
        assert len(answer["configurationKey"]) > 15
        assert answer["unknownKey"] == []


async def test_the_authorization_key_is_never_read_and_counts_at_the_next_handshake():
    async with connected(key="old-key-1") as (central, station):
        answer = await status_of(
            central, "ChangeConfiguration", key="AuthorizationKey", value="new-key-1"
        )
        assert answer == "Accepted"
        _, read = await central.call("GetConfiguration", {"key": ["AuthorizationKey"]})
        assert read["unknownKey"] == ["AuthorizationKey"]
        station.cut_socket()
        await central.until(lambda c: len(c.credentials) == 2)
        assert central.credentials[0] != central.credentials[1]


async def test_a_reset_ends_the_charge_and_boots_again():
    async with connected() as (central, _):
        await charging(central)
        assert await status_of(central, "Reset", type="Hard") == "Accepted"
        await central.until(lambda c: c.payloads("StopTransaction"))
        (stop,) = central.payloads("StopTransaction")
        assert stop["reason"] == "HardReset"
        assert len(central.payloads("BootNotification")) == 2


async def test_unlocking_ends_the_charge():
    async with connected() as (central, _):
        await charging(central)
        assert await status_of(central, "UnlockConnector", connectorId=1) == "Unlocked"
        await central.until(lambda c: c.payloads("StopTransaction"))
        assert central.payloads("StopTransaction")[0]["reason"] == "UnlockCommand"
        assert await status_of(central, "UnlockConnector", connectorId=9) == "NotSupported"


async def test_a_busy_connector_becomes_unavailable_after_its_charge():
    async with connected() as (central, station):
        await charging(central)
        answer = await status_of(central, "ChangeAvailability", connectorId=1, type="Inoperative")
        assert answer == "Scheduled"
        await central.call("RemoteStopTransaction", {"transactionId": 1})
        await station.until(lambda: station.connectors[1].status == "Unavailable")
        assert await status_of(central, "RemoteStartTransaction", connectorId=1, idTag="A") == (
            "Rejected"
        )


@pytest.mark.parametrize(
    "message", ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues"]
)
async def test_a_triggered_message_comes(message):
    async with connected() as (central, _):
        before = len(central.payloads(message))
        assert await status_of(central, "TriggerMessage", requestedMessage=message) == "Accepted"
        await central.until(lambda c: len(c.payloads(message)) > before)


async def test_what_it_cannot_trigger_it_says():
    async with connected() as (central, _):
        wanted = "SignChargePointCertificate"
        answer = await status_of(central, "TriggerMessage", requestedMessage=wanted)
        assert answer == "NotImplemented"


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("CostUpdated", {}, "NotImplemented"),
        ("SignedUpdateFirmware", {}, "FormationViolation"),
        ("UpdateFirmware", {"location": "x", "retrieveDate": "soon"}, "FormationViolation"),
        ("RemoteStartTransaction", {}, "FormationViolation"),
        ("ChangeConfiguration", {"key": "HeartbeatInterval"}, "FormationViolation"),
    ],
)
async def test_what_it_does_not_understand_gets_a_call_error(action, payload, code):
    async with connected() as (central, _):
        kind, answer_code, *_ = await central.call(action, payload)
        assert (kind, answer_code) == (4, code)


async def test_frames_that_are_no_ocpp_are_ignored():
    async with connected() as (central, station):
        for text in ("[]", "{}", "null", '[2,"x"]', "not json", '[3,"unknown",{}]'):
            await central.connections[-1].send(text)
        assert await status_of(central, "ClearCache") == "Accepted"
        assert station.is_ready
