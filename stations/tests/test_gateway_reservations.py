"""Reservations on the wire, as public suites play them against a central system (046 to 053)."""

import datetime as dt

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from sessions_app.models import ChargingSession, IdTag, Reservation
from sessions_app.services import reserve
from sessions_app.services.holds import Limit
from sessions_app.services.reserve import Holder
from sessions_app.services.start import request_start
from sessions_app.tests.test_api_reservations import PATH
from stations import registry
from stations.errors import ConnectorReserved
from stations.models import Command, Connector
from stations.tests.cast import signed_in
from stations.tests.test_gateway_setup import until

ACCEPTED = {"ReserveNow": {"status": "Accepted"}, "CancelReservation": {"status": "Accepted"}}


@pytest.fixture
def card(k1, olga):
    return IdTag.objects.create(id_tag="CARD1", identity="card1", parent_id_tag="FLEET")


def now():
    return timezone.now().isoformat(timespec="seconds").replace("+00:00", "Z")


async def post(user, path, said):
    def send():
        return signed_in(user).post(path, said, format="json")

    return await sync_to_async(send)()


async def ask(user, **said):
    """POST /ocpp/reservations; return the row."""
    said = {"station_id": "K-1", "connector_id": 1, "minutes": 20, **said}
    answer = await post(user, PATH, said)
    assert answer.status_code == 202, answer.json()
    return await Reservation.objects.aget(pk=answer.json()["id"])


async def is_in(reservation, state):
    async def check():
        return await Reservation.objects.filter(pk=reservation.pk, state=state).aexists()

    await until(check)
    await reservation.arefresh_from_db()


async def status(station, connector_id, name):
    said = {"connectorId": connector_id, "status": name, "errorCode": "NoError"}
    assert await station.call("StatusNotification", said) == {}


async def start(station, id_tag, reservation_id=None, connector_id=1):
    said = {"connectorId": connector_id, "idTag": id_tag, "meterStart": 0, "timestamp": now()}
    if reservation_id is not None:
        said["reservationId"] = reservation_id
    answer = await station.call("StartTransaction", said)
    assert answer["idTagInfo"]["status"] == "Accepted"
    return answer["transactionId"]


async def boot(plug_in, **answers):
    station = await plug_in(answers={**ACCEPTED, **answers})
    await station.boot()
    return station


async def test_046_a_reserved_connector_is_used(plug_in, card, olga):
    station = await boot(plug_in)
    reservation = await ask(olga, id_tag="CARD1")
    asked = await station.expect_call("ReserveNow")
    assert (asked["connectorId"], asked["idTag"]) == (1, "CARD1")
    await is_in(reservation, "held")
    await status(station, 1, "Reserved")
    authorized = await station.call("Authorize", {"idTag": "CARD1"})
    assert authorized["idTagInfo"]["status"] == "Accepted"
    transaction_id = await start(station, "CARD1", asked["reservationId"])
    await is_in(reservation, "used")
    session = await ChargingSession.objects.aget(pk=reservation.session_id)
    assert session.transaction_id == transaction_id


async def test_046_a_driver_uses_their_place_with_the_app(plug_in, k1, alice):
    station = await boot(plug_in)
    reservation = await ask(alice)
    asked = await station.expect_call("ReserveNow")
    await is_in(reservation, "held")
    await status(station, 1, "Reserved")
    order = {"station_id": "K-1", "limit_type": "amount", "limit_value": "100"}
    assert (await post(alice, "/ocpp/start_charge", order)).status_code == 202
    started = await station.expect_call("RemoteStartTransaction")
    assert (started["idTag"], started["connectorId"]) == (asked["idTag"], 1)
    await start(station, started["idTag"], asked["reservationId"])
    await is_in(reservation, "used")


async def test_047_an_unused_reservation_expires(plug_in, k1, alice):
    station = await boot(plug_in)
    reservation = await ask(alice, minutes=1)
    asked = await station.expect_call("ReserveNow")
    left = dt.datetime.fromisoformat(asked["expiryDate"]) - timezone.now()
    assert dt.timedelta(seconds=50) < left <= dt.timedelta(seconds=60)
    await is_in(reservation, "held")
    await status(station, 1, "Reserved")
    await sync_to_async(reserve.run_due)(reservation.expires_at)
    await is_in(reservation, "expired")
    await status(station, 1, "Available")
    assert not [call for call in station.calls if call[0] == "CancelReservation"]
    connector = await Connector.objects.aget(station=k1, connector_id=1)
    assert connector.status == "Available"


@pytest.mark.parametrize("answer", ["Faulted", "Occupied", "Unavailable", "Rejected"])
async def test_048_a_station_that_cannot_reserve_is_asked_and_believed(plug_in, card, olga, answer):
    station = await boot(plug_in, ReserveNow={"status": answer})
    seen = {"Occupied": "Charging", "Rejected": "Available"}.get(answer, answer)
    await status(station, 1, seen)
    reservation = await ask(olga, id_tag="CARD1")
    assert (await station.expect_call("ReserveNow"))["connectorId"] == 1
    await is_in(reservation, "refused")
    assert reservation.error_code == answer.lower()


async def test_048_a_connector_with_a_transaction_is_asked_for(plug_in, card, olga):
    station = await boot(plug_in, ReserveNow={"status": "Occupied"})
    await start(station, "CARD1")
    reservation = await ask(olga, id_tag="CARD1")
    await is_in(reservation, "refused")


async def test_049_any_connector_is_reserved_and_used(plug_in, card, olga):
    station = await boot(plug_in)
    reservation = await ask(olga, id_tag="CARD1", connector_id=0)
    asked = await station.expect_call("ReserveNow")
    assert asked["connectorId"] == 0
    await is_in(reservation, "held")
    await status(station, 0, "Reserved")
    await start(station, "CARD1", asked["reservationId"], connector_id=2)
    await is_in(reservation, "used")


@pytest.mark.parametrize("answer", ["Accepted", "Rejected"])
async def test_051_and_052_a_reservation_is_cancelled(plug_in, card, olga, answer):
    station = await boot(plug_in, CancelReservation={"status": answer})
    reservation = await ask(olga, id_tag="CARD1")
    await is_in(reservation, "held")
    path = f"{PATH}/{reservation.pk}/cancel"
    answered = await post(olga, path, {"reason": "changed plans"})
    assert (answered.status_code, answered.json()["status"]) == (202, "cancelled")
    asked = await station.expect_call("CancelReservation")
    assert asked == {"reservationId": reservation.pk}

    async def is_known():
        return not (await Reservation.objects.aget(pk=reservation.pk)).is_at_station

    await until(is_known)


async def test_053_a_card_with_the_parent_uses_the_place(plug_in, card, olga):
    await IdTag.objects.acreate(id_tag="CARD2", identity="card2", parent_id_tag="FLEET")
    station = await boot(plug_in)
    reservation = await ask(olga, id_tag="CARD1")
    asked = await station.expect_call("ReserveNow")
    assert (asked["idTag"], asked["parentIdTag"]) == ("CARD1", "FLEET")
    await is_in(reservation, "held")
    authorized = await station.call("Authorize", {"idTag": "CARD2"})
    assert authorized["idTagInfo"] == {"status": "Accepted", "parentIdTag": "FLEET"}
    await start(station, "CARD2", asked["reservationId"])
    await is_in(reservation, "used")


async def test_053_a_card_of_another_parent_is_told_its_own(plug_in, card, olga):
    await IdTag.objects.acreate(id_tag="CARD2", identity="card2", parent_id_tag="OTHER")
    station = await boot(plug_in)
    reservation = await ask(olga, id_tag="CARD1")
    await is_in(reservation, "held")
    authorized = await station.call("Authorize", {"idTag": "CARD2"})
    assert authorized["idTagInfo"]["parentIdTag"] == "OTHER"
    await start(station, "CARD2")
    await reservation.arefresh_from_db()
    assert reservation.state == "held"


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
async def test_a_station_that_knows_no_reservations_leaves_it_to_kubat(plug_in, k1, alice, code):
    await boot(plug_in, ReserveNow=[code, ""])
    reservation = await ask(alice)
    await is_in(reservation, "held")
    assert not reservation.is_at_station


@pytest.mark.parametrize("answer", [{}, {"status": "Yes"}, {"status": 1}])
async def test_an_answer_that_breaks_the_schema_is_asked_for_again(plug_in, k1, alice, answer):
    answers = iter([answer, {"status": "Accepted"}])
    station = await boot(plug_in, ReserveNow=lambda payload: next(answers))
    reservation = await ask(alice)
    first, second = [await station.expect_call("ReserveNow", count=n) for n in (1, 2)]
    assert first == second
    await is_in(reservation, "held")


async def test_a_socket_that_dies_before_the_answer_is_followed_by_the_same_call(
    plug_in, k1, alice
):
    station = await boot(plug_in, ReserveNow=None)
    reservation = await ask(alice)
    first = await station.expect_call("ReserveNow")
    await station.close()
    station = await boot(plug_in)
    assert await station.expect_call("ReserveNow") == first
    await is_in(reservation, "held")


async def test_a_raw_call_of_staff_goes_out_as_it_is_and_is_theirs(plug_in, k1, alice, olga):
    station = await boot(plug_in)
    payload = {
        "reservationId": 7,
        "connectorId": 1,
        "idTag": "ANY",
        "expiryDate": "2030-01-01T00:00:00Z",
    }
    command = await sync_to_async(registry.ask_station)(
        station=k1, action="ReserveNow", payload=payload, by=olga
    )
    assert await station.expect_call("ReserveNow") == payload

    async def is_answered():
        return await Command.objects.filter(pk=command.pk, status="answered").aexists()

    await until(is_answered)
    assert not await Reservation.objects.aexists()
    await status(station, 1, "Reserved")
    with pytest.raises(ConnectorReserved):
        await sync_to_async(request_start)(
            driver=alice,
            station_id="K-1",
            connector_id=1,
            limit=Limit(ChargingSession.LimitType.FULL),
            actor=alice,
        )


@pytest.mark.parametrize("reservation_id", [0, -1, 999_999, 2**40])
async def test_a_start_that_names_no_reservation_of_ours_is_a_start(plug_in, card, reservation_id):
    station = await boot(plug_in)
    await start(station, "CARD1", reservation_id)
    assert await ChargingSession.objects.filter(status="charging").aexists()


async def test_a_reservation_of_another_station_is_not_used(plug_in, card, olga):
    station = await boot(plug_in)
    reservation = await ask(olga, id_tag="CARD1", connector_id=2)
    await is_in(reservation, "held")
    other = await sync_to_async(registry.register_station)(
        facts={"station_id": "K-2", "security_profile": 0}, by=olga
    )
    elsewhere = await plug_in("K-2", answers=ACCEPTED)
    await start(elsewhere, "CARD1", reservation.pk)
    await reservation.arefresh_from_db()
    assert reservation.state == "held"
    assert await other.station.sessions.acount() == 1
    assert station.close_code is None


def test_the_holder_of_a_place_may_be_a_card_alone(card):
    assert Holder(card=card).driver is None
