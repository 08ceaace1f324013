"""Reservations that staff make by hand, as the station keeps them."""

import pytest

from .kit import (
    FREE_TAG,
    MASTER_GROUP,
    MASTER_TAG,
    UNKNOWN_TAG,
    authorize,
    booted,
    finish,
    start,
    status,
)

RESERVATION = {
    "connectorId": 1,
    "expiryDate": "2036-01-01T00:00:00Z",
    "idTag": FREE_TAG,
    "reservationId": 11,
}


@pytest.fixture
def reserve(central, point, station_id):
    async def reserve(**changes):
        point.answers["ReserveNow"] = {"status": "Accepted"}
        point.answers["CancelReservation"] = {"status": "Accepted"}
        await booted(point)
        row = await central.carry_out(station_id, "ReserveNow", RESERVATION | changes)
        assert row["response"] == {"status": "Accepted"}
        await status(point, "Reserved", changes.get("connectorId", 1))

    return reserve


async def test_tc_046_the_reserved_card_charges(central, point, station_id, reserve):
    await reserve()
    assert await central.connector(station_id) == "Reserved"
    assert (await authorize(point, FREE_TAG))["status"] == "Accepted"
    await status(point, "Preparing")
    begun = await start(point, FREE_TAG, reservationId=11)
    assert begun["idTagInfo"]["status"] == "Accepted"
    await status(point, "Charging")
    await finish(point, begun["transactionId"])
    session = await central.session_of(begun["transactionId"], station_id)
    assert session["status"] == "completed"


async def test_tc_047_it_expires(central, point, station_id, reserve):
    await reserve()
    await status(point, "Available")
    assert await central.connector(station_id) == "Available"


async def test_tc_049_the_whole_station(central, point, station_id, reserve):
    await reserve(connectorId=0)
    begun = await start(point, FREE_TAG, connectorId=2, reservationId=11)
    assert begun["idTagInfo"]["status"] == "Accepted"
    await finish(point, begun["transactionId"])


async def test_tc_051_it_is_cancelled(central, point, station_id, reserve):
    await reserve()
    row = await central.carry_out(station_id, "CancelReservation", {"reservationId": 11})
    assert row["response"] == {"status": "Accepted"}
    await status(point, "Available")
    assert await central.connector(station_id) == "Available"


async def test_tc_053_a_card_of_the_group_charges(central, point, station_id, reserve):
    await reserve(parentIdTag=MASTER_GROUP)
    assert (await authorize(point, MASTER_TAG))["parentIdTag"] == MASTER_GROUP
    begun = await start(point, MASTER_TAG, reservationId=11)
    assert begun["idTagInfo"] == {"status": "Accepted", "parentIdTag": MASTER_GROUP}
    await finish(point, begun["transactionId"])


async def test_no_app_starts_on_a_reserved_connector(central, point, station_id, reserve):
    await central.client.post("/billing/topups", json={"amount": "100", "provider": "manual"})
    await reserve()
    wanted = {"station_id": station_id, "limit_type": "full", "connector_id": 1}
    refused = await central.client.post("/ocpp/start_charge", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (409, "connector_reserved")


async def test_an_unknown_card_is_refused_on_a_reserved_connector(point, reserve):
    await reserve()
    begun = await start(point, UNKNOWN_TAG, reservationId=11)
    assert begun["idTagInfo"]["status"] == "Invalid"


@pytest.mark.parametrize("number", [0, -1, 2_000_000_000])
async def test_a_reservation_that_nobody_made_stops_no_charge(central, point, station_id, number):
    await booted(point)
    begun = await start(point, FREE_TAG, reservationId=number)
    assert begun["idTagInfo"]["status"] == "Accepted"
    await finish(point, begun["transactionId"])
    session = await central.session_of(begun["transactionId"], station_id)
    assert (session["status"], session["energy_kwh"]) == ("completed", "2.000")
