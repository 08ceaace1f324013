"""The money stories of a charge, with numbers that a reader can add up (12.50 KGS a kWh)."""

import datetime as dt
from decimal import Decimal

import pytest

from billing import ledger
from billing.models import Account, Transfer
from sessions_app.errors import SessionEnded, SessionNotFound
from sessions_app.models import ChargingSession, IdTag, Orphan, SessionEvent
from sessions_app.services import authorize, bill, calls, expire, stop
from stations.errors import (
    ConnectorBusy,
    ConnectorReserved,
    NoTariff,
    StationDisabled,
    StationNotFound,
    StationOffline,
)
from stations.models import Alert, Command, Connector, Station, TariffAssignment

pytestmark = pytest.mark.django_db


def money(user):
    account = ledger.account_of(user)
    account.refresh_from_db()
    return account.balance_minor, account.held_minor


def balance_of(kind):
    return ledger.house(kind).balance_minor


def stops_sent(session):
    return Command.objects.filter(reference=session.reference, action="RemoteStopTransaction")


def test_a_bought_amount_is_held_charged_and_the_rest_is_free_again(stage, alice):
    session = stage.ask(alice, "amount", "500")
    assert (session.status, session.hold_minor) == ("requested", 50_000)
    assert session.energy_limit_wh == 40_000
    assert money(alice) == (100_000, 50_000)
    command = stage.take_command()
    assert command.payload == {"connectorId": 1, "idTag": session.id_tag}
    stage.answer(command)
    verdict = stage.begin(session)
    assert verdict.tag.status == "Accepted"
    for _ in range(44):  # 39.6 kWh in samples of 0.9 kWh
        stage.deliver(verdict.transaction_id, 900)
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("charging", 49_500)
    stage.deliver(verdict.transaction_id, 400)  # 40 kWh
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")
    stop_command = stage.take_command()
    assert stop_command.action == "RemoteStopTransaction"
    assert stop_command.payload == {"transactionId": verdict.transaction_id}
    stage.answer(stop_command)
    stage.end(verdict.transaction_id)
    session.refresh_from_db()
    assert (session.status, session.cost_minor, session.energy_wh) == ("completed", 50_000, 40_000)
    assert session.stop_reason == "limit"
    assert money(alice) == (50_000, 0)
    assert balance_of(Account.Kind.SALES) == 50_000


def test_energy_past_the_limit_is_the_operators_loss(stage, alice):
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 41_000)  # 512.50
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.cost_minor == 50_000
    assert session.bill["total"] == "512.50"
    assert money(alice) == (50_000, 0)
    assert balance_of(Account.Kind.LOSS) == -1_250
    assert balance_of(Account.Kind.SALES) == 51_250


def test_an_energy_limit_stops_with_the_sample_that_reaches_it(stage, alice):
    session = stage.charge(alice, "energy", "10")
    assert session.hold_minor == 12_500
    stage.deliver(session.transaction_id, 9_500)
    session.refresh_from_db()
    assert session.status == "charging"
    stage.deliver(session.transaction_id, 500)
    session.refresh_from_db()
    assert session.status == "stopping"
    stage.end(session.transaction_id)
    assert money(alice) == (87_500, 0)


def test_a_time_limit_is_watched_by_the_worker(stage, alice):
    stage.station.max_power_kw = 60
    stage.station.save()
    session = stage.charge(alice, "time", "30")
    assert session.hold_minor == 37_500  # 30 min at 60 kW and 12.50
    end = session.started_at + dt.timedelta(minutes=30)
    stage.deliver(session.transaction_id, 500)
    session.refresh_from_db()
    assert session.stop_at == end - dt.timedelta(seconds=1), "as long as a stop may take"
    expire.run_due(end - dt.timedelta(seconds=2))
    session.refresh_from_db()
    assert session.status == "charging"
    expire.run_due(end + dt.timedelta(seconds=1))
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")


def test_time_without_a_stated_power_holds_what_is_available(stage, alice):
    assert stage.ask(alice, "time", "30").hold_minor == 100_000


def test_full_holds_what_is_available_up_to_max_amount(stage, alice):
    assert stage.ask(alice, "full").hold_minor == 100_000
    stage.station.sessions.update(connector_id=2)
    assert stage.ask(alice, "full", connector_id=1).error_code == "insufficient_funds"


def test_max_amount_bounds_the_hold(stage, alice):
    assert stage.ask(alice, "full", max_amount="200").hold_minor == 20_000


def test_a_state_of_charge_limit_stops_where_the_car_reports_it(stage, alice):
    session = stage.charge(alice, "soc", "80")
    stage.deliver(session.transaction_id, 1_000, soc=Decimal(79))
    session.refresh_from_db()
    assert session.status == "charging"
    stage.deliver(session.transaction_id, 1_000, soc=Decimal(80))
    session.refresh_from_db()
    assert session.status == "stopping"


@pytest.mark.parametrize(
    ("limit_type", "value"),
    [("amount", "1000.01"), ("energy", "80.001"), ("amount", "0.99")],
)
def test_short_funds_record_an_error_and_hold_nothing(stage, alice, limit_type, value):
    session = stage.ask(alice, limit_type, value)
    assert (session.status, session.error_code) == ("error", "insufficient_funds")
    assert (session.hold_minor, session.cost_minor) == (0, 0)
    assert money(alice) == (100_000, 0)
    assert not Transfer.objects.filter(reference=session.reference).exists()
    assert not Command.objects.exists()


def test_an_amount_that_a_flat_fee_would_take_buys_nothing(stage, alice, tariff):
    flat = {"price_components": [{"type": "FLAT", "price": "20.00", "step_size": 1}]}
    tariff.elements = [flat]
    tariff.save()
    assert stage.ask(alice, "amount", "20").error_code == "insufficient_funds"
    session = stage.ask(alice, "amount", "45")
    assert (session.hold_minor, session.energy_limit_wh) == (4_500, 2_000)


def test_an_empty_wallet_cannot_charge_until_full(stage, bob):
    assert stage.ask(bob, "full").error_code == "insufficient_funds"


def test_the_last_tyiyn_can_be_spent(stage, alice):
    assert stage.ask(alice, "amount", "1000.00").hold_minor == 100_000


def refuse_unknown(stage):
    stage.station.station_id = "K-9"
    return StationNotFound


def refuse_disabled(stage):
    Station.objects.update(enabled=False)
    return StationDisabled


def refuse_unpriced(stage):
    TariffAssignment.objects.all().delete()
    return NoTariff


def refuse_offline(stage):
    Station.objects.update(owner=None)
    return StationOffline


def refuse_busy(stage):
    Connector.objects.update(status="Charging")
    return ConnectorBusy


def refuse_reserved(stage):
    Connector.objects.update(status="Reserved")
    return ConnectorReserved


@pytest.mark.parametrize(
    "refuse",
    [
        refuse_unknown,
        refuse_disabled,
        refuse_unpriced,
        refuse_offline,
        refuse_busy,
        refuse_reserved,
    ],
)
@pytest.mark.parametrize("connector_id", [1, None])
def test_a_place_that_cannot_sell_refuses_and_leaves_no_row(stage, alice, refuse, connector_id):
    with pytest.raises(refuse(stage)):
        stage.ask(alice, connector_id=connector_id, value="500")
    assert not ChargingSession.objects.exists()
    assert money(alice) == (100_000, 0)


def test_refusals_come_in_the_order_of_the_contract(stage, bob):
    refuse_busy(stage)
    for refuse in (refuse_offline, refuse_unpriced, refuse_disabled, refuse_unknown):
        with pytest.raises(refuse(stage)):
            stage.ask(bob, value="500")


def test_the_connector_in_preparing_is_chosen(stage, alice):
    Connector.objects.filter(connector_id=2).update(status="Preparing")
    assert stage.ask(alice, value="100", connector_id=None).connector_id == 2
    assert stage.ask(alice, value="100", connector_id=None).connector_id == 1
    with pytest.raises(ConnectorBusy):
        stage.ask(alice, value="100", connector_id=None)


def test_a_repeated_start_transaction_gets_the_first_answer(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    first = stage.begin(session)
    again = stage.repeat_begin(session.id_tag.lower())
    assert first == again
    assert ChargingSession.objects.count() == 1
    assert session.readings.count() == 1


def test_the_same_start_after_its_stop_is_a_new_transaction(stage, alice):
    IdTag.objects.create(id_tag="CARD", identity="card", user=alice)
    first = stage.begin("CARD")
    stage.end(first.transaction_id, reason="Local")
    again = stage.repeat_begin("CARD")
    assert again.transaction_id != first.transaction_id
    assert again.tag.status == "Accepted"


def test_a_session_tag_is_good_once_and_at_its_station_only(stage, alice):
    session = stage.charge(alice)
    stage.end(session.transaction_id)
    stage.pass_time(seconds=5)
    reuse = stage.begin(session)
    assert reuse.tag.status == "Invalid"
    refused = ChargingSession.objects.get(transaction_id=reuse.transaction_id)
    assert (refused.status, refused.error_code) == ("error", "tag_invalid")
    assert stage.repeat_begin(session.id_tag) == reuse
    assert money(alice) == (100_000, 0)


def test_a_repeated_stop_transaction_charges_once(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    stage.end(session.transaction_id, register_wh=99_000, reason="")
    session.refresh_from_db()
    assert session.cost_minor == 10_000
    assert money(alice) == (90_000, 0)
    assert Transfer.objects.filter(kind="captured").count() == 1


def test_a_repeated_sample_changes_nothing(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.sample(session.transaction_id)
    assert session.readings.count() == 2


def test_several_samples_in_one_tick_of_the_clock_keep_the_highest(stage, alice):
    session = stage.charge(alice, "energy", "2")
    stage.deliver(session.transaction_id, 900)
    stage.deliver(session.transaction_id, 900, seconds=0)
    stage.deliver(session.transaction_id, 900, seconds=0)
    session.refresh_from_db()
    assert (session.energy_wh, session.status) == (2_700, "stopping")
    assert session.readings.count() == 2


def test_samples_out_of_order_do_not_lower_the_running_cost(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    earlier = stage.now - dt.timedelta(seconds=30)
    stage.sample(session.transaction_id, register_wh=5_000, at=earlier)
    session.refresh_from_db()
    assert session.cost_minor == 10_000


def test_history_before_the_start_is_ignored(stage, alice):
    session = stage.charge(alice)
    yesterday = stage.now - dt.timedelta(days=1)
    stage.sample(session.transaction_id, register_wh=999_000, at=yesterday)
    session.refresh_from_db()
    assert session.cost_minor == 0


def test_samples_without_a_transaction_belong_to_the_one_on_the_connector(stage, alice):
    session = stage.charge(alice)
    for transaction_id in (None, 0, -1):
        stage.deliver(transaction_id, 1_000)
    session.refresh_from_db()
    assert session.energy_wh == 3_000


def test_a_start_that_the_station_refuses_is_free(stage, alice):
    session = stage.ask(alice, value="500")
    stage.answer(stage.take_command(), "Rejected")
    session.refresh_from_db()
    assert (session.status, session.error_code) == ("error", "station_rejected")
    assert money(alice) == (100_000, 0)


def test_a_start_that_is_not_answered_is_free(stage, alice):
    session = stage.ask(alice, value="500")
    command = stage.take_command()
    expire.run_due(command.sent_at + dt.timedelta(seconds=19))
    assert money(alice) == (100_000, 50_000)
    expire.run_due(command.sent_at + dt.timedelta(seconds=20))
    session.refresh_from_db()
    assert (session.status, session.error_code) == ("error", "station_timeout")
    assert money(alice) == (100_000, 0)


def test_a_start_that_cannot_be_sent_is_free(stage, alice):
    session = stage.ask(alice, value="500")
    expire.run_due(session.requested_at + dt.timedelta(seconds=16))
    session.refresh_from_db()
    assert (session.status, session.error_code) == ("error", "station_timeout")
    assert stage.take_command() is None
    assert money(alice) == (100_000, 0)


def test_silence_does_not_move_a_session_that_has_begun(stage, alice):
    session = stage.ask(alice, value="500")
    command = stage.take_command()
    stage.begin(session)  # the station begins before it answers
    expire.run_due(command.sent_at + dt.timedelta(seconds=20))
    session.refresh_from_db()
    assert session.status == "charging"


def test_a_start_that_never_begins_expires(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    session.refresh_from_db()
    expire.run_due(session.due_at - dt.timedelta(seconds=1))
    session.refresh_from_db()
    assert session.status == "starting"
    expire.run_due(session.due_at)
    session.refresh_from_db()
    assert (session.status, session.error_code) == ("error", "start_expired")
    assert money(alice) == (100_000, 0)


def test_a_late_start_takes_its_hold_again(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    expire.run_due(stage.now + dt.timedelta(minutes=5))
    assert money(alice) == (100_000, 0)
    verdict = stage.begin(session)
    assert verdict.tag.status == "Accepted"
    assert money(alice) == (100_000, 50_000)
    stage.deliver(verdict.transaction_id, 8_000)
    stage.end(verdict.transaction_id, reason="Local")
    session.refresh_from_db()
    assert (session.status, session.error_code, session.cost_minor) == ("completed", "", 10_000)
    assert money(alice) == (90_000, 0)


def test_a_late_start_without_money_is_invalid_stopped_and_loss(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    expire.run_due(stage.now + dt.timedelta(minutes=5))
    other = stage.ask(alice, value="600", connector_id=2)
    verdict = stage.begin(session)
    assert verdict.tag.status == "Invalid"
    assert stage.repeat_begin(session.id_tag) == verdict
    stage.take_command()  # the start of the other
    assert stops_sent(session).count() == 1
    stage.deliver(verdict.transaction_id, 800)
    stage.end(verdict.transaction_id, reason="DeAuthorized")
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("error", 0)
    assert money(alice) == (100_000, other.hold_minor)
    assert balance_of(Account.Kind.LOSS) == -1_000


def test_a_cancelled_request_is_never_sent(stage, alice):
    session = stage.ask(alice, value="500")
    stage.stop(session, alice)
    session.refresh_from_db()
    assert (session.status, session.error_code) == ("error", "cancelled")
    assert stage.take_command() is None
    assert money(alice) == (100_000, 0)


def test_a_cancelled_start_is_stopped_when_it_begins_after_all(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    assert stage.stop(session, alice).status == "stopping"
    verdict = stage.begin(session)
    command = stage.take_command()
    assert command.payload == {"transactionId": verdict.transaction_id}
    stage.deliver(verdict.transaction_id, 8)
    stage.end(verdict.transaction_id)
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 10)
    assert money(alice) == (99_990, 0)


def test_a_cancelled_start_that_does_not_begin_is_free(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.stop(session, alice)
    expire.run_due(stage.now + dt.timedelta(minutes=5))
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 0)
    assert money(alice) == (100_000, 0)


@pytest.mark.parametrize("transaction_id", [None, 0, -1])
def test_samples_of_no_transaction_are_not_those_of_a_cancelled_start(
    stage, alice, tariff, transaction_id
):
    tariff.price_per_kwh = None
    tariff.elements = [{"price_components": [{"type": "FLAT", "price": 2, "step_size": 1}]}]
    tariff.save()
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.stop(session, alice)
    stage.deliver(transaction_id, 800)
    expire.run_due(stage.now + dt.timedelta(minutes=5))
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 0)
    assert session.readings.count() == 0
    assert money(alice) == (100_000, 0)


def test_a_cancelled_start_gives_way_to_a_card_at_its_connector(stage, alice, card):
    cancelled = stage.ask(alice, value="500")
    stage.accept_start()
    stage.stop(cancelled, alice)
    verdict = stage.begin("CARD7")
    assert verdict.tag.status == "Accepted"
    cancelled.refresh_from_db()
    assert (cancelled.status, cancelled.cost_minor) == ("completed", 0)
    stage.deliver(verdict.transaction_id, 800)
    stage.end(verdict.transaction_id)
    assert money(alice) == (99_000, 0)


def test_a_cancelled_start_that_is_refused_ends_at_once(stage, alice):
    session = stage.ask(alice, value="500")
    command = stage.take_command()
    stage.stop(session, alice)
    stage.answer(command, "Rejected")
    session.refresh_from_db()
    assert session.status == "completed"
    assert money(alice) == (100_000, 0)


def test_a_stop_that_is_met_by_silence_is_asked_for_again_at_once(stage, alice):
    session = stage.charge(alice)
    stage.stop(session, alice)
    calls.record_silence(stage.take_command().pk)
    assert [command.status for command in stops_sent(session).order_by("created_at")] == [
        "timed_out",
        "queued",
    ]


def test_a_drivers_stop_ends_the_session(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    assert stage.stop(session, alice).status == "stopping"
    assert stage.stop(session, alice).status == "stopping"
    assert stops_sent(session).count() == 1
    stage.answer(stage.take_command())
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert (session.status, session.stop_reason) == ("completed", "driver")
    with pytest.raises(SessionEnded):
        stage.stop(session, alice)


def test_a_drivers_stop_that_is_refused_leaves_the_session_charging(stage, alice):
    session = stage.charge(alice)
    stage.stop(session, alice)
    stage.answer(stage.take_command(), "Rejected")
    session.refresh_from_db()
    assert session.status == "charging"


def test_a_repeated_stop_that_is_refused_does_not_undo_an_accepted_one(stage, alice):
    session = stage.charge(alice)
    stage.stop(session, alice)
    stage.answer(stage.take_command())
    session.refresh_from_db()
    expire.run_due(session.due_at)
    stage.answer(stage.take_command(), "Rejected")
    session.refresh_from_db()
    assert session.status == "stopping"
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.stop_reason == "driver"


def test_a_limits_stop_that_is_refused_is_sent_again(stage, alice):
    session = stage.charge(alice, "energy", "1")
    stage.deliver(session.transaction_id, 1_000)
    stage.answer(stage.take_command(), "Rejected")
    session.refresh_from_db()
    assert session.status == "stopping"
    expire.run_due(session.due_at)
    assert stops_sent(session).count() == 2


def test_bob_cannot_stop_alices_session(stage, alice, bob, olga):
    session = stage.charge(alice)
    with pytest.raises(SessionNotFound):
        stage.stop(session, bob)
    assert stage.stop(session, olga).stop_requested_by == "staff"


def test_a_stop_at_the_station_keeps_its_reason(stage, alice):
    session = stage.charge(alice)
    stage.end(session.transaction_id, reason="EVDisconnected")
    session.refresh_from_db()
    assert (session.status, session.stop_reason) == ("completed", "EVDisconnected")


def test_the_sessions_own_tag_may_stop_it(stage, alice):
    session = stage.charge(alice)
    verdict = stage.end(session.transaction_id, reason="Local", id_tag=session.id_tag.lower())
    assert verdict.status == "Accepted"


@pytest.fixture
def card(alice):
    return IdTag.objects.create(id_tag="Card7", identity="card7", user=alice)


def test_a_known_tag_starts_and_pays(stage, alice, card):
    assert judge(stage, "CARD7").status == "Accepted"
    verdict = stage.begin("cArD7")
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert (session.status, session.hold_minor) == ("charging", 100_000)
    stage.deliver(verdict.transaction_id, 8_000)
    stage.end(verdict.transaction_id, reason="Local", id_tag="CARD7")
    assert money(alice) == (90_000, 0)


def judge(stage, tag):
    return authorize.judge_tag(station=stage.station, id_tag=tag, at=stage.now)


def test_a_known_tag_holds_at_most_its_drivers_cap(stage, alice, card):
    alice.rfid_cap_minor = 7_500
    alice.save()
    verdict = stage.begin("CARD7")
    assert ChargingSession.objects.get(transaction_id=verdict.transaction_id).hold_minor == 7_500


def test_a_tag_without_money_gets_an_id_and_no_energy(stage, bob):
    IdTag.objects.create(id_tag="BOB", identity="bob", user=bob)
    assert judge(stage, "BOB").status == "Blocked"
    verdict = stage.begin("BOB")
    assert (verdict.transaction_id > 0, verdict.tag.status) == (True, "Blocked")
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert session.status == "error"
    stage.deliver(verdict.transaction_id, 500)
    assert stops_sent(session).count() == 1
    stage.end(verdict.transaction_id, reason="DeAuthorized")
    session.refresh_from_db()
    assert (session.status, session.hold_minor) == ("review", 0)
    assert money(bob) == (0, 0)


@pytest.mark.parametrize(
    ("tag", "status"), [("NOBODY", "Invalid"), ("", "Invalid"), ("CARD7\0", "Invalid")]
)
def test_an_unknown_tag_is_invalid(stage, card, tag, status):
    assert judge(stage, tag).status == status
    verdict = stage.begin(tag)
    assert verdict.tag.status == status


def test_a_blocked_and_an_expired_tag_are_told_so(stage, card):
    card.status = IdTag.Status.BLOCKED
    card.save()
    assert judge(stage, "CARD7").status == "Blocked"
    card.status, card.expires_at = IdTag.Status.ACCEPTED, stage.now
    card.save()
    assert judge(stage, "CARD7").status == "Expired"
    assert stage.begin("CARD7").tag.status == "Expired"


def test_an_operators_tag_charges_nobody(stage):
    IdTag.objects.create(id_tag="SERVICE", identity="service")
    verdict = stage.begin("SERVICE")
    stage.deliver(verdict.transaction_id, 90_000)
    stage.end(verdict.transaction_id, reason="Local")
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert (session.status, session.cost_minor, session.energy_wh) == ("completed", 0, 90_000)
    assert not Transfer.objects.exists()


def test_a_new_start_ends_the_old_session_before_it_holds(stage, alice, card):
    alice.rfid_cap_minor = 100_000
    alice.save()
    first = stage.begin("CARD7")
    stage.deliver(first.transaction_id, 8_000)
    stage.pass_time(seconds=30)
    second = stage.begin("CARD7")
    assert second.tag.status == "Accepted"
    old = ChargingSession.objects.get(transaction_id=first.transaction_id)
    new = ChargingSession.objects.get(transaction_id=second.transaction_id)
    assert (old.status, old.cost_minor, old.stop_reason) == ("completed", 10_000, "superseded")
    assert new.hold_minor == 90_000
    assert money(alice) == (90_000, 90_000)


def test_an_offline_start_pays_when_it_is_replayed(stage, alice, card):
    an_hour_ago = stage.now - dt.timedelta(hours=1)
    verdict = stage.begin("CARD7", at=an_hour_ago)
    stage.register_wh += 8_000
    stage.end(verdict.transaction_id, at=stage.now - dt.timedelta(minutes=30), reason="Local")
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert session.cost_minor == 10_000
    assert session.stopped_at - session.started_at == dt.timedelta(minutes=30)
    assert money(alice) == (90_000, 0)


def test_an_offline_start_from_before_the_first_tariff_pays_todays(stage, alice, card):
    TariffAssignment.objects.update(valid_from=stage.now - dt.timedelta(minutes=10))
    verdict = stage.begin("CARD7", at=stage.now - dt.timedelta(hours=1))
    assert verdict.tag.status == "Accepted"
    stage.register_wh += 8_000
    stage.end(verdict.transaction_id, at=stage.now - dt.timedelta(minutes=30), reason="Local")
    assert money(alice) == (90_000, 0)


def test_an_offline_start_without_money_is_loss_and_an_alert(stage, bob):
    IdTag.objects.create(id_tag="BOB", identity="bob", user=bob)
    verdict = stage.begin("BOB", at=stage.now - dt.timedelta(hours=1))
    assert verdict.tag.status == "Blocked"
    stage.register_wh += 8_000
    stage.end(verdict.transaction_id, reason="Local")
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert (session.status, session.cost_minor) == ("completed", 0)
    assert balance_of(Account.Kind.LOSS) == -10_000
    assert Alert.objects.filter(kind="unfunded_charge", resolved_at=None).count() == 1
    assert money(bob) == (0, 0)


def test_a_tags_rights_are_judged_at_the_stations_time(stage, alice, card):
    card.expires_at = stage.now - dt.timedelta(minutes=30)
    card.save()
    verdict = stage.begin("CARD7", at=stage.now - dt.timedelta(hours=1))
    assert verdict.tag.status == "Accepted"


def test_a_station_that_comes_back_goes_on(stage, alice):
    session = stage.charge(alice)
    stage.disconnect()
    expire.run_due(stage.now)
    session.refresh_from_db()
    assert session.lost_at is not None
    assert session.status == "charging"
    stage.reconnect()
    session.refresh_from_db()
    assert session.lost_at is None
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    assert money(alice) == (90_000, 0)


def test_a_station_lost_for_good_ends_the_session_and_a_late_stop_corrects_it(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000, seconds=3600)
    stage.disconnect()
    expire.run_due(stage.now)
    expire.run_due(stage.now + dt.timedelta(minutes=30))
    session.refresh_from_db()
    assert session.status == "charging"
    expire.run_due(stage.now + dt.timedelta(seconds=3_601))
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 10_000)
    assert money(alice) == (90_000, 0)
    stage.pass_time(hours=4)
    stage.end(session.transaction_id, register_wh=stage.register_wh + 4_000, reason="PowerLoss")
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 15_000)
    assert money(alice) == (85_000, 0)


def test_a_lost_session_ends_in_time_however_soon_that_is(stage, alice, settings):
    settings.CSMS_LOST_AFTER_S = 8
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.disconnect()
    expire.run_due(stage.now)
    expire.run_due(stage.now + dt.timedelta(seconds=8))
    session.refresh_from_db()
    assert (session.status, session.stop_reason) == ("completed", "lost")


def settled_early(stage, driver, energy_wh):
    """A session that was ended on its last reading because its station was gone."""
    session = stage.charge(driver)
    stage.deliver(session.transaction_id, energy_wh)
    stage.stop(session, driver)
    expire.run_due(stage.now + dt.timedelta(hours=1))
    session.refresh_from_db()
    assert session.status == "completed"
    return session


def test_a_stop_that_never_ends_is_settled_and_told(stage, alice):
    session = settled_early(stage, alice, 8_000)
    assert (session.stop_reason, session.cost_minor) == ("stop_timeout", 10_000)
    assert Alert.objects.filter(kind="stop_ignored", resolved_at=None).count() == 1
    stage.end(session.transaction_id)
    assert Alert.objects.filter(kind="stop_ignored", resolved_at=None).count() == 0
    assert Alert.objects.filter(kind="stop_ignored").count() == 1


def test_a_correction_never_takes_more_than_the_hold(stage, alice):
    session = settled_early(stage, alice, 8_000)
    stage.end(session.transaction_id, register_wh=stage.register_wh + 60_000)
    session.refresh_from_db()
    assert session.cost_minor == 50_000
    assert session.bill["total"] == "850.00"
    assert balance_of(Account.Kind.LOSS) == -35_000
    assert money(alice) == (50_000, 0)


def test_a_correction_takes_only_what_is_available(stage, alice):
    session = settled_early(stage, alice, 8_000)
    stage.ask(alice, value="880")
    stage.end(session.transaction_id, register_wh=stage.register_wh + 8_000)
    session.refresh_from_db()
    assert session.cost_minor == 12_000  # 100.00, and the 20.00 that were free
    assert balance_of(Account.Kind.LOSS) == -8_000
    assert money(alice) == (88_000, 88_000)


def test_a_lower_final_meter_refunds(stage, alice):
    session = settled_early(stage, alice, 8_000)
    stage.end(session.transaction_id, register_wh=stage.register_wh - 4_000)
    session.refresh_from_db()
    assert session.cost_minor == 5_000
    assert money(alice) == (95_000, 0)
    assert balance_of(Account.Kind.SALES) == 5_000


def test_staff_end_a_session_on_a_stated_meter(stage, alice, olga):
    session = stage.charge(alice)
    stop.force_end(session_id=session.pk, meter_stop_wh=5_000, actor=olga, reason="burnt")
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 5_000)
    event = session.events.get(kind=SessionEvent.Kind.STAFF)
    assert (event.actor, event.detail["reason"]) == ("olga", "burnt")
    stage.end(session.transaction_id, register_wh=9_000)
    session.refresh_from_db()
    assert session.cost_minor == 10_000


def test_meter_below_its_start_is_billed_as_nothing_and_flagged(stage, alice):
    session = stage.charge(alice)
    stage.end(session.transaction_id, register_wh=0, reason="PowerLoss")
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 0)
    assert "meter_stop_below_start" in session.flags
    assert money(alice) == (100_000, 0)


def test_meter_below_the_last_sample_is_billed_as_it_stands_and_flagged(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, register_wh=stage.register_wh - 101)
    session.refresh_from_db()
    assert session.energy_wh == 7_899
    assert session.flags == ["meter_stop_below_last_sample"]


def test_energy_beyond_the_stated_power_goes_to_review_with_the_plausible_cost_on_hold(
    stage, alice, olga
):
    stage.station.max_power_kw = 10
    stage.station.save()
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 30_000, seconds=3_600)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.status == "review"
    assert session.hold_minor == 13_875  # 10 kW for an hour, and the margins: 11.1 kWh
    assert money(alice) == (100_000, 13_875)
    stop.force_end(session_id=session.pk, meter_stop_wh=9_000, actor=olga, reason="seen")
    assert money(alice) == (90_000, 0)


def test_a_foreign_transaction_is_never_ended_and_is_kept(stage, alice):
    session = stage.charge(alice)
    other = Station.objects.create(station_id="K-2", identity="k-2", security_profile=0)
    stage.station, mine = other, stage.station
    stage.end(session.transaction_id)
    stage.end(session.transaction_id)
    stage.station = mine
    session.refresh_from_db()
    assert session.status == "charging"
    assert Orphan.objects.get().kind == "stop"


@pytest.mark.parametrize("transaction_id", [0, -1, 4_711, None])
def test_a_stop_of_an_unknown_transaction_is_kept(stage, transaction_id):
    stage.end(transaction_id)
    assert Orphan.objects.filter(kind="stop", resolved_at=None).count() == 1
    assert Alert.objects.filter(kind="orphan").count() == 1


def test_readings_of_an_unknown_transaction_are_kept(stage):
    stage.sample(4_711)
    stage.pass_time(seconds=60)
    stage.sample(4_711)
    assert Orphan.objects.get().kind == "readings"


def test_late_meter_values_do_not_reopen_a_session(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id)
    stage.deliver(session.transaction_id, 4_000)
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 10_000)
    assert not stops_sent(session).exists()


def test_a_silent_session_is_stopped_before_its_hold_is_gone(stage, alice):
    stage.station.max_power_kw = 100
    stage.station.save()
    session = stage.charge(alice, "amount", "500")  # 40 kWh: 24 minutes at 100 kW
    expire.run_due(stage.now + dt.timedelta(minutes=20))
    session.refresh_from_db()
    assert session.status == "charging"
    expire.run_due(stage.now + dt.timedelta(minutes=24))
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")


def test_a_silent_session_is_not_looked_at_again_too_late(stage, alice):
    stage.station.max_power_kw = 100
    stage.station.save()
    session = stage.charge(alice, "amount", "500")
    before = dt.timedelta(minutes=24) - dt.timedelta(seconds=5)
    expire.run_due(stage.now + before)
    session.refresh_from_db()
    assert session.status == "stopping"


def test_a_running_session_keeps_its_price(stage, alice, tariff):
    session = stage.charge(alice)
    tariff.pk = None
    tariff._state.adding = True
    tariff.price_per_kwh = Decimal("99")
    tariff.save()
    TariffAssignment.objects.update(tariff=tariff)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.cost_minor == 10_000


def test_a_bill_is_recomputed_from_its_periods(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 7_777)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    again = bill.recompute(session).to_json()
    assert again == {key: session.bill[key] for key in again}


def test_tax_is_split_from_sales(stage, alice, tariff):
    tariff.vat_percent = Decimal(12)
    tariff.save()
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 41_000)
    stage.end(session.transaction_id)
    assert balance_of(Account.Kind.TAX) == 5_357  # 500.00 × 12 / 112
    assert balance_of(Account.Kind.SALES) == 51_250 - 5_357


def test_a_disconnect_does_not_fail_a_start_that_may_have_arrived(stage, alice):
    session = stage.ask(alice, value="500")
    stage.take_command()
    stage.disconnect()
    session.refresh_from_db()
    assert session.status == "starting"
    stage.reconnect()
    assert stage.begin(session).tag.status == "Accepted"


def test_an_unfinished_stop_is_asked_again_on_reconnect(stage, alice):
    session = stage.charge(alice)
    stage.stop(session, alice)
    stage.take_command()
    stage.disconnect()
    stage.reconnect()
    assert stage.take_command().action == "RemoteStopTransaction"


def test_a_clock_in_1970_is_priced_by_the_servers(stage, alice):
    session = stage.ask(alice, value="500")
    stage.accept_start()
    stage.begin(session, at=dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC))
    session.refresh_from_db()
    stage.deliver(session.transaction_id, 8_000)
    assert abs(session.started_at - stage.now) < dt.timedelta(minutes=2)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.cost_minor == 10_000
    assert "clock_changed" in session.flags
