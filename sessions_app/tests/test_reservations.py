"""A place that is held: who may use it, what the station answers, and how it ends."""

import datetime as dt

import pytest
from django.utils import timezone

from billing.errors import Forbidden, InsufficientFunds, Invalid
from billing.models import User
from conftest import top_up
from sessions_app.errors import ReservationEnded, ReservationLimit, ReservationNotFound
from sessions_app.facts import Started
from sessions_app.models import ChargingSession, IdTag, Reservation
from sessions_app.services import authorize, begin, calls, expire, guest, reserve
from sessions_app.services.reserve import Holder
from sessions_app.tests.promises import check_books, check_sessions
from stations.errors import (
    ConnectorBusy,
    ConnectorReserved,
    StationDisabled,
    StationNotFound,
    StationOffline,
)
from stations.models import Alert, Command, Connector, Station
from stations.tests.cast import break_rows

pytestmark = pytest.mark.django_db
MINUTES = dt.timedelta(minutes=1)


def hold(stage, driver=None, *, connector_id=1, card=None, actor=None, minutes=20):
    return reserve.reserve(
        holder=Holder(driver, card),
        station_id=stage.station.station_id,
        connector_id=connector_id,
        expires_at=timezone.now() + minutes * MINUTES,
        actor=actor or driver,
    )


def held(stage, driver=None, **where):
    """A reservation that the station accepted."""
    reservation = hold(stage, driver, **where)
    stage.answer(stage.take_command())
    return again(reservation)


def again(row):
    row.refresh_from_db()
    return row


def card_of(user, text="CARD1", **more):
    return IdTag.objects.create(id_tag=text, identity=text.casefold(), user=user, **more)


@pytest.fixture
def carol(db):
    user = User.objects.create_user("carol@example.org", email="carol@example.org")
    top_up(user, 100_000)
    return user


def sent(action):
    return [row.payload for row in Command.objects.filter(action=action).order_by("created_at")]


def begin_at(stage, tag, *, connector_id=1, reservation_id=None):
    fact = Started(connector_id, tag, stage.register_wh, stage.now, stage.now, reservation_id)
    return begin.begin(station=stage.station, fact=fact)


# --- What is asked of the station -------------------------------------------------------------


def test_the_station_is_asked_with_a_tag_of_the_reservation(stage, alice):
    reservation = hold(stage, alice)
    command = stage.take_command()
    assert command.action == "ReserveNow"
    assert command.payload == {
        "reservationId": reservation.pk,
        "connectorId": 1,
        "idTag": reservation.id_tag,
        "expiryDate": reservation.expires_at.isoformat(timespec="milliseconds").replace(
            "+00:00", "Z"
        ),
    }
    assert 0 < reservation.pk < 2**31
    assert len(reservation.id_tag) == 20
    assert reservation.state == "requested"
    stage.answer(command)
    assert (again(reservation).state, reservation.is_at_station) == ("held", True)


@pytest.mark.parametrize("answer", ["Faulted", "Occupied", "Rejected", "Unavailable"])
def test_what_the_station_refuses_bars_nobody(stage, alice, carol, answer):
    reservation = hold(stage, alice)
    stage.answer(stage.take_command(), answer)
    assert (again(reservation).state, reservation.error_code) == ("refused", answer.lower())
    assert reservation.ended_at is not None
    assert stage.ask(carol, value="100").status == "requested"


@pytest.mark.parametrize("code", ["NotImplemented", "NotSupported"])
def test_a_station_without_reservations_leaves_it_to_kubat(stage, alice, carol, code):
    reservation = hold(stage, alice)
    calls.record_refusal(stage.take_command().pk, code, "")
    assert (again(reservation).state, reservation.is_at_station) == ("held", False)
    with pytest.raises(ConnectorReserved):
        stage.ask(carol, value="100")
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    assert not sent("CancelReservation"), "it would not know what that is"


@pytest.mark.parametrize("connector_id", [0, 1])
def test_kubat_alone_holds_no_place_that_is_not_free(stage, alice, connector_id):
    Connector.objects.update(status="Charging")
    reservation = hold(stage, alice, connector_id=connector_id)
    calls.record_refusal(stage.take_command().pk, "NotImplemented", "")
    assert (again(reservation).state, reservation.error_code) == ("refused", "occupied")


def test_any_other_error_refuses(stage, alice):
    reservation = hold(stage, alice)
    calls.record_refusal(stage.take_command().pk, "InternalError", "")
    assert (again(reservation).state, reservation.error_code) == ("refused", "station_rejected")


def test_a_lost_answer_is_asked_for_again_with_the_same_id(stage, alice):
    reservation = hold(stage, alice)
    stage.take_command()
    stage.disconnect()
    stage.reconnect()
    command = stage.take_command()
    assert [row["reservationId"] for row in sent("ReserveNow")] == [reservation.pk] * 2
    stage.answer(command)
    assert again(reservation).state == "held"


@pytest.mark.parametrize("code", ["", "invalid_response"])
def test_a_station_that_never_answers_gives_up_and_is_told_to_forget(stage, alice, code):
    reservation = hold(stage, alice)
    for _ in range(reserve.MAX_TRIES):
        command = stage.take_command()
        assert command.action == "ReserveNow"
        if code:
            calls.record_refusal(command.pk, code, "")
        else:
            calls.record_silence(command.pk)
    assert (again(reservation).state, reservation.error_code) == ("refused", "station_timeout")
    assert stage.take_command().payload == {"reservationId": reservation.pk}


def test_a_call_that_never_went_out_refuses(stage, alice):
    reservation = hold(stage, alice)
    stage.disconnect()
    calls.record_expiry(Command.objects.get().pk)
    assert (again(reservation).state, reservation.error_code) == ("refused", "station_timeout")


def test_a_raw_call_of_staff_makes_no_reservation(stage, alice, olga):
    command = Command.objects.create(
        station=stage.station, action="ReserveNow", lane=2, payload={}, requested_by=olga
    )
    stage.take_command()
    stage.answer(command)
    assert not Reservation.objects.exists()
    Connector.objects.filter(connector_id=1).update(status="Reserved")
    with pytest.raises(ConnectorReserved):
        stage.ask(alice, value="100")


# --- Who may reserve --------------------------------------------------------------------------


def test_a_driver_without_money_may_not_reserve(stage, bob):
    with pytest.raises(InsufficientFunds):
        hold(stage, bob)
    assert not Reservation.objects.exists()


def test_staff_may_reserve_for_a_driver_without_money(stage, bob, olga):
    assert hold(stage, bob, actor=olga).user == bob


def test_a_driver_holds_one_place_at_a_time(stage, alice, settings):
    first = held(stage, alice)
    with pytest.raises(ReservationLimit):
        hold(stage, alice, connector_id=2)
    reserve.cancel(reservation_id=first.pk, actor=alice)
    settings.CSMS_RESERVATIONS_PER_DRIVER = 2
    hold(stage, alice)
    hold(stage, alice, connector_id=2)


def test_a_driver_holds_a_place_for_a_limited_time(stage, alice, olga, settings):
    settings.CSMS_RESERVATION_MINUTES = 15
    hold(stage, alice, minutes=15)
    for minutes in (16, 0, -1):
        with pytest.raises(Invalid):
            hold(stage, alice, minutes=minutes)
    assert hold(stage, actor=olga, card=card_of(None), minutes=600, connector_id=2)
    with pytest.raises(Invalid):
        hold(stage, actor=olga, card=card_of(None, "CARD2"), minutes=24 * 60 + 1, connector_id=2)


def test_a_blocked_driver_holds_nothing(stage, alice, olga):
    alice.is_active = False
    alice.save()
    with pytest.raises(Forbidden):
        hold(stage, alice, actor=olga)


@pytest.mark.parametrize(
    "more", [{"status": "Blocked"}, {"expires_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}]
)
def test_a_card_that_may_not_charge_holds_nothing(stage, alice, olga, more):
    with pytest.raises(Invalid):
        hold(stage, alice, card=card_of(alice, **more), actor=olga)


def test_a_card_of_another_is_not_this_drivers(stage, alice, carol, olga):
    with pytest.raises(Invalid):
        hold(stage, alice, card=card_of(carol), actor=olga)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"enabled": False}, StationDisabled),
        ({"owner": None}, StationOffline),
        ({"identity": "other"}, StationNotFound),
    ],
)
def test_a_station_that_cannot_be_asked_refuses(stage, alice, change, error):
    Station.objects.update(**change)
    with pytest.raises(error):
        hold(stage, alice)
    assert not Reservation.objects.exists()


def test_an_unknown_connector_is_refused(stage, alice):
    with pytest.raises(Invalid):
        hold(stage, alice, connector_id=7)


def test_a_connector_is_reserved_once(stage, alice, carol):
    hold(stage, alice)
    with pytest.raises(ConnectorReserved):
        hold(stage, carol)


def test_kubat_chooses_the_lowest_free_connector(stage, alice, carol, olga):
    Connector.objects.filter(connector_id=1).update(status="Charging")
    assert hold(stage, alice, connector_id=None).connector_id == 2
    with pytest.raises(ConnectorReserved):
        hold(stage, carol, connector_id=None)
    Connector.objects.update(status="Faulted")
    with pytest.raises(ConnectorBusy):
        hold(stage, carol, connector_id=None)


@pytest.mark.parametrize(("value", "chosen"), [("true", 0), ("TRUE", 0), ("false", 1), (None, 1)])
def test_any_connector_will_do_where_the_station_can(stage, alice, value, chosen):
    configuration = {"ReserveConnectorZeroSupported": {"value": value}}
    Station.objects.update(configuration=configuration)
    assert hold(stage, alice, connector_id=None).connector_id == chosen


# --- Starts by the app ------------------------------------------------------------------------


def test_the_holder_starts_with_the_tag_that_the_station_knows(stage, alice):
    reservation = held(stage, alice)
    Connector.objects.filter(connector_id=1).update(status="Reserved")
    session = stage.ask(alice, value="500")
    command = stage.take_command()
    assert command.payload == {"connectorId": 1, "idTag": reservation.id_tag}
    stage.answer(command)
    verdict = begin_at(stage, reservation.id_tag, reservation_id=reservation.pk)
    assert verdict.tag.status == "Accepted"
    assert (again(reservation).state, reservation.session) == ("used", session)
    assert not sent("CancelReservation"), "the station knows it by itself"
    stage.deliver(verdict.transaction_id, 4000)
    stage.end(verdict.transaction_id)
    assert again(session).cost_minor == 5000
    check_books()
    check_sessions()


def test_another_is_kept_away(stage, alice, carol):
    reservation = held(stage, alice)
    with pytest.raises(ConnectorReserved):
        stage.ask(carol, value="500")
    with pytest.raises(ConnectorReserved):
        guest.open_charge(
            station_id="K-1", connector_id=1, amount=10_000, provider="manual", seller=None
        )
    assert stage.ask(carol, value="500", connector_id=2)
    assert not ChargingSession.objects.filter(connector_id=1).exists()
    assert again(reservation).state == "held"


def test_a_reservation_bars_from_the_moment_that_it_is_asked_for(stage, alice, carol):
    hold(stage, alice)
    with pytest.raises(ConnectorReserved):
        stage.ask(carol, value="500")


def test_kubat_chooses_the_drivers_place_and_no_one_elses(stage, alice, carol):
    Connector.objects.filter(connector_id=1).update(status="Preparing")
    held(stage, alice, connector_id=2)
    assert stage.ask(alice, value="100", connector_id=None).connector_id == 2
    assert stage.ask(carol, value="100", connector_id=None).connector_id == 1


def test_what_is_reserved_is_never_chosen(stage, alice, carol):
    Connector.objects.filter(connector_id=1).update(status="Preparing")
    held(stage, alice)
    assert stage.ask(carol, value="100", connector_id=None).connector_id == 2


def test_a_place_anywhere_keeps_one_connector_free(stage, alice, carol, bob):
    reservation = held(stage, alice, connector_id=0)
    top_up(bob, 10_000)
    assert stage.ask(carol, value="100", connector_id=1)
    with pytest.raises(ConnectorReserved):
        stage.ask(bob, value="100", connector_id=2)
    with pytest.raises(ConnectorReserved):
        stage.ask(bob, value="100", connector_id=None)
    session = stage.ask(alice, value="100", connector_id=None)
    assert (session.connector_id, session.id_tag) == (2, reservation.id_tag)


def test_a_faulted_connector_is_not_the_one_that_is_kept_free(stage, alice, carol):
    held(stage, alice, connector_id=0)
    Connector.objects.filter(connector_id=2).update(status="Faulted")
    with pytest.raises(ConnectorReserved):
        stage.ask(carol, value="100", connector_id=1)


def test_one_tag_is_good_for_one_session(stage, alice):
    reservation = held(stage, alice, connector_id=0)
    tags = {stage.ask(alice, value="100", connector_id=number).id_tag for number in (1, 2)}
    assert len(tags) == 2
    assert reservation.id_tag in tags


def test_a_start_that_came_to_nothing_leaves_the_place_held(stage, alice):
    reservation = held(stage, alice)
    stage.ask(alice, value="100")
    stage.answer(stage.take_command(), "Rejected")
    assert again(reservation).state == "held"
    verdict = authorize.judge_tag(
        station=stage.station, id_tag=reservation.id_tag, at=timezone.now()
    )
    assert verdict.status == "Accepted"
    second = stage.ask(alice, value="100")
    stage.accept_start()
    begin_at(stage, reservation.id_tag)
    assert again(reservation).session == second


def test_a_card_is_no_tag_for_a_session_so_its_place_is_given_back_first(stage, alice, olga):
    reservation = held(stage, actor=olga, card=card_of(alice))
    session = stage.ask(alice, value="100")
    assert session.id_tag != "CARD1"
    release = stage.take_command()
    assert (release.action, release.payload) == (
        "CancelReservation",
        {"reservationId": reservation.pk},
    )
    stage.answer(release)
    assert stage.take_command().action == "RemoteStartTransaction"
    assert (again(reservation).state, reservation.session) == ("used", session)


# --- Starts at the station --------------------------------------------------------------------


def test_the_tag_of_a_reservation_is_a_card_of_its_driver(stage, alice):
    """OCPP recommends that a station asks for it after ReserveNow (§5.13)."""
    reservation = held(stage, alice)
    tag, now = reservation.id_tag, timezone.now()
    for text in (tag, tag.lower()):
        assert authorize.judge_tag(station=stage.station, id_tag=text, at=now).status == "Accepted"
    late = authorize.judge_tag(station=stage.station, id_tag=tag, at=reservation.expires_at)
    assert late.status == "Invalid"
    stage.now = timezone.now()
    verdict = begin_at(stage, tag, reservation_id=reservation.pk)
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert (session.user, session.hold_minor, session.status) == (alice, 100_000, "charging")
    assert again(reservation).session == session
    stage.end(verdict.transaction_id)
    assert begin_at(stage, tag).tag.status == "Invalid", "it was good for once"
    check_books()


def test_the_tag_of_a_reservation_is_nothing_at_another_station(stage, alice):
    reservation = held(stage, alice)
    other = Station.objects.create(station_id="K-2", identity="k-2", security_profile=0)
    verdict = authorize.judge_tag(station=other, id_tag=reservation.id_tag, at=timezone.now())
    assert verdict.status == "Invalid"


def test_a_cancelled_tag_is_nothing(stage, alice):
    reservation = held(stage, alice)
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    stage.now = timezone.now()
    assert begin_at(stage, reservation.id_tag).tag.status == "Invalid"
    assert again(reservation).state == "cancelled"


def test_a_card_uses_its_own_reservation(stage, alice, olga):
    reservation = held(stage, actor=olga, card=card_of(alice))
    stage.now = timezone.now()
    begin_at(stage, "card1")
    assert again(reservation).state == "used"


def test_a_card_with_the_parent_uses_it(stage, alice, carol, olga):
    reservation = held(stage, actor=olga, card=card_of(None, "FLEET1", parent_id_tag="FLEET"))
    assert sent("ReserveNow")[0]["parentIdTag"] == "FLEET"
    card_of(carol, "FLEET2", parent_id_tag="fleet")
    stage.now = timezone.now()
    verdict = begin_at(stage, "FLEET2")
    assert (again(reservation).state, verdict.tag.parent_id_tag) == ("used", "fleet")


def test_the_one_parent_of_a_drivers_cards_is_told(stage, alice):
    card_of(alice, "A1", parent_id_tag="HOME")
    card_of(alice, "A2", parent_id_tag="home")
    assert hold(stage, alice).parent_id_tag.casefold() == "home"


def test_two_parents_are_none(stage, alice):
    card_of(alice, "A1", parent_id_tag="HOME")
    card_of(alice, "A2", parent_id_tag="WORK")
    assert hold(stage, alice).parent_id_tag == ""


def test_a_card_of_the_driver_that_the_station_let_in_uses_the_place(stage, alice):
    reservation = held(stage, alice)
    card_of(alice)
    stage.now = timezone.now()
    begin_at(stage, "CARD1")
    assert again(reservation).state == "used"
    assert sent("CancelReservation") == [{"reservationId": reservation.pk}]


def test_what_a_station_lets_begin_has_begun_and_is_told(stage, alice, carol):
    reservation = held(stage, alice)
    card_of(carol)
    stage.now = timezone.now()
    verdict = begin_at(stage, "CARD1")
    assert verdict.tag.status == "Accepted"
    assert again(reservation).state == "held"
    alert = Alert.objects.get(kind="reservation_passed_over")
    assert alert.station == stage.station
    with pytest.raises(ConnectorBusy):
        stage.ask(alice, value="100")
    stage.deliver(verdict.transaction_id, 4000)
    stage.end(verdict.transaction_id)
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    check_books()
    check_sessions()


def test_a_refused_start_uses_nothing(stage, alice):
    reservation = held(stage, alice)
    stage.now = timezone.now()
    assert begin_at(stage, "NOBODY").tag.status == "Invalid"
    assert again(reservation).state == "held"
    assert not Alert.objects.filter(kind="reservation_passed_over").exists()


def test_a_start_elsewhere_uses_nothing(stage, alice):
    reservation = held(stage, alice, connector_id=2)
    card_of(alice)
    stage.now = timezone.now()
    begin_at(stage, "CARD1", connector_id=1)
    assert again(reservation).state == "held"


def test_a_start_that_was_made_offline_in_time_is_good_when_it_is_told_late(stage, alice, olga):
    reservation = held(stage, actor=olga, card=card_of(alice))
    stage.now = timezone.now()
    reserve.run_due(reservation.expires_at)
    assert again(reservation).state == "expired"
    begin_at(stage, "CARD1", reservation_id=reservation.pk)
    assert again(reservation).state == "used"


def test_a_repeated_start_changes_nothing(stage, alice, olga):
    reservation = held(stage, actor=olga, card=card_of(alice))
    stage.now = timezone.now()
    assert begin_at(stage, "CARD1") == begin_at(stage, "CARD1")
    assert again(reservation).session == ChargingSession.objects.get()


# --- The end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["Accepted", "Rejected"])
def test_a_cancelled_place_is_free_at_once(stage, alice, carol, answer):
    reservation = held(stage, alice)
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    assert again(reservation).state == "cancelled"
    command = stage.take_command()
    assert (command.action, command.payload) == (
        "CancelReservation",
        {"reservationId": reservation.pk},
    )
    stage.answer(command, answer)
    assert not again(reservation).is_at_station
    assert stage.ask(carol, value="100")


def test_a_request_that_did_not_go_out_is_taken_back(stage, alice):
    reservation = hold(stage, alice)
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    assert stage.take_command() is None
    assert not sent("CancelReservation")


def test_a_request_under_way_is_cancelled_after_it(stage, alice):
    reservation = hold(stage, alice)
    command = stage.take_command()
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    stage.answer(command)
    assert again(reservation).state == "cancelled"
    assert stage.take_command().action == "CancelReservation"


def test_a_station_that_is_away_is_told_when_it_is_back(stage, alice):
    reservation = held(stage, alice)
    stage.disconnect()
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    stage.reconnect()
    first = stage.take_command()
    assert first.action == "CancelReservation"
    stage.disconnect()
    stage.reconnect()
    stage.answer(stage.take_command())
    assert not again(reservation).is_at_station
    assert len(sent("CancelReservation")) == 2


def test_a_station_is_not_told_what_is_over_by_itself(stage, alice):
    reservation = held(stage, alice)
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    command = stage.take_command()
    Reservation.objects.update(expires_at=timezone.now())
    calls.record_silence(command.pk)
    assert stage.take_command() is None


def test_a_silent_station_is_not_asked_for_ever(stage, alice):
    reservation = held(stage, alice)
    reserve.cancel(reservation_id=reservation.pk, actor=alice)
    for _ in range(reserve.MAX_TRIES):
        calls.record_silence(stage.take_command().pk)
    assert stage.take_command() is None


def test_cancelling_again_is_harmless(stage, alice):
    reservation = held(stage, alice)
    for _ in range(2):
        reserve.cancel(reservation_id=reservation.pk, actor=alice)
    assert len(sent("CancelReservation")) == 1


def test_another_drivers_is_not_found(stage, alice, carol, olga):
    reservation = held(stage, alice)
    with pytest.raises(ReservationNotFound):
        reserve.cancel(reservation_id=reservation.pk, actor=carol)
    assert reserve.cancel(reservation_id=reservation.pk, actor=olga).state == "cancelled"


def test_what_has_ended_is_not_cancelled(stage, alice):
    reservation = hold(stage, alice)
    stage.answer(stage.take_command(), "Occupied")
    with pytest.raises(ReservationEnded):
        reserve.cancel(reservation_id=reservation.pk, actor=alice)


def test_a_reservation_ends_with_its_time(stage, alice, carol):
    reservation = held(stage, alice)
    assert reserve.run_due(timezone.now()) == 0
    Reservation.objects.update(expires_at=timezone.now())
    assert stage.ask(carol, value="100"), "to the second, whoever notes it"
    assert reserve.run_due(timezone.now()) == 1
    assert again(reservation).state == "expired"
    assert not sent("CancelReservation")
    assert hold(stage, alice, connector_id=2)


def test_a_session_that_was_asked_for_in_time_outlives_its_reservation(stage, alice):
    reservation = held(stage, alice)
    session = stage.ask(alice, value="100")
    stage.accept_start()
    Reservation.objects.update(expires_at=timezone.now())
    reserve.run_due(timezone.now())
    expire.run_due(timezone.now())
    stage.now = timezone.now()
    assert begin_at(stage, reservation.id_tag).tag.status == "Accepted"
    assert again(session).status == "charging"


def test_a_reservation_that_cannot_be_ended_keeps_no_other_waiting(stage, alice, carol):
    first, second = hold(stage, alice, minutes=1), hold(stage, carol, connector_id=2, minutes=2)
    break_rows(Reservation, id=first.pk)
    reserve.run_due(second.expires_at)
    assert again(first).is_active
    assert again(second).state == Reservation.State.EXPIRED
