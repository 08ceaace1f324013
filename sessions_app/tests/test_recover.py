"""Messages of no session become one: sold to a driver, or written off. Prices: 12.50 a kWh."""

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from billing import ledger
from billing.errors import Invalid
from billing.models import Account, Tariff
from conftest import top_up
from sessions_app.errors import NotAssignable, OrphanNotFound, OrphanResolved
from sessions_app.facts import Sample, Stopped
from sessions_app.models import ChargingSession, IdTag, Orphan, Reading
from sessions_app.reconcile import examine
from sessions_app.services import end, orphans, recover, review
from sessions_app.services.recover import Told
from sessions_app.tests.promises import check_books, check_sessions
from stations.models import Alert, Connector, Station
from stations.tests.cast import run_at_once

pytestmark = pytest.mark.django_db
REASON = "the station restarted"


@pytest.fixture(autouse=True)
def promises_hold(db):
    yield
    check_books()
    check_sessions()
    assert examine(timezone.now()) == []


def lost_stop(stage, *, number=4711, start=1000, stop=9000, context="Transaction.Begin"):
    """A stop of a transaction that we do not know, an hour long, with its own first sample."""
    samples = (Sample(stage.now - dt.timedelta(hours=1), Decimal(start), context=context),)
    fact = Stopped(
        number, Decimal(stop), stage.now, stage.now, "CARD", "PowerLoss", samples if context else ()
    )
    assert end.end(station=stage.station, fact=fact) is not None
    return Orphan.objects.get(kind="stop", resolved_at=None)


def make(orphan, actor, driver=None, **told):
    return recover.make_session(
        orphan_id=orphan.pk, told=Told(driver=driver, **told), actor=actor, reason=REASON
    )


def loss():
    return -ledger.house(Account.Kind.LOSS).balance_minor


def available(user):
    return ledger.account_of(user).available_minor


def test_a_lost_stop_is_sold_to_its_driver_by_its_own_samples(stage, alice, olga):
    orphan = lost_stop(stage)
    session = make(orphan, olga, alice)
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 8000, 10_000)
    assert (session.stopped_at - session.started_at).total_seconds() == 3600
    assert (session.id_tag, session.stop_reason) == ("CARD", "PowerLoss")
    assert available(alice) == 90_000
    orphan.refresh_from_db()
    assert (orphan.session, orphan.resolved_by, orphan.resolution) == (session, olga, REASON)
    assert not Alert.objects.filter(kind="orphan", resolved_at=None).exists()
    event = session.events.get(kind="staff")
    assert (event.actor, event.detail["reason"]) == ("olga", REASON)


def test_a_driver_pays_what_is_available_and_the_rest_is_loss(stage, bob, olga):
    top_up(bob, 3_000)
    session = make(lost_stop(stage), olga, bob)
    assert (session.status, session.cost_minor, session.hold_minor) == ("completed", 3_000, 3_000)
    assert (available(bob), loss()) == (0, 7_000)
    assert Alert.objects.filter(kind="unfunded_charge", resolved_at=None).count() == 1


def test_a_driver_without_money_owes_nothing(stage, bob, olga):
    session = make(lost_stop(stage), olga, bob)
    assert (session.status, session.cost_minor) == ("completed", 0)
    assert (available(bob), loss()) == (0, 10_000)


def test_what_is_written_off_is_the_loss_of_its_station(stage, olga):
    session = recover.write_off(orphan_id=lost_stop(stage).pk, actor=olga, reason=REASON)
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 8000, 0)
    assert (session.user, session.station, session.stop_reason) == (
        None,
        stage.station,
        "written_off",
    )
    assert loss() == 10_000


def test_another_tariff_may_be_chosen(stage, alice, olga):
    other = Tariff.objects.create(currency="KGS", price_per_kwh=Decimal("1.00"))
    other.refresh_from_db()
    session = make(lost_stop(stage), olga, alice, tariff=other)
    assert (session.tariff, session.cost_minor) == (other, 800)


def test_readings_that_were_told_before_belong_to_it(stage, alice, olga):
    stage.deliver(4711, 3000)
    stage.deliver(4711, 5000)
    orphan = lost_stop(stage, start=1000, stop=9000)
    assert Orphan.objects.filter(resolved_at=None).count() == 2
    session = make(orphan, olga, alice)
    assert (session.energy_wh, session.status) == (8000, "completed")
    assert session.readings.filter(register_wh__in=(4000, 9000)).count() >= 1
    assert not Orphan.objects.filter(resolved_at=None).exists()


def test_a_stop_alone_is_measured_by_the_readings_of_its_transaction(stage, alice, olga):
    for _ in range(3):
        stage.deliver(4711, 2000)
    session = make(lost_stop(stage, stop=9000, context=""), olga, alice)
    assert session.energy_wh == 6000  # from the first reading, 3000


def test_readings_alone_make_a_session_that_ends_on_the_last(stage, alice, olga):
    for _ in range(3):
        stage.deliver(4711, 2000, connector_id=2)
    session = make(Orphan.objects.get(), olga, alice)
    assert (session.status, session.energy_wh, session.connector_id) == ("completed", 4000, 2)


def test_a_late_stop_after_readings_were_sold_is_another_question(stage, alice, olga):
    for _ in range(3):
        stage.deliver(4711, 2000)
    make(Orphan.objects.get(), olga, alice)
    assert lost_stop(stage).session is None


@pytest.mark.parametrize("number", [None, 0, -1])
def test_an_id_that_is_none_draws_in_no_other_message(stage, alice, olga, number):
    orphan = lost_stop(stage, number=number)
    stage.pass_time(seconds=5)
    end.end(station=stage.station, fact=Stopped(number, Decimal(7), stage.now, stage.now))
    make(orphan, olga, alice)
    assert Orphan.objects.filter(resolved_at=None).count() == 1


def test_what_a_message_does_not_say_must_be_stated(stage, alice, olga):
    orphan = lost_stop(stage, context="")
    with pytest.raises(Invalid) as refusal:
        make(orphan, olga, alice)
    assert refusal.value.fields.keys() == {"meter_start"}
    session = make(orphan, olga, alice, meter_start_wh=Decimal(5000))
    assert session.energy_wh == 4000


def test_a_frame_that_could_not_be_read_is_settled_on_what_staff_state(stage, alice, olga):
    orphans.keep_unreadable(
        stage.station, Orphan.Kind.START, key="k", payload={"frame": "[2,"}, cause="broken"
    )
    orphan = Orphan.objects.get()
    with pytest.raises(Invalid) as refusal:
        make(orphan, olga, alice)
    assert refusal.value.fields.keys() == {"meter_start", "meter_stop"}
    with pytest.raises(Invalid):
        recover.write_off(orphan_id=orphan.pk, actor=olga, reason=REASON)
    session = make(
        orphan, olga, alice, meter_start_wh=Decimal(0), meter_stop_wh=Decimal(1000), connector_id=2
    )
    assert (session.connector_id, session.cost_minor) == (2, 1250)


def test_a_stop_below_its_start_costs_nothing(stage, alice, olga):
    session = make(lost_stop(stage, start=9000, stop=10), olga, alice)
    assert (session.cost_minor, "meter_stop_below_start" in session.flags) == (0, True)


def test_energy_that_cannot_be_true_goes_to_review(stage, alice, olga):
    Station.objects.update(max_power_kw=7)
    session = make(lost_stop(stage, stop=900_000), olga, alice)
    assert session.status == "review"
    assert session.hold_minor < 15_000
    review.release(session_id=session.pk, actor=olga, reason=REASON)


def test_nothing_is_made_where_a_charge_is_under_way(stage, alice, olga):
    running = stage.charge(alice, value="100")
    orphan = lost_stop(stage)
    with pytest.raises(NotAssignable):
        make(orphan, olga, alice)
    assert make(orphan, olga, alice, connector_id=2).status == "completed"
    stage.end(running.transaction_id)


def test_a_late_stop_of_a_session_makes_no_other(stage, alice, olga):
    session = stage.charge(alice, value="100")
    stage.end(session.transaction_id)
    orphans.keep_late_stop(
        session, Stopped(1, Decimal(1), stage.now, stage.now), cause="implausible"
    )
    for act in (
        lambda: make(Orphan.objects.get(), olga, alice),
        lambda: recover.write_off(orphan_id=Orphan.objects.get().pk, actor=olga, reason=REASON),
    ):
        with pytest.raises(NotAssignable):
            act()


def test_a_station_without_connectors_is_no_obstacle(stage, olga):
    orphan = lost_stop(stage)
    Connector.objects.all().delete()
    assert recover.write_off(orphan_id=orphan.pk, actor=olga, reason=REASON).connector_id == 1


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_made_without_a_reason(stage, alice, olga, reason):
    orphan = lost_stop(stage)
    with pytest.raises(Invalid):
        recover.write_off(orphan_id=orphan.pk, actor=olga, reason=reason)
    assert not ChargingSession.objects.exists()


def test_a_message_is_resolved_once(stage, alice, olga):
    orphan = lost_stop(stage)
    make(orphan, olga, alice)
    for act in (make, lambda one, by: orphans.dismiss(orphan_id=one.pk, actor=by, reason=REASON)):
        with pytest.raises(OrphanResolved):
            act(orphan, olga)
    with pytest.raises(OrphanNotFound):
        recover.write_off(orphan_id=0, actor=olga, reason=REASON)
    assert ChargingSession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_resolve_at_once_charge_once(stage, alice, olga):
    orphan = lost_stop(stage)
    refused = []
    lock = threading.Lock()

    def act():
        try:
            make(orphan, olga, alice)
        except OrphanResolved as error:
            with lock:
                refused.append(error)
        finally:
            connection.close()

    run_at_once(act, act)
    assert (len(refused), ChargingSession.objects.count()) == (1, 1)
    assert available(alice) == 90_000


def test_the_same_stop_again_is_no_new_question(stage, alice, olga):
    orphan = lost_stop(stage)
    make(orphan, olga, alice)
    kept = orphans.stop_of(orphan)
    end.end(station=stage.station, fact=kept)
    assert Orphan.objects.count() == 1
    assert available(alice) == 90_000


def test_a_stop_is_kept_whole(stage):
    begun = stage.now - dt.timedelta(hours=3)
    samples = tuple(Sample(begun + dt.timedelta(seconds=n), Decimal(1000 + n)) for n in range(500))
    fact = Stopped(4711, Decimal(9000), stage.now, stage.now, samples=samples)
    end.end(station=stage.station, fact=fact)
    assert orphans.stop_of(Orphan.objects.get()).samples == samples


def test_energy_after_an_unknown_tag_is_a_loss_with_its_price(stage, olga):
    verdict = stage.begin("STRANGER")
    stage.deliver(verdict.transaction_id, 8000)
    stage.end(verdict.transaction_id)
    session = ChargingSession.objects.get()
    assert (session.status, session.cost_minor) == ("review", 0)
    review.release(session_id=session.pk, actor=olga, reason=REASON)
    assert loss() == 10_000


def test_energy_by_an_operators_tag_is_no_loss(stage):
    IdTag.objects.create(id_tag="OURS", identity="ours")
    verdict = stage.begin("OURS")
    stage.deliver(verdict.transaction_id, 8000)
    stage.end(verdict.transaction_id)
    assert loss() == 0
    assert Reading.objects.filter(session__isnull=False).exists()


def test_a_stop_of_another_stations_transaction_touches_no_one(stage, alice, olga, station):
    session = stage.charge(alice, value="100")
    other = Station.objects.create(station_id="K-2", identity="k-2")
    fact = Stopped(session.transaction_id, Decimal(9000), stage.now, stage.now)
    end.end(station=other, fact=fact)
    session.refresh_from_db()
    assert session.status == "charging"
    orphan = Orphan.objects.get()
    assert orphan.station == other
    with pytest.raises(NotAssignable):
        review.assign(
            orphan_id=orphan.pk, session_id=session.pk, actor=olga, reason="they look alike"
        )
    stage.end(session.transaction_id)
