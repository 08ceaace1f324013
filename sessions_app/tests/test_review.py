"""What cannot be true or belongs to nobody waits for an operator, who resolves it once (P8)."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import ledger
from billing.errors import Invalid
from billing.models import Transfer
from billing.money import Minor
from conftest import top_up
from sessions_app.errors import (
    NotAssignable,
    NotInReview,
    OrphanNotFound,
    OrphanResolved,
    SessionNotFound,
    StillImplausible,
)
from sessions_app.models import ChargingSession, IdTag, Orphan, SessionEvent
from sessions_app.reconcile import examine
from sessions_app.services import expire, orphans, review, stop
from sessions_app.services.bill import recompute
from sessions_app.tests.promises import check_books, check_sessions
from stations import reports
from stations.models import Alert

HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def promises_hold(db):
    yield
    check_books()
    check_sessions()
    assert examine(timezone.now()) == []


@pytest.fixture
def by_time(tariff):
    """Energy by the time of day: 10.00 until noon in Bishkek, 20.00 from then on."""
    tariff.price_per_kwh = None
    tariff.elements = [
        {
            "price_components": [{"type": "ENERGY", "price": 10, "step_size": 1}],
            "restrictions": {"end_time": "12:00"},
        },
        {"price_components": [{"type": "ENERGY", "price": 20, "step_size": 1}]},
    ]
    tariff.save()
    return tariff


@pytest.fixture
def doubted(stage, alice):
    """30 kWh in an hour, where 10 kW can be: 11.1 kWh could be true, which is 138.75."""
    state_power(stage, 10)
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 30_000, seconds=3_600)
    stage.end(session.transaction_id)
    return fresh(session)


@pytest.fixture
def ended_by_us(stage, alice):
    """8 kWh, then silence: we ended it on its last reading, for 100.00."""
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    return lose(stage, session)


def state_power(stage, kilowatts):
    stage.station.max_power_kw = Decimal(kilowatts)
    stage.station.save()


def fresh(row):
    row.refresh_from_db()
    return row


def lose(stage, session):
    stage.disconnect()
    expire.run_due(stage.now)
    expire.run_due(stage.now + HOUR + dt.timedelta(seconds=1))
    stage.reconnect()
    return fresh(session)


def money(user):
    account = ledger.account_of(user)
    return account.balance_minor, account.held_minor


def loss():
    return -ledger.house(ledger.Kind.LOSS).balance_minor


def state_of(session):
    return session.status, session.hold_minor, session.cost_minor


def lasted(session):
    return session.stopped_at - session.started_at


def open_alerts(kind):
    return Alert.objects.filter(kind=kind, resolved_at=None).count()


def staff_event(session):
    return session.events.get(kind=SessionEvent.Kind.STAFF)


# What is judged: only a stated power, a register that fell, and impossible times.


def test_without_a_stated_power_any_energy_is_settled(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 30_000, seconds=60)
    stage.end(session.transaction_id)
    assert state_of(fresh(session)) == ("completed", 50_000, 37_500)


def test_energy_that_the_stated_power_allows_is_settled(stage, alice):
    state_power(stage, 30)
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 30_000, seconds=3_600)
    stage.end(session.transaction_id)
    assert fresh(session).status == "completed"


def test_review_keeps_the_largest_plausible_cost_and_frees_the_rest(doubted, alice):
    assert state_of(doubted) == ("review", 13_875, 13_875)
    assert doubted.flags == ["implausible_energy"]
    assert money(alice) == (100_000, 13_875)
    assert open_alerts("review") == 1


def test_a_last_reading_that_cannot_be_true_is_not_billed(stage, alice):
    state_power(stage, 10)
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 30_000, seconds=3_600)
    assert state_of(lose(stage, session)) == ("review", 13_875, 13_875)
    assert session.stop_received_at is None


def test_a_wild_sample_is_not_billed_when_the_station_is_lost(stage, alice):
    session = stage.charge(alice, "energy", "100", max_amount="500")
    stage.deliver(session.transaction_id, 2_000)
    stage.sample(session.transaction_id, register_wh=9_000_000, at=stage.now + dt.timedelta(1e-5))
    stage.pass_time(seconds=60)
    stage.sample(session.transaction_id, register_wh=4_000)
    session = lose(stage, session)
    assert session.status == "review"
    assert session.flags == ["meter_ran_backwards"]


def test_a_low_sample_that_the_meter_makes_up_for_is_settled(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 2_000)
    stage.sample(session.transaction_id, register_wh=0, at=stage.now + dt.timedelta(seconds=1))
    stage.deliver(session.transaction_id, 6_000)
    assert state_of(lose(stage, session)) == ("completed", 50_000, 10_000)


def test_a_register_that_began_again_keeps_what_it_counted_in_all(stage, alice):
    session = stage.charge(alice)  # the register stands at 1000
    stage.deliver(session.transaction_id, 5_000)
    stage.register_wh = Decimal(200)
    stage.deliver(session.transaction_id, 0)
    stage.deliver(session.transaction_id, 3_000)
    stage.end(session.transaction_id)
    assert fresh(session).status == "review"
    assert session.hold_minor == 10_250  # 5 kWh, 0.2 since the restart, and 3 kWh
    assert "meter_ran_backwards" in session.flags


@pytest.mark.parametrize("gap_s", [0, 1])
def test_a_register_that_fell_is_in_doubt_at_whatever_second_the_stop_comes(stage, alice, gap_s):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 5_000)
    stage.deliver(session.transaction_id, -3_000)
    stage.pass_time(seconds=gap_s)
    stage.end(session.transaction_id)
    assert fresh(session).status == "review"
    assert session.hold_minor == 6_250


def test_noise_of_a_meter_is_no_fall(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 5_000)
    stage.deliver(session.transaction_id, -100)
    stage.end(session.transaction_id)
    assert state_of(fresh(session)) == ("completed", 50_000, 6_125)


def test_a_stop_without_a_meter_is_billed_by_its_own_samples(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 2_000)
    stage.pass_time(seconds=60)
    stage.end_unmetered(session.transaction_id, register_wh=9_000)
    assert state_of(fresh(session)) == ("completed", 50_000, 10_000)
    assert session.flags == ["meter_stop_missing"]


def test_a_changed_clock_is_no_matter_where_time_has_no_price(stage, alice):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, at=stage.now - dt.timedelta(days=400))
    assert state_of(fresh(session)) == ("completed", 50_000, 10_000)
    assert session.flags == ["clock_changed"]


def test_a_changed_clock_keeps_what_the_energy_can_cost_at_any_hour(stage, alice, by_time):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, at=stage.now - dt.timedelta(days=400))
    assert fresh(session).status == "review"
    assert session.hold_minor == 16_000


@pytest.fixture
def card(alice):
    return IdTag.objects.create(id_tag="CARD", identity="card", user=alice)


LONG_AGO = dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC)


def by_card(stage, *, at):
    verdict = stage.begin("CARD", at=at)
    return ChargingSession.objects.get(transaction_id=verdict.transaction_id)


def test_a_start_whose_time_nobody_knows_is_reviewed_where_time_has_a_price(stage, card, by_time):
    session = by_card(stage, at=LONG_AGO)
    stage.register_wh += 8_000
    stage.end(session.transaction_id, at=LONG_AGO + HOUR)
    assert fresh(session).status == "review"
    assert "clock_unknown" in session.flags
    assert session.hold_minor == 16_000


def test_a_steady_wrong_clock_is_only_corrected(stage, card, by_time):
    status = reports.Status(1, "Preparing", received_at=stage.now, at=LONG_AGO)
    reports.record_status(station=stage.station, status=status)
    stage.pass_time(seconds=60)
    session = by_card(stage, at=LONG_AGO + dt.timedelta(seconds=60))
    stage.pass_time(seconds=600)
    stage.register_wh += 8_000
    stage.end(session.transaction_id, at=LONG_AGO + dt.timedelta(seconds=660))
    assert fresh(session).status == "completed"
    assert session.stopped_at == stage.now


def test_parking_counts_from_when_the_station_says_that_it_began(stage, alice, tariff):
    tariff.elements = [{"price_components": [{"type": "PARKING_TIME", "price": 60}]}]
    tariff.save()
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000, seconds=600)
    parked_at = stage.now
    stage.pass_time(seconds=1_800)
    status = reports.Status(1, "SuspendedEV", received_at=stage.now, at=parked_at)
    reports.record_status(station=stage.station, status=status)
    stage.end(session.transaction_id)
    parking = [line for line in fresh(session).bill["lines"] if line["type"] == "PARKING_TIME"]
    assert [line["amount"] for line in parking] == ["30.00"]


def test_an_offline_charge_that_outran_its_hold_is_told(stage, bob):
    top_up(bob, 5_000)
    IdTag.objects.create(id_tag="CARD", identity="card", user=bob)
    session = by_card(stage, at=stage.now - HOUR)
    stage.register_wh += 8_000
    stage.end(session.transaction_id, reason="Local")
    assert state_of(fresh(session)) == ("completed", 5_000, 5_000)
    assert loss() == 5_000
    assert open_alerts("unfunded_charge") == 1


# What an operator does about a session.


def test_a_stated_amount_is_what_the_driver_pays_and_the_rest_is_loss(doubted, alice, olga):
    review.settle_with(session_id=doubted.pk, amount=Minor(5_000), actor=olga, reason="photo")
    assert state_of(fresh(doubted)) == ("completed", 13_875, 5_000)
    assert doubted.bill["total"] == "375.00"
    assert recompute(doubted).total == 37_500
    assert money(alice) == (95_000, 0)
    assert loss() == 32_500
    assert open_alerts("review") == 0
    event = staff_event(doubted)
    assert (event.actor, event.detail["reason"], event.detail["did"]) == (
        "olga",
        "photo",
        "settle_with",
    )


@pytest.mark.parametrize("amount", [-1, 13_876])
def test_no_more_than_the_hold_can_be_stated(doubted, alice, olga, amount):
    with pytest.raises(Invalid):
        review.settle_with(session_id=doubted.pk, amount=Minor(amount), actor=olga, reason="?")
    assert fresh(doubted).status == "review"
    assert money(alice) == (100_000, 13_875)


def test_no_more_than_the_bill_can_be_stated(stage, alice, olga):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 5_000)
    stage.deliver(session.transaction_id, -3_000)
    stage.end(session.transaction_id)
    assert fresh(session).bill["total"] == "25.00"
    with pytest.raises(Invalid):
        review.settle_with(session_id=session.pk, amount=Minor(2_501), actor=olga, reason="?")
    stop.force_end(session_id=session.pk, meter_stop_wh=6_000, actor=olga, reason="display")
    assert state_of(fresh(session)) == ("completed", 6_250, 6_250)
    assert open_alerts("review") == 0


def test_a_released_session_costs_nothing_and_holds_nothing(doubted, alice, olga):
    review.release(session_id=doubted.pk, actor=olga, reason="goodwill")
    assert state_of(fresh(doubted)) == ("completed", 13_875, 0)
    assert money(alice) == (100_000, 0)
    assert loss() == 37_500
    assert Transfer.objects.filter(reference=doubted.reference, kind="captured").count() == 0
    assert open_alerts("review") == 0


def test_settling_on_the_meter_at_the_start_says_that_nothing_was_delivered(doubted, alice, olga):
    stop.force_end(session_id=doubted.pk, meter_stop_wh=1_000, actor=olga, reason="meter broken")
    assert state_of(fresh(doubted)) == ("completed", 13_875, 0)
    assert (money(alice), loss()) == ((100_000, 0), 0)


def test_energy_after_a_refusal_is_released_as_loss(stage, bob, olga):
    IdTag.objects.create(id_tag="CARD", identity="card", user=bob)
    session = by_card(stage, at=stage.now)
    stage.register_wh += 4_000
    stage.end(session.transaction_id)
    assert fresh(session).status == "review"
    review.release(session_id=session.pk, actor=olga, reason="our station")
    assert state_of(fresh(session)) == ("completed", 0, 0)
    assert loss() == 5_000


def test_a_review_is_settled_once(doubted, alice, olga):
    review.settle_with(session_id=doubted.pk, amount=Minor(5_000), actor=olga, reason="photo")
    for again in (
        lambda: review.settle_with(
            session_id=doubted.pk, amount=Minor(9_000), actor=olga, reason="?"
        ),
        lambda: review.release(session_id=doubted.pk, actor=olga, reason="?"),
    ):
        with pytest.raises(NotInReview):
            again()
    assert money(alice) == (95_000, 0)


def test_a_session_that_runs_is_not_settled_by_hand(stage, alice, olga):
    session = stage.charge(alice)
    with pytest.raises(NotInReview):
        review.release(session_id=session.pk, actor=olga, reason="?")
    assert money(alice) == (100_000, 50_000)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_nothing_is_decided_without_a_reason(stage, doubted, olga, reason):
    stage.end(4711)
    orphan = Orphan.objects.get()
    for decide in (
        lambda: review.settle_with(
            session_id=doubted.pk, amount=Minor(1), actor=olga, reason=reason
        ),
        lambda: review.release(session_id=doubted.pk, actor=olga, reason=reason),
        lambda: orphans.dismiss(orphan_id=orphan.pk, actor=olga, reason=reason),
    ):
        with pytest.raises(Invalid):
            decide()
    assert fresh(doubted).status == "review"
    assert fresh(orphan).resolved_at is None


# A stop that comes while a session waits, or after it was decided.


@pytest.fixture
def doubted_by_us(stage, alice):
    """30 kWh in an hour at 10 kW, then silence: in review on its last reading."""
    state_power(stage, 10)
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 30_000, seconds=3_600)
    return lose(stage, session)


def test_a_late_stop_that_can_be_true_settles_a_session_in_review(stage, doubted_by_us, alice):
    stage.end(doubted_by_us.transaction_id, register_wh=9_000)
    assert state_of(fresh(doubted_by_us)) == ("completed", 13_875, 10_000)
    assert money(alice) == (90_000, 0)
    assert open_alerts("review") == 0


def test_a_late_stop_that_cannot_be_true_never_raises_the_hold(stage, doubted_by_us, alice):
    stage.pass_time(hours=1)
    stage.end(doubted_by_us.transaction_id, register_wh=90_000)
    assert state_of(fresh(doubted_by_us)) == ("review", 13_875, 13_875)
    assert doubted_by_us.energy_wh == 89_000
    assert doubted_by_us.stop_received_at is not None
    assert open_alerts("review") == 1
    stage.end(doubted_by_us.transaction_id, register_wh=9_000)
    assert fresh(doubted_by_us).status == "review"


def test_a_late_stop_takes_no_more_than_the_operator_stated(stage, doubted_by_us, alice, olga):
    review.settle_with(session_id=doubted_by_us.pk, amount=Minor(5_000), actor=olga, reason="ok")
    stage.end(doubted_by_us.transaction_id, register_wh=9_000)
    assert state_of(fresh(doubted_by_us)) == ("completed", 13_875, 5_000)
    assert doubted_by_us.bill["total"] == "100.00"
    assert (money(alice), loss()) == ((95_000, 0), 5_000)


def test_a_late_stop_gives_back_what_it_shows_to_be_too_much(stage, doubted_by_us, alice, olga):
    review.settle_with(session_id=doubted_by_us.pk, amount=Minor(5_000), actor=olga, reason="ok")
    stage.end(doubted_by_us.transaction_id, register_wh=3_000)
    assert state_of(fresh(doubted_by_us)) == ("completed", 13_875, 2_500)
    assert (money(alice), loss()) == ((97_500, 0), 0)


def test_a_late_stop_that_cannot_be_true_corrects_nothing_by_itself(
    stage, ended_by_us, alice, olga
):
    state_power(stage, 10)
    stage.end(ended_by_us.transaction_id, register_wh=40_000)
    assert state_of(fresh(ended_by_us)) == ("completed", 50_000, 10_000)
    orphan = Orphan.objects.get()
    assert (orphan.session, orphan.kind) == (ended_by_us, "stop")
    assert orphan.cause.endswith(": implausible_energy")
    assert open_alerts("orphan") == 1

    review.assign(orphan_id=orphan.pk, session_id=ended_by_us.pk, actor=olga, reason="it is true")
    assert state_of(fresh(ended_by_us)) == ("completed", 50_000, 48_750)
    assert money(alice) == (51_250, 0)
    assert open_alerts("orphan") == 0


def test_a_late_stop_that_is_dismissed_corrects_nothing(stage, ended_by_us, alice, olga):
    state_power(stage, 10)
    stage.end(ended_by_us.transaction_id, register_wh=40_000)
    orphan = Orphan.objects.get()
    orphans.dismiss(orphan_id=orphan.pk, actor=olga, reason="meter was swapped")
    stage.end(ended_by_us.transaction_id, register_wh=41_000)
    assert state_of(fresh(ended_by_us)) == ("completed", 50_000, 10_000)
    assert money(alice) == (90_000, 0)
    assert open_alerts("orphan") == 0


# Messages of no session that we know.


def assign(orphan, session, olga, reason="same car"):
    return review.assign(orphan_id=orphan.pk, session_id=session.pk, actor=olga, reason=reason)


def test_an_assigned_stop_ends_its_session(stage, alice, olga):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(4711, reason="PowerLoss")
    orphan = Orphan.objects.get()
    assign(orphan, session, olga)
    assert state_of(fresh(session)) == ("completed", 50_000, 10_000)
    assert session.stop_reason == "PowerLoss"
    assert lasted(session) == stage.now - stage.started_at
    assert money(alice) == (90_000, 0)
    fresh(orphan)
    assert (orphan.session, orphan.resolved_by, orphan.resolution) == (session, olga, "same car")
    assert open_alerts("orphan") == 0
    assert staff_event(session).detail["message"] == orphan.pk
    with pytest.raises(OrphanResolved):
        assign(orphan, session, olga)


def test_an_assigned_stop_corrects_a_session_that_we_ended(stage, ended_by_us, alice, olga):
    stage.register_wh += 2_000
    stage.end(0)
    assign(Orphan.objects.get(), ended_by_us, olga)
    assert state_of(fresh(ended_by_us)) == ("completed", 50_000, 12_500)
    assert money(alice) == (87_500, 0)


def test_an_assigned_stop_settles_a_session_in_review(stage, doubted_by_us, alice, olga):
    stage.end(-1, register_wh=9_000)
    assign(Orphan.objects.get(), doubted_by_us, olga)
    assert state_of(fresh(doubted_by_us)) == ("completed", 13_875, 10_000)


def test_a_stop_is_not_assigned_to_what_its_station_has_ended(stage, alice, olga):
    session = stage.charge(alice)
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id)
    stage.end(4711, register_wh=90_000)
    with pytest.raises(NotAssignable):
        assign(Orphan.objects.get(), session, olga)
    assert money(alice) == (90_000, 0)
    assert open_alerts("orphan") == 1


def test_a_message_is_never_of_another_stations_session(stage, alice, olga, station):
    session = stage.charge(alice)
    stage.end(4711)
    orphan = Orphan.objects.get()
    other = type(station).objects.create(station_id="K-2", identity="k-2", security_profile=0)
    Orphan.objects.filter(pk=orphan.pk).update(station=other)
    with pytest.raises(NotAssignable):
        assign(orphan, session, olga)
    assert fresh(session).status == "charging"


def test_a_message_is_not_assigned_to_what_never_began(stage, alice, olga):
    session = stage.ask(alice, value="500")
    stage.end(4711)
    with pytest.raises(NotAssignable):
        assign(Orphan.objects.get(), session, olga)
    assert fresh(session).status == "requested"


def test_what_could_not_be_read_is_dismissed_or_settled_on_a_meter(stage, alice, olga):
    session = stage.charge(alice)
    kinds = (Orphan.Kind.STOP, Orphan.Kind.START)
    for kind in kinds:
        orphans.keep_unreadable(
            stage.station, kind, key=f"k{kind}", payload={"frame": "[2,…]"}, cause="meterStop"
        )
    for orphan in Orphan.objects.all():
        with pytest.raises(NotAssignable):
            assign(orphan, session, olga)
        orphans.dismiss(orphan_id=orphan.pk, actor=olga, reason="seen")
        with pytest.raises(OrphanResolved):
            orphans.dismiss(orphan_id=orphan.pk, actor=olga, reason="seen again")
    assert open_alerts("orphan") == 0


def test_nothing_is_assigned_from_or_to_what_does_not_exist(stage, alice, olga):
    session = stage.charge(alice)
    with pytest.raises(OrphanNotFound):
        review.assign(orphan_id=1, session_id=session.pk, actor=olga, reason="?")
    with pytest.raises(OrphanNotFound):
        orphans.dismiss(orphan_id=1, actor=olga, reason="?")
    with pytest.raises(SessionNotFound):
        review.assign(orphan_id=1, session_id=alice.pk, actor=olga, reason="?")


def test_assigned_readings_correct_a_session_that_we_ended(stage, ended_by_us, alice, olga):
    stage.deliver(4711, 1_000)
    stage.deliver(4711, 1_000)
    stage.sample(0, register_wh=90_000)  # of no transaction: not of these
    orphan = Orphan.objects.get()
    assign(orphan, ended_by_us, olga)
    assert state_of(fresh(ended_by_us)) == ("completed", 50_000, 12_500)
    assert ended_by_us.readings.count() == 4
    assert lasted(ended_by_us) == stage.now - stage.started_at
    assert open_alerts("orphan") == 0

    stage.deliver(4711, 1_000)  # the same transaction goes on: another question
    assign(Orphan.objects.get(resolved_at=None), ended_by_us, olga)
    assert fresh(ended_by_us).cost_minor == 13_750
    stage.end(ended_by_us.transaction_id)
    assert money(alice) == (86_250, 0)


def test_assigned_readings_move_a_running_session_on_to_its_limit(stage, alice, olga):
    session = stage.charge(alice)
    stage.deliver(4711, 41_000)
    assign(Orphan.objects.get(), session, olga)
    assert state_of(fresh(session)) == ("stopping", 50_000, 50_000)
    assert session.energy_wh == 41_000


def test_assigned_readings_do_not_move_what_the_station_ended(stage, alice, olga):
    session = stage.charge(alice)
    stage.deliver(4711, 3_000)
    stage.pass_time(seconds=60)
    stage.end(session.transaction_id)
    before = fresh(session).bill
    assign(Orphan.objects.get(), session, olga)
    assert fresh(session).bill == before
    assert session.readings.count() == 3


def test_assigned_readings_do_not_move_what_staff_stated(stage, alice, olga):
    session = stage.charge(alice)
    stop.force_end(session_id=session.pk, meter_stop_wh=5_000, actor=olga, reason="display")
    stage.deliver(4711, 9_000)
    assign(Orphan.objects.get(), session, olga)
    assert fresh(session).cost_minor == 5_000


def test_readings_that_cannot_be_true_are_not_assigned(stage, ended_by_us, alice, olga):
    state_power(stage, 10)
    stage.deliver(4711, 50_000)
    with pytest.raises(StillImplausible):
        assign(Orphan.objects.get(), ended_by_us, olga)
    assert state_of(fresh(ended_by_us)) == ("completed", 50_000, 10_000)
    assert ended_by_us.readings.count() == 2
    assert open_alerts("orphan") == 1


def test_readings_from_before_a_session_are_not_its_own(stage, alice, olga):
    stage.deliver(4711, 1_000)
    stage.pass_time(seconds=60)
    session = stage.charge(alice)
    with pytest.raises(NotAssignable):
        assign(Orphan.objects.get(), session, olga)
    assert session.readings.count() == 1


def test_readings_of_another_connector_are_not_its_own(stage, alice, olga):
    session = stage.charge(alice)
    stage.deliver(4711, 1_000, connector_id=2)
    with pytest.raises(NotAssignable):
        assign(Orphan.objects.get(), session, olga)


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (
            "connectorId cannot be read.",
            "K-1 sent a message for review: connectorId cannot be read.",
        ),
        ("unknown transaction 7", "K-1 sent a message for review: unknown transaction 7."),
    ],
)
def test_the_alert_of_a_message_is_one_sentence(stage, cause, text):
    kind = Orphan.Kind.START
    orphans.keep_unreadable(stage.station, kind, key="a", payload={}, cause=cause)
    assert Alert.objects.get().text == text
