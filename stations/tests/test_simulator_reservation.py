"""How a simulated station keeps a connector for a tag (OCPP 1.6 §5.13)."""

import datetime as dt

import pytest

from stations.simulator.errors import ScenarioFailed
from stations.tests.test_simulator_answers import connected, status_of


def reservation(**changes):
    expiry = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    wanted = {"connectorId": 1, "reservationId": 7, "idTag": "MINE"}
    return wanted | {"expiryDate": expiry.isoformat()} | changes


async def reserve(central, **changes):
    return await status_of(central, "ReserveNow", **reservation(**changes))


async def test_the_holder_starts_and_names_the_reservation():
    async with connected() as (central, station):
        assert await reserve(central) == "Accepted"
        await station.until(lambda: station.connectors[1].status == "Reserved")
        started = await status_of(central, "RemoteStartTransaction", connectorId=1, idTag="MINE")
        assert started == "Accepted"
        await central.until(lambda c: c.payloads("StartTransaction"))
        assert await status_of(central, "CancelReservation", reservationId=7) == "Rejected"
    assert central.payloads("StartTransaction")[0]["reservationId"] == 7
    assert "StatusNotification Reserved" in central.actions(1)


async def test_another_tag_starts_nothing_there_and_takes_the_next_connector():
    async with connected() as (central, station):
        await reserve(central)
        refused = await status_of(central, "RemoteStartTransaction", connectorId=1, idTag="OTHER")
        assert refused == "Rejected"
        with pytest.raises(ScenarioFailed, match="reserved for another tag"):
            await station.present_tag(station.connectors[1], "OTHER")
        assert station.connectors[1].status == "Reserved"
        assert await status_of(central, "RemoteStartTransaction", idTag="OTHER") == "Accepted"
        await central.until(lambda c: c.payloads("StartTransaction"))
    (start,) = central.payloads("StartTransaction")
    assert start["connectorId"] == 2
    assert "reservationId" not in start


async def test_a_tag_of_the_same_parent_may_start():
    async with connected() as (central, station):
        await reserve(central, parentIdTag="FAMILY")
        assert station.connectors[1].admits("OTHER", "FAMILY")
        assert not station.connectors[1].admits("OTHER", "NEIGHBOURS")
        assert not station.connectors[1].admits("OTHER")


async def test_it_expires():
    async with connected() as (central, station):
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.3)
        assert await reserve(central, expiryDate=soon.isoformat()) == "Accepted"
        await station.until(lambda: station.connectors[1].status == "Reserved")
        await station.until(lambda: station.connectors[1].status == "Available")
        assert await status_of(central, "CancelReservation", reservationId=7) == "Rejected"


async def test_a_cancelled_one_is_free_for_all():
    async with connected() as (central, station):
        await reserve(central)
        assert await status_of(central, "CancelReservation", reservationId=8) == "Rejected"
        assert await status_of(central, "CancelReservation", reservationId=7) == "Accepted"
        assert station.connectors[1].status == "Available"
        assert station.connectors[1].admits("OTHER")


async def test_the_same_id_replaces_it_and_another_id_is_occupied():
    async with connected() as (central, station):
        await reserve(central)
        assert await reserve(central, reservationId=8) == "Occupied"
        assert await reserve(central, idTag="NEW") == "Accepted"
        assert not station.connectors[1].admits("MINE")


@pytest.mark.parametrize(("connector_id", "status"), [(0, "Rejected"), (9, "Rejected")])
async def test_a_connector_that_cannot_be_reserved(connector_id, status):
    async with connected() as (central, _):
        assert await reserve(central, connectorId=connector_id) == status


async def test_neither_an_inoperative_nor_a_faulted_connector_is_reserved():
    async with connected() as (central, station):
        await status_of(central, "ChangeAvailability", connectorId=1, type="Inoperative")
        assert await reserve(central) == "Unavailable"
        station.set_status(station.connectors[2], "Faulted")
        assert await reserve(central, connectorId=2) == "Faulted"
