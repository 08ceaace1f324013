"""Each rule opens once and resolves once for one cause, and says nothing below its threshold."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db.models import F
from django.utils import timezone

from billing.models import Account, OutboxMessage, Payment, PaymentReturn, PaymentWebhook
from billing.payments.polling import GRACE, lifetime
from config import watch
from config.models import RuleLook, WorkerProcess
from config.watch import run
from config.watch.rules import RULES
from sessions_app.models import ChargingSession
from sessions_app.tests.stage import FAR, Stage
from stations import alerts, frames, reports, takeovers
from stations.alerting import kinds
from stations.models import (
    Alert,
    AlertChannel,
    Command,
    Connector,
    GatewayProcess,
    IgnoredFrames,
    Site,
    Station,
)
from stations.tests.cast import run_at_once

pytestmark = pytest.mark.django_db

SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)


class Watch:
    """Looks by all rules at moments of a clock of its own, each later than the last."""

    def __init__(self):
        self.now = timezone.now()

    def look(self, *, after_s=0.0):
        """Pass some time and look; return the kinds that are open."""
        self.now += dt.timedelta(seconds=after_s)
        OutboxMessage.objects.filter(topic__startswith="alert.").update(status="delivered")
        RuleLook.objects.update(due_at=self.now)
        watch.run_due(self.now)
        return sorted(Alert.objects.open().values_list("kind", flat=True))


@pytest.fixture
def watcher(db, settings):
    """The outbox is not on the watcher's clock, so its queue is patient where it is not meant."""
    settings.CSMS_QUEUE_ALERT_S = 10**9
    return Watch()


@pytest.fixture
def impatient(settings):
    settings.CSMS_QUEUE_ALERT_S = 120


@pytest.fixture
def here(db):
    """A process with sockets that has run for a day and never dies."""
    now = timezone.now()
    return GatewayProcess.objects.create(
        channel="here", host="test", started_at=now - 24 * HOUR, lease_at=now + FAR
    )


def seen(name="K-2", *, owner=None, last_seen_at=None, **columns):
    """A station that was connected before."""
    now = timezone.now()
    return Station.objects.create(
        station_id=name,
        identity=name.casefold(),
        owner=owner,
        connected_at=columns.pop("connected_at", now - 2 * HOUR),
        last_seen_at=last_seen_at or now,
        **columns,
    )


def told(kind):
    """How often alerts of a kind were told: (opened, resolved), and that none is counted twice."""
    rows = Alert.objects.filter(kind=kind)
    assert set(rows.values_list("count", flat=True)) <= {1}
    keys = [f"alert:{pk}:" for pk in rows.values_list("pk", flat=True)]
    told = [
        OutboxMessage.objects.filter(key__in=[f"{key}{end}" for key in keys]).count()
        for end in ("opened", "resolved")
    ]
    assert told[0] == rows.count()
    return tuple(told)


# --- A station is away ----------------------------------------------------------------------


def test_a_station_that_stays_away_is_one_alert_until_it_is_back(watcher, here):
    station = seen()
    assert watcher.look(after_s=299) == []
    for _ in range(3):
        assert watcher.look(after_s=2) == ["station_offline"]
    assert Alert.objects.get().station == station
    Station.objects.update(owner=here, connected_at=watcher.now)
    for _ in range(3):
        assert watcher.look(after_s=1) == []
    assert told("station_offline") == (1, 1)


def test_a_second_absence_is_a_second_cause(watcher, here):
    seen()
    watcher.look(after_s=301)
    Station.objects.update(owner=here)
    watcher.look(after_s=1)
    Station.objects.update(owner=None, last_seen_at=watcher.now)
    assert watcher.look(after_s=299) == []
    assert watcher.look(after_s=2) == ["station_offline"]
    assert told("station_offline") == (2, 1)


@pytest.mark.parametrize(
    "columns",
    [
        {"enabled": False},
        {"registration": Station.Registration.PENDING},
        {"registration": Station.Registration.REJECTED},
        {"connected_at": None},
    ],
    ids=["out of sale", "not approved", "rejected", "never seen"],
)
def test_a_station_that_nobody_expects_is_no_alert(watcher, here, columns):
    seen(**columns)
    assert watcher.look(after_s=10_000) == []


def test_a_station_that_is_taken_out_of_sale_is_resolved(watcher, here):
    seen()
    watcher.look(after_s=301)
    Station.objects.update(enabled=False)
    assert watcher.look(after_s=1) == []
    assert told("station_offline") == (1, 1)


def test_a_station_that_is_silent_on_its_open_socket_is_not_away(watcher, here):
    seen(owner=here, last_seen_at=timezone.now() - 9 * HOUR)
    assert watcher.look(after_s=10_000) == []


def test_a_station_whose_process_died_is_away_from_its_last_lease(watcher, here):
    dead = GatewayProcess.objects.create(channel="dead", host="test")
    seen(owner=dead, last_seen_at=timezone.now() - 9 * HOUR)
    assert watcher.look(after_s=299) == []
    assert watcher.look(after_s=2) == ["station_offline"]


def test_after_an_outage_of_our_own_stations_have_time_to_come_back(watcher):
    seen(last_seen_at=timezone.now() - 9 * HOUR)
    GatewayProcess.objects.create(channel="new", host="test", lease_at=timezone.now() + FAR)
    assert watcher.look(after_s=299) == []
    assert watcher.look(after_s=2) == ["station_offline"]


def test_a_great_many_come_in_portions_and_none_is_left_out(watcher, here, monkeypatch):
    monkeypatch.setattr("config.watch.stations.AT_ONCE", 2)
    for number in range(5):
        seen(f"K-{number}")
    assert len(watcher.look(after_s=301)) == 2
    watcher.look(after_s=1)
    assert len(watcher.look(after_s=1)) == 5
    assert told("station_offline") == (5, 0)


# --- A whole site is away -------------------------------------------------------------------


@pytest.fixture
def mall(db):
    return Site.objects.create(name="Mall")


def test_a_whole_site_is_one_alert_instead_of_many(watcher, here, mall):
    for number in range(4):  # they vanish one after the other
        gone_at = timezone.now() + number * SECOND
        seen(f"K-{number}", site=mall, last_seen_at=gone_at)
    assert watcher.look(after_s=299) == []
    for _ in range(4):
        assert watcher.look(after_s=2) == ["site_offline"]
    row = Alert.objects.get()
    assert (row.site, row.station, row.severity) == (mall, None, "critical")
    Station.objects.update(owner=here, connected_at=watcher.now)
    assert watcher.look(after_s=1) == []
    assert told("site_offline") == (1, 1)


def test_stragglers_of_a_site_have_their_time_and_then_are_alerts_of_their_own(watcher, here, mall):
    for number in range(3):
        seen(f"K-{number}", site=mall)
    watcher.look(after_s=301)
    Station.objects.filter(station_id="K-0").update(owner=here, connected_at=watcher.now)
    assert watcher.look(after_s=299) == ["site_offline"]
    watcher.look(after_s=2)
    assert watcher.look(after_s=1) == ["station_offline", "station_offline"]
    assert told("site_offline") == (1, 1)


def test_a_site_with_one_station_there_is_not_away(watcher, here, mall):
    for number in range(3):
        seen(f"K-{number}", site=mall, owner=here if number == 0 else None)
    assert watcher.look(after_s=301) == ["station_offline", "station_offline"]


def test_two_stations_are_no_site(watcher, here, mall):
    for number in range(2):
        seen(f"K-{number}", site=mall)
    assert watcher.look(after_s=301) == ["station_offline", "station_offline"]


# --- No process holds sockets ---------------------------------------------------------------


def test_no_process_with_sockets_is_one_alert_and_no_station_is(watcher, here):
    for number in range(3):
        seen(f"K-{number}")
    GatewayProcess.objects.all().delete()
    WorkerProcess.objects.create(host="test", started_at=timezone.now() - HOUR)
    assert watcher.look(after_s=299) == []
    for _ in range(2):
        assert watcher.look(after_s=2) == ["no_gateway"]
    GatewayProcess.objects.create(
        channel="new", host="test", started_at=watcher.now, lease_at=watcher.now + FAR
    )
    assert watcher.look(after_s=1) == []
    assert told("no_gateway") == (1, 1)


def test_a_worker_that_has_just_begun_waits_for_the_first_socket(watcher):
    seen(last_seen_at=timezone.now() - HOUR)
    WorkerProcess.objects.create(host="test", started_at=timezone.now())
    assert watcher.look(after_s=299) == []
    assert watcher.look(after_s=2) == ["no_gateway"]


def test_without_stations_nobody_misses_a_process(watcher, station):
    assert watcher.look(after_s=10_000) == []


# --- Two devices on one identity -------------------------------------------------------------


def take_over(station, times, at, peers=("10.0.0.1", "10.0.0.2")):
    takeovers.note(
        takeovers.Takeover(station.pk, peers[number % len(peers)], at + number * SECOND)
        for number in range(times)
    )


def test_sockets_that_replace_each_other_are_one_alert_until_it_is_quiet(watcher, station):
    take_over(station, 5, watcher.now)
    assert watcher.look(after_s=10) == []
    take_over(station, 1, watcher.now)
    for _ in range(2):
        assert watcher.look(after_s=1) == ["device_flapping"]
    assert "from 10.0.0.1 and 10.0.0.2" in Alert.objects.get().text
    take_over(station, 3, watcher.now)
    assert watcher.look(after_s=500) == ["device_flapping"]
    assert watcher.look(after_s=110) == []
    assert told("device_flapping") == (1, 1)


def test_takeovers_that_are_far_apart_are_no_contest(watcher, station):
    for _ in range(8):
        take_over(station, 1, watcher.now)
        assert watcher.look(after_s=150) == []


def test_serial_numbers_that_alternate_are_named(watcher, station):
    for number in range(6):
        Station.objects.update(serial_number=f"S{number % 2}")
        take_over(station, 1, watcher.now + number * SECOND, peers=("10.0.0.9",))
    watcher.look(after_s=10)
    row = Alert.objects.get()
    assert "serial numbers S0 and S1" in row.text
    assert row.detail == {"peers": ["10.0.0.9"], "serial_numbers": ["S0", "S1"]}


# --- A connector is faulted -----------------------------------------------------------------


def say(station, status, *, at, connector_id=1, error_code=""):
    reports.record_status(
        station=station,
        status=reports.Status(connector_id, status, received_at=at, error_code=error_code),
    )


def test_a_fault_that_stays_is_one_alert_until_it_is_gone(watcher, station):
    say(station, "Faulted", at=watcher.now, error_code="GroundFailure")
    assert watcher.look(after_s=59) == []
    say(station, "Faulted", at=watcher.now, error_code="GroundFailure")  # it repeats itself
    for _ in range(2):
        assert watcher.look(after_s=2) == ["connector_faulted"]
    assert Alert.objects.get().text == "Connector 1 of K-1 is faulted: GroundFailure."
    say(station, "Available", at=watcher.now)
    assert watcher.look(after_s=1) == []
    assert told("connector_faulted") == (1, 1)


def test_a_fault_that_comes_and_goes_is_none(watcher, station):
    for _ in range(5):
        say(station, "Faulted", at=watcher.now)
        assert watcher.look(after_s=50) == []
        say(station, "Available", at=watcher.now)
        assert watcher.look(after_s=1) == []
        say(station, "Faulted", at=watcher.now)
        assert watcher.look(after_s=55) == []
        say(station, "Available", at=watcher.now)


def test_two_connectors_are_two_causes(watcher, station):
    for connector_id in (1, 2):
        say(station, "Faulted", at=watcher.now, connector_id=connector_id)
    assert watcher.look(after_s=61) == ["connector_faulted", "connector_faulted"]
    say(station, "Available", at=watcher.now, connector_id=2)
    assert watcher.look(after_s=1) == ["connector_faulted"]
    assert Alert.objects.open().get().detail == {"connector": 1}


def test_a_fault_of_a_station_out_of_sale_is_none(watcher, station):
    say(station, "Faulted", at=watcher.now)
    Station.objects.update(enabled=False)
    assert watcher.look(after_s=61) == []


def test_the_time_of_a_fault_is_by_our_clock(watcher, station):
    """A station whose clock is years off, as many are."""
    status = reports.Status(
        1, "Faulted", received_at=watcher.now, at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    )
    reports.record_status(station=station, status=status)
    assert watcher.look(after_s=30) == []
    assert watcher.look(after_s=31) == ["connector_faulted"]


# --- A charge without readings --------------------------------------------------------------


@pytest.fixture
def stage(station):
    return Stage(station)


def test_a_charge_without_readings_is_one_alert_until_one_comes(watcher, stage, alice):
    session = stage.charge(alice)
    watcher.now = session.last_reading_at
    assert watcher.look(after_s=299) == []
    for _ in range(2):
        assert watcher.look(after_s=1) == ["session_silent"]
    assert str(session.transaction_id) in Alert.objects.get().text
    stage.deliver(session.transaction_id, 100, seconds=301)
    assert watcher.look(after_s=1) == []
    assert told("session_silent") == (1, 1)


def test_a_silent_charge_that_ends_is_resolved(watcher, stage, alice):
    session = stage.charge(alice)
    watcher.look(after_s=301)
    stage.pass_time(seconds=302)
    stage.end(session.transaction_id)
    assert watcher.look(after_s=1) == []
    assert told("session_silent") == (1, 1)


def test_a_silent_charge_at_a_station_that_is_away_is_no_alert_of_its_own(watcher, stage, alice):
    stage.charge(alice)
    stage.disconnect()
    assert "session_silent" not in watcher.look(after_s=301)


def test_a_station_that_reports_seldom_has_three_intervals(watcher, stage, alice):
    Station.objects.update(configuration={"MeterValueSampleInterval": {"value": "900"}})
    stage.charge(alice)
    assert watcher.look(after_s=2_600) == []
    assert watcher.look(after_s=150) == ["session_silent"]


# --- Overshoot ------------------------------------------------------------------------------


def charge_past(stage, driver, energy_wh, *, value="50"):
    """Sell 50.00, which is 4 kWh, and let the station deliver so much."""
    session = stage.charge(driver, "amount", value)
    stage.deliver(session.transaction_id, energy_wh, seconds=600)
    stage.end(session.transaction_id)
    session.refresh_from_db()
    return session


def test_an_overshoot_is_one_alert_until_a_later_charge_ends_at_its_limit(watcher, stage, alice):
    session = charge_past(stage, alice, 5_000)
    assert session.cost_minor == 5_000
    for _ in range(3):
        assert watcher.look(after_s=60) == ["overshoot"]
    assert "12.50 KGS" in Alert.objects.get().text
    stage.pass_time(seconds=60)
    charge_past(stage, alice, 2_000)  # the driver went before the limit: it proves nothing
    assert watcher.look(after_s=60) == ["overshoot"]
    stage.pass_time(seconds=60)
    exact = charge_past(stage, alice, 4_000)
    assert exact.stop_requested_by == "limit"
    assert watcher.look(after_s=60) == []
    assert told("overshoot") == (1, 1)


def test_what_is_less_than_the_threshold_is_none(watcher, stage, alice):
    charge_past(stage, alice, 4_799)
    assert watcher.look(after_s=10) == []


def test_the_threshold_itself_is_one(watcher, stage, alice):
    charge_past(stage, alice, 4_800)
    assert watcher.look(after_s=10) == ["overshoot"]


def test_an_overshoot_that_staff_resolved_does_not_come_again(watcher, stage, alice, olga):
    charge_past(stage, alice, 5_000)
    watcher.look(after_s=10)
    alerts.resolve_by_staff(alert_id=Alert.objects.get().pk, by=olga, reason="known")
    assert watcher.look(after_s=10) == []
    assert told("overshoot") == (1, 1)


def test_an_overshoot_while_no_worker_ran_is_found(watcher, stage, alice):
    watcher.look()
    RuleLook.objects.update(until=timezone.now() - 3 * HOUR)
    charge_past(stage, alice, 5_000)
    assert watcher.look(after_s=1) == ["overshoot"]


# --- Money ----------------------------------------------------------------------------------


def test_books_that_do_not_balance_are_one_alert_until_they_do(watcher, alice):
    assert watcher.look() == []
    Account.objects.filter(owner=alice).update(balance_minor=F("balance_minor") + 1)
    for _ in range(2):
        assert watcher.look(after_s=60) == ["books_unbalanced"]
    assert Alert.objects.get().text == "All balances together are 0.01 instead of 0.00."
    Account.objects.filter(owner=alice).update(balance_minor=F("balance_minor") - 1)
    assert watcher.look(after_s=60) == []
    assert told("books_unbalanced") == (1, 1)


@pytest.fixture
def pending(bob):
    return Payment.objects.create(user=bob, provider="sandbox", amount_minor=50_000, currency="KGS")


def test_a_top_up_that_does_not_end_is_one_alert_until_it_does(watcher, pending, settings):
    settings.CSMS_SANDBOX_PAYMENTS = True
    patience = (lifetime() + GRACE).total_seconds() + settings.CSMS_PAYMENT_ALERT_S
    assert watcher.look(after_s=patience - 5) == []
    for _ in range(2):
        assert watcher.look(after_s=10) == ["payment_stuck"]
    Payment.objects.update(status="expired")
    assert watcher.look(after_s=30) == []
    assert told("payment_stuck") == (1, 1)


def test_a_refund_that_is_not_carried_out_is_one_alert_until_it_is(watcher, pending, olga):
    Payment.objects.update(status="paid")
    PaymentReturn.objects.create(
        payment=pending, kind="refund", amount_minor=100, reason="asked", made_by=olga
    )
    assert watcher.look(after_s=1_795) == []
    for _ in range(2):
        assert watcher.look(after_s=10) == ["payment_stuck"]
    PaymentReturn.objects.update(status="done")
    assert watcher.look(after_s=30) == []
    assert told("payment_stuck") == (1, 1)


def forge(number, at, outcome="unverified"):
    for index in range(number):
        digest = f"{at.timestamp()}-{index}-{outcome}"
        PaymentWebhook.objects.create(
            provider="freedompay", digest=digest, body=b"", outcome=outcome, received_at=at
        )


def test_unsigned_messages_are_one_alert_until_none_came_for_an_hour(watcher):
    forge(4, watcher.now)
    forge(9, watcher.now, outcome="credited")
    assert watcher.look(after_s=1) == []
    forge(1, watcher.now)
    for _ in range(2):
        assert watcher.look(after_s=30) == ["webhooks_unverified"]
    assert watcher.look(after_s=3_500) == ["webhooks_unverified"]
    assert watcher.look(after_s=100) == []
    assert told("webhooks_unverified") == (1, 1)


@pytest.mark.parametrize(
    ("kind", "still", "done"),
    [
        ("payment_mismatch", "failed", "paid"),
        ("payment_mismatch", "failed", "refunded"),
        ("payment_reversed", "paid", "refunded"),
    ],
)
def test_an_alarm_about_a_payment_ends_when_the_payment_is_right(
    watcher, pending, kind, still, done
):
    alerts.open_alert(kind, str(pending.pk), "The provider says otherwise.")
    Payment.objects.update(status=still)
    assert watcher.look(after_s=30) == [kind]
    Payment.objects.update(status=done)
    assert watcher.look(after_s=30) == []
    assert told(kind) == (1, 1)


# --- Queues ---------------------------------------------------------------------------------


def message(due_at):
    return OutboxMessage.objects.create(key="k", topic="t", due_at=due_at)


def late_session(stage, alice, due_at):
    ChargingSession.objects.filter(pk=stage.charge(alice).pk).update(due_at=due_at)


def test_a_queue_that_does_not_empty_is_one_alert_until_it_has_caught_up(watcher, impatient):
    first = message(watcher.now)
    assert watcher.look(after_s=119) == []
    for _ in range(2):
        assert watcher.look(after_s=1) == ["queue_growing"]
    OutboxMessage.objects.filter(pk=first.pk).update(due_at=watcher.now - 70 * SECOND)
    assert watcher.look() == ["queue_growing"], "half as far behind is not yet well"
    OutboxMessage.objects.exclude(due_at__gt=watcher.now).update(status="delivered")
    assert watcher.look(after_s=1) == []
    assert told("queue_growing") == (1, 1)


def test_each_queue_is_watched(watcher, impatient, stage, alice, pending, settings):
    settings.CSMS_SANDBOX_PAYMENTS = True
    start = watcher.now
    late_session(stage, alice, start)
    Payment.objects.filter(pk=pending.pk).update(due_at=start)
    message(start)
    Command.objects.create(station=stage.station, action="Reset", lane=2, deadline_at=start)
    OutboxMessage.objects.exclude(key="k").delete()
    watcher.look(after_s=121)
    causes = Alert.objects.filter(kind="queue_growing").values_list("cause", flat=True)
    assert {cause.partition(":")[2] for cause in causes} == {
        "outbox",
        "sessions",
        "payments",
        "commands",
    }


def test_a_message_that_waits_for_its_next_attempt_is_not_behind(watcher, impatient):
    OutboxMessage.objects.create(
        key="k", topic="t", attempts=7, due_at=watcher.now + HOUR, created_at=watcher.now - HOUR
    )
    assert watcher.look(after_s=3_000) == []


# --- Calls that break their schema ----------------------------------------------------------


def breach(station, number):
    log = frames.FrameLog()
    for _ in range(number):
        log.ignore(station.pk, IgnoredFrames.Kind.BREACH)
    log.write()


def test_calls_that_break_their_schema_are_one_alert_until_none_does(watcher, station):
    breach(station, 19)
    assert watcher.look(after_s=1) == []
    breach(station, 1)
    for _ in range(2):
        assert watcher.look(after_s=1) == ["schema_errors"]
    assert watcher.look(after_s=590) == ["schema_errors"]
    assert watcher.look(after_s=20) == []
    assert told("schema_errors") == (1, 1)


def test_breaches_that_are_spread_over_a_day_are_none(watcher, station):
    for _ in range(5):
        breach(station, 15)
        assert watcher.look(after_s=1) == []
        IgnoredFrames.objects.update(window_at=F("window_at") - 601 * SECOND)
    assert IgnoredFrames.objects.get().count == 75


def test_other_frames_that_are_ignored_are_no_breach(watcher, station):
    log = frames.FrameLog()
    for _ in range(50):
        log.ignore(station.pk, IgnoredFrames.Kind.LATE_ANSWER)
    log.write()
    assert watcher.look(after_s=1) == []


# --- Channels -------------------------------------------------------------------------------


def test_a_channel_that_takes_nothing_is_one_alert_until_it_does(watcher):
    row = AlertChannel.objects.create(name="mail", sealed_address="x", failing_since=watcher.now)
    assert watcher.look(after_s=599) == []
    for _ in range(2):
        assert watcher.look(after_s=1) == ["channel_failing"]
    assert Alert.objects.get().detail == {"channel": row.pk}
    AlertChannel.objects.update(failing_since=None)
    assert watcher.look(after_s=1) == []
    assert told("channel_failing") == (1, 1)


def test_a_channel_that_is_not_in_use_may_fail(watcher):
    AlertChannel.objects.create(
        name="mail", sealed_address="x", failing_since=watcher.now, is_enabled=False
    )
    assert watcher.look(after_s=900) == []


# --- All rules ------------------------------------------------------------------------------


def test_each_rule_has_its_words():
    assert {rule.kind for rule in RULES} <= set(kinds.BY_NAME)
    assert len({rule.kind for rule in RULES}) == len(RULES)


def test_what_a_rule_watches_is_not_resolved_by_hand():
    """But for what is over when it happened: nothing opens it again."""
    by_hand = {"overshoot", "payment_mismatch", "payment_reversed"}
    ends = {kind.name for kind in kinds.KINDS if kinds.ends_itself(kind.name)}
    assert ends == {rule.kind for rule in RULES} - by_hand


def test_a_rule_looks_no_more_often_than_it_says(watcher, here):
    watch.run_due(watcher.now)
    seen(last_seen_at=watcher.now - HOUR)
    assert watch.run_due(watcher.now + 4 * SECOND) == 0
    assert watch.run_due(watcher.now + 5 * SECOND) == 1


def test_a_rule_that_fails_stops_no_other_and_comes_again(watcher, here, monkeypatch, caplog):
    seen()
    broken = RULES[0].__class__("no_gateway", 5, "", "", (), lambda look: 1 / 0, lambda look: ())
    monkeypatch.setattr(run, "RULES", (broken, *RULES[1:]))
    assert watcher.look(after_s=301) == ["station_offline"]
    assert "ZeroDivisionError" in caplog.text
    later = watcher.now + run.CLAIMED
    assert RuleLook.objects.get(kind="no_gateway").due_at == later


def test_a_rule_that_another_worker_looks_by_is_left_to_it(watcher, here):
    seen()
    watcher.look()
    now = watcher.now + 301 * SECOND
    RuleLook.objects.update(due_at=now + run.CLAIMED)
    assert watch.run_due(now) == 0
    assert watch.run_due(now + run.CLAIMED) == 1, "its worker has died"


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_open_and_resolve_once(watcher, here, station):
    for number in range(10):
        seen(f"K-{number + 10}")
    say(station, "Faulted", at=watcher.now)
    Connector.objects.filter(connector_id=2).delete()
    for after_s in (301, 10, 10):
        watcher.now += dt.timedelta(seconds=after_s)
        run_at_once(*[lambda: watch.run_due(watcher.now)] * 4)
    assert told("station_offline") == (10, 0)
    assert told("connector_faulted") == (1, 0)
    Station.objects.filter(connected_at__isnull=False).update(owner=here)
    say(station, "Available", at=watcher.now)
    watcher.now += 10 * SECOND
    run_at_once(*[lambda: watch.run_due(watcher.now)] * 4)
    assert told("station_offline") == (10, 10)
    assert told("connector_faulted") == (1, 1)


def test_money_of_a_threshold_may_have_hundredths(watcher, stage, alice, settings):
    settings.CSMS_OVERSHOOT_ALERT = Decimal("12.50")
    charge_past(stage, alice, 5_000)
    assert watcher.look(after_s=10) == ["overshoot"]


def test_the_looks_cost_the_same_with_many_open_alerts(
    watcher, here, django_assert_max_num_queries
):
    for number in range(30):
        seen(f"K-{number}")
    watcher.look(after_s=301)
    watcher.now += 60 * SECOND
    RuleLook.objects.update(due_at=watcher.now)
    with django_assert_max_num_queries(120):
        watch.run_due(watcher.now)
