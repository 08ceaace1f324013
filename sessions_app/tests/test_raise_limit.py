"""A driver wants more while the charge runs: the limit rises, and the hold with it."""

import datetime as dt
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import ledger
from billing.errors import InsufficientFunds, Invalid
from billing.models import Account, Receipt, Transfer
from billing.money import to_minor
from conftest import top_up
from sessions_app.errors import LimitFixed, SessionEnded, SessionNotFound, SessionStopping
from sessions_app.models import ChargingSession, GuestCharge, IdTag, SessionEvent
from sessions_app.reconcile.run import examine
from sessions_app.running import BACKUP_AFTER
from sessions_app.services import expire, raise_limit
from sessions_app.services.guest import open_charge
from stations.models import Station

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_hold")]


def raised(session, by, value=None, *, max_amount=None):
    return raise_limit.raise_limit(
        session_id=session.pk,
        actor=by,
        limit_value=None if value is None else Decimal(value),
        max_amount=None if max_amount is None else to_minor(Decimal(max_amount)),
    )


def money(driver):
    account = ledger.account_of(driver)
    return account.balance_minor, account.held_minor


def holds(session):
    """The holds of a session in order: what was set aside, and what became of it."""
    rows = Transfer.objects.filter(reference=session.reference, kind="pending")
    return [
        (row.amount_minor, row.resolution.kind if hasattr(row, "resolution") else "open")
        for row in rows.order_by("created_at")
    ]


def findings():
    return [str(finding) for finding in examine(timezone.now())]


# --- The money ------------------------------------------------------------------------------------


def test_a_raised_amount_is_held_in_place_of_the_first_and_charged_once(stage, alice):
    """Alice has 1000.00 and buys 300.00, which is 24 kWh; at 20 kWh she makes it 500.00: 40 kWh."""
    session = stage.charge(alice, "amount", "300")
    assert money(alice) == (100_000, 30_000)
    stage.deliver(session.transaction_id, 20_000)

    session = raised(session, alice, "500")
    assert money(alice) == (100_000, 50_000)
    assert (session.limit_value, session.hold_minor) == (500, 50_000)
    assert session.energy_limit_wh == 40_000
    assert holds(session) == [(30_000, "voided"), (50_000, "open")]
    assert findings() == []

    stage.deliver(session.transaction_id, 10_000)  # 30 kWh, past the first limit
    session.refresh_from_db()
    assert session.status == "charging"
    stage.deliver(session.transaction_id, 10_000)
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert (session.status, session.cost_minor) == ("completed", 50_000)
    assert money(alice) == (50_000, 0)
    assert holds(session) == [(30_000, "voided"), (50_000, "captured")]
    assert Receipt.objects.get(reference=session.reference).total_minor == 50_000
    assert findings() == []


def test_what_is_not_used_of_a_raised_hold_is_free_again(stage, alice):
    session = stage.charge(alice, "amount", "300")
    raised(session, alice, "500")
    stage.deliver(session.transaction_id, 8_000)
    stage.end(session.transaction_id, reason="Local")
    assert money(alice) == (90_000, 0)
    assert findings() == []


def test_several_raises_leave_one_hold(stage, alice):
    session = stage.charge(alice, "amount", "100")
    for value in ("200", "300", "400"):
        raised(session, alice, value)
    assert holds(session) == [
        (10_000, "voided"),
        (20_000, "voided"),
        (30_000, "voided"),
        (40_000, "open"),
    ]
    assert money(alice) == (100_000, 40_000)
    assert findings() == []


def test_a_late_stop_after_a_raise_collects_up_to_the_raised_hold(stage, alice):
    session = stage.charge(alice, "amount", "100")
    raised(session, alice, "300")
    stage.deliver(session.transaction_id, 8_000)
    stage.stop(session, alice)
    expire.run_due(stage.now + dt.timedelta(hours=1))
    stage.end(session.transaction_id, register_wh=stage.register_wh + 40_000)
    session.refresh_from_db()
    assert session.cost_minor == 30_000
    assert money(alice) == (70_000, 0)
    assert findings() == []


def test_without_the_money_nothing_changes(stage, alice):
    session = stage.charge(alice, "amount", "300")
    stage.ask(alice, "amount", "600", connector_id=2)
    before = ChargingSession.objects.values().get(pk=session.pk)
    with pytest.raises(InsufficientFunds):
        raised(session, alice, "401")
    assert ChargingSession.objects.values().get(pk=session.pk) == before
    assert money(alice) == (100_000, 90_000)
    assert holds(session) == [(30_000, "open")]
    assert not session.events.filter(kind=SessionEvent.Kind.RAISED).exists()
    raised(session, alice, "400")
    assert money(alice) == (100_000, 100_000)


# --- Each kind of limit ---------------------------------------------------------------------------


def test_a_raised_energy_is_held_at_the_price_that_the_session_began_with(stage, alice, tariff):
    session = stage.charge(alice, "energy", "10")
    assert session.hold_minor == 12_500
    tariff.pk, tariff.price_per_kwh = None, Decimal(40)
    tariff.save()
    session = raised(session, alice, "20")
    assert (session.hold_minor, session.energy_limit_wh) == (25_000, 20_000)
    stage.deliver(session.transaction_id, 20_000)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    assert session.cost_minor == 25_000


def test_a_raised_energy_that_is_not_covered_is_refused(stage, alice):
    session = stage.charge(alice, "energy", "10")
    with pytest.raises(InsufficientFunds):
        raised(session, alice, "80.001")
    assert raised(session, alice, "80").hold_minor == 100_000


def test_a_raised_time_is_watched_by_the_worker(powered, alice):
    session = powered.charge(alice, "time", "30")
    assert session.hold_minor == 13_750  # 11 kWh at 22 kW
    session = raised(session, alice, "60")
    assert session.hold_minor == 27_500
    expire.run_due(session.started_at + dt.timedelta(minutes=31))
    session.refresh_from_db()
    assert session.status == "charging"
    powered.pass_time(minutes=59)
    powered.sample(session.transaction_id)
    expire.run_due(session.stop_at + BACKUP_AFTER)
    session.refresh_from_db()
    assert (session.status, session.stop_requested_by) == ("stopping", "limit")


def test_a_raised_time_takes_what_is_there(powered, bob):
    top_up(bob, 15_000)
    session = powered.charge(bob, "time", "30")
    assert (session.hold_minor, money(bob)) == (13_750, (15_000, 13_750))
    assert raised(session, bob, "60").hold_minor == 15_000
    assert raised(session, bob, "90").hold_minor == 15_000  # as at a start: the hold ends it


def test_a_raised_state_of_charge_is_where_it_stops(stage, alice):
    session = stage.charge(alice, "soc", "50", max_amount="300")
    session = raised(session, alice, "80")
    assert (session.limit_value, session.hold_minor) == (80, 30_000)
    stage.deliver(session.transaction_id, 1_000, soc=Decimal(60))
    session.refresh_from_db()
    assert session.status == "charging"
    stage.deliver(session.transaction_id, 1_000, soc=Decimal(80))
    session.refresh_from_db()
    assert session.status == "stopping"


def test_a_state_of_charge_may_rise_where_all_money_is_on_hold_already(stage, alice):
    session = stage.charge(alice, "soc", "50")
    assert session.hold_minor == 100_000
    assert raised(session, alice, "80").limit_value == 80


def test_full_rises_by_its_max_amount(stage, alice):
    session = stage.charge(alice, "full", max_amount="200")
    assert raised(session, alice, max_amount="600").hold_minor == 60_000
    assert raised(session, alice, max_amount="5000").hold_minor == 100_000  # all there is
    with pytest.raises(InsufficientFunds):
        raised(session, alice, max_amount="6000")


def test_a_driver_who_topped_up_may_charge_on(stage, alice):
    session = stage.charge(alice, "full")
    assert money(alice) == (100_000, 100_000)
    with pytest.raises(InsufficientFunds):
        raised(session, alice, max_amount="1500")
    top_up(alice, 50_000)
    session = raised(session, alice, max_amount="1500")
    assert (session.hold_minor, money(alice)) == (150_000, (150_000, 150_000))


def test_a_bound_that_the_driver_set_holds_until_it_is_raised(stage, alice):
    session = stage.charge(alice, "energy", "10", max_amount="100")
    session = raised(session, alice, "40")
    assert (session.limit_value, session.hold_minor) == (40, 10_000)
    session = raised(session, alice, max_amount="300")
    assert (session.hold_minor, session.max_amount_minor) == (30_000, 30_000)


def test_a_card_charges_on_past_the_hold_of_cards(stage, alice, settings):
    settings.CSMS_RFID_HOLD = Decimal(200)
    IdTag.objects.create(id_tag="CARD7", identity="card7", user=alice)
    verdict = stage.begin("CARD7")
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    assert session.hold_minor == 20_000
    assert raised(session, alice, max_amount="500").hold_minor == 50_000
    stage.deliver(verdict.transaction_id, 40_000)
    stage.end(verdict.transaction_id)
    assert money(alice) == (50_000, 0)


def test_a_free_tariff_lets_the_limit_rise_without_a_hold(stage, bob, tariff):
    tariff.price_per_kwh = Decimal(0)
    tariff.save()
    session = stage.charge(bob, "energy", "10")
    session = raised(session, bob, "20")
    assert (session.energy_limit_wh, session.hold_minor) == (20_000, 0)
    assert holds(session) == []


def test_a_session_that_has_not_begun_may_rise(stage, alice):
    session = stage.ask(alice, "amount", "100")
    due_at = session.due_at
    session = raised(session, alice, "200")
    assert (session.status, session.hold_minor, session.due_at) == ("requested", 20_000, due_at)
    stage.accept_start()
    raised(session, alice, "300")
    stage.begin(session)
    assert money(alice) == (100_000, 30_000)


# --- What follows the session ---------------------------------------------------------------------


def test_a_socket_that_follows_the_session_sees_the_new_limit(stage, alice):
    session = stage.charge(alice, "energy", "5")
    for _ in range(3):
        stage.deliver(session.transaction_id, 1_000)
    assert stage.follower.steps == 2
    raised(session, alice, "10")
    for _ in range(3):
        stage.deliver(session.transaction_id, 1_000)
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == ("charging", 6_000)
    assert stage.follower.steps == 4, "one sample goes the whole way, and is followed again"
    for _ in range(4):
        stage.deliver(session.transaction_id, 1_000)
    session.refresh_from_db()
    assert session.status == "stopping"


def test_a_raise_is_recorded_with_who_and_what(stage, alice):
    session = stage.charge(alice, "amount", "100")
    version = session.version
    session = raised(session, alice, "200.50")
    assert session.version == version + 1
    event = session.events.get(kind=SessionEvent.Kind.RAISED)
    assert event.actor == "alice@example.org"
    assert event.detail == {
        "before": {"limit_value": "100", "max_amount_minor": None, "hold_minor": 10_000},
        "after": {"limit_value": "200.5", "max_amount_minor": None, "hold_minor": 20_050},
    }


def test_the_same_raise_again_changes_nothing(stage, alice):
    session = stage.charge(alice, "amount", "100")
    first = raised(session, alice, "200")
    again = raised(session, alice, "200")
    assert (again.version, again.hold_minor) == (first.version, 20_000)
    assert len(holds(session)) == 2


# --- Refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "value", "max_amount", "field"),
    [
        (("amount", "300"), "299.99", None, "limit_value"),
        (("energy", "10"), "9.999", None, "limit_value"),
        (("time", "30"), "29", None, "limit_value"),
        (("soc", "50"), "49", None, "limit_value"),
        (("amount", "300"), "400", "299.99", "max_amount"),
        (("full", None), "400", None, "limit_value"),
        (("full", None), None, "999.99", "max_amount"),
        (("full", None), None, None, "limit_value"),
        (("amount", "300"), None, None, "limit_value"),
    ],
)
def test_nothing_is_lowered_and_something_is_named(stage, alice, limit, value, max_amount, field):
    session = stage.charge(alice, *limit)
    held = money(alice)
    with pytest.raises(Invalid) as refused:
        raised(session, alice, value, max_amount=max_amount)
    assert refused.value.fields.keys() == {field}
    assert money(alice) == held
    stage.end(session.transaction_id)


def test_a_bound_is_not_lowered_where_the_hold_is_less_than_it(stage, alice):
    session = stage.charge(alice, "energy", "10", max_amount="500")
    with pytest.raises(Invalid):
        raised(session, alice, max_amount="200")


def test_a_session_that_is_being_stopped_is_too_late(stage, alice):
    session = stage.charge(alice, "energy", "1")
    stage.deliver(session.transaction_id, 1_000)
    with pytest.raises(SessionStopping):
        raised(session, alice, "2")
    assert money(alice) == (100_000, 1_250)
    stage.end(session.transaction_id)
    with pytest.raises(SessionEnded):
        raised(session, alice, "2")


def test_a_stop_that_the_station_refused_may_be_followed_by_a_raise(stage, alice):
    session = stage.charge(alice, "amount", "100")
    stage.stop(session, alice)
    stage.answer(stage.take_command(), "Rejected")
    assert raised(session, alice, "200").hold_minor == 20_000


def test_a_session_that_failed_or_waits_for_review_is_over(powered, alice, bob):
    failed = powered.ask(bob, "amount", "100")
    with pytest.raises(SessionEnded):
        raised(failed, bob, "200")
    doubtful = powered.charge(alice, "amount", "500")
    powered.end(doubtful.transaction_id, register_wh=powered.register_wh + 30_000)
    doubtful.refresh_from_db()
    assert doubtful.status == "review"
    with pytest.raises(SessionEnded):
        raised(doubtful, alice, "600")


def test_bob_cannot_raise_alices_limit_and_staff_can(stage, alice, bob, olga):
    top_up(bob, 50_000)
    session = stage.charge(alice, "amount", "100")
    with pytest.raises(SessionNotFound):
        raised(session, bob, "200")
    assert raised(session, olga, "200").hold_minor == 20_000
    assert (money(alice), money(bob)) == ((100_000, 20_000), (50_000, 0))


def test_an_operators_tag_has_no_limit_to_raise(stage, olga):
    IdTag.objects.create(id_tag="HOUSE", identity="house")
    verdict = stage.begin("HOUSE")
    session = ChargingSession.objects.get(transaction_id=verdict.transaction_id)
    with pytest.raises(LimitFixed):
        raised(session, olga, max_amount="100")


def test_a_guest_has_paid_for_one_sum(stage, alice, olga):
    charge = open_charge(
        seller=olga, station_id="K-1", connector_id=1, amount=5_000, provider="manual"
    ).charge
    session = stage.charge(alice, "amount", "100", connector_id=2)
    GuestCharge.objects.filter(pk=charge.pk).update(session=session)
    with pytest.raises(LimitFixed):
        raised(session, olga, "200")
    GuestCharge.objects.all().update(session=None)


def test_a_station_that_is_away_does_not_matter(stage, alice):
    session = stage.charge(alice, "amount", "100")
    stage.disconnect()
    assert raised(session, alice, "200").hold_minor == 20_000
    assert Station.objects.get(pk=stage.station.pk).owner is None
    assert Account.objects.get(owner=alice).held_minor == 20_000
