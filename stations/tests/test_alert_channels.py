"""Who is told of alerts, when and how often: over real HTTP and SMTP on the loopback."""

import datetime as dt
import logging
import zoneinfo

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from billing import outbox, sealed
from billing.errors import Invalid
from billing.models import OutboxMessage
from config.notices import DELIVERIES
from stations import alert_channels, alerts, silences
from stations.alerting import routing
from stations.alerting.quiet import digest_at, quiet_until
from stations.errors import AddressRefused, AlertEndsItself
from stations.models import Alert, AlertChannel, AlertNotice, AlertSilence, Site, Station
from stations.tests.cast import run_at_once
from stations.tests.receivers import json_receiver, mail_receiver

pytestmark = [
    pytest.mark.django_db,
    # its services: some say so when they are first loaded
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

Severity = Alert.Severity
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
UTC = zoneinfo.ZoneInfo("UTC")
DEAD = "json://127.0.0.1:9/nobody"


@pytest.fixture
def hook():
    with json_receiver() as receiver:
        yield receiver


@pytest.fixture
def other():
    with json_receiver() as receiver:
        yield receiver


@pytest.fixture
def post():
    with mail_receiver() as receiver:
        yield receiver


@pytest.fixture
def add(olga):
    def add_channel(receiver, name="hook", **changes):
        address = getattr(receiver, "address", receiver)
        sites = changes.pop("sites", None)
        return alert_channels.save_channel(
            channel=AlertChannel(),
            by=olga,
            reason="to know",
            changes={"name": name, "min_severity": "info", **changes},
            address=address,
            sites=sites,
        )

    return add_channel


def deliver():
    """What is due in each lane; a worker serves them beside one another."""
    outbox.deliver_due(DELIVERIES)
    for lane in outbox.due_lanes(timezone.now()):
        outbox.deliver_due(DELIVERIES, lane=lane)


def run(*, after=dt.timedelta(0)):
    """One beat of the worker, some time later: notices are made, handed over and delivered."""
    OutboxMessage.objects.update(due_at=timezone.now())  # the pauses between attempts are over
    if after:
        AlertNotice.objects.filter(status="waiting").exclude(held_by="").update(
            due_at=timezone.now()
        )
    for _ in range(2):
        deliver()
        routing.post_due(timezone.now())
    deliver()


def open_one(kind="needs_unmet", cause="1", text="It reports too little.", **more):
    alerts.open_alert(kind, cause, text, **more)
    return Alert.objects.get(cause=f"{kind}:{cause}", resolved_at=None)


def states(event="opened"):
    rows = AlertNotice.objects.filter(event=event).order_by("pk")
    return list(rows.values_list("channel__name", "status", "held_by"))


# --- At once --------------------------------------------------------------------------------


def test_an_alert_is_told_once_when_it_opens_and_once_when_it_is_resolved(
    hook, add, station, settings
):
    settings.CSMS_PUBLIC_URL = "https://kubat.example.org"
    add(hook)
    station.name = "By the gate"
    station.site = Site.objects.create(name="Mall")
    station.save()
    alert = open_one(station=station, severity=Severity.CRITICAL)
    run()
    alerts.open_alert("needs_unmet", "1", "It reports too little.", station=station)  # again
    run()
    (told,) = hook.taken
    assert told["title"] == "[critical] Reports less than is needed · K-1"
    assert told["type"] == "failure"
    for text in (
        "It reports too little.",
        "Station: K-1 (By the gate)",
        "Site: Mall",
        "(Asia/Bishkek)",
        "What to do: See its configuration",
        f"https://kubat.example.org/admin/stations/alert/{alert.pk}/change/",
    ):
        assert text in told["message"]
    alerts.resolve_alert("needs_unmet", "1")
    alerts.resolve_alert("needs_unmet", "1")
    run()
    run()
    assert hook.titles[1:] == ["Resolved: Reports less than is needed · K-1"]
    assert hook.taken[1]["type"] == "success"
    assert "Lasted: 0 min" in hook.taken[1]["message"]


def test_mail_is_a_channel_like_any_other(post, add, station):
    add(post, language="ru")
    open_one(station=station)
    run()
    (mail,) = post.taken
    assert mail["title"] == "Станция сообщает меньше, чем нужно · K-1"
    assert "Что делать: Проверьте конфигурацию" in mail["message"]
    assert "olga@example.org" in mail["to"]


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "Station offline · K-1"),
        ("ru", "Станция не на связи · K-1"),
        ("ky", "Станция байланышта эмес · K-1"),
    ],
)
def test_a_channel_has_its_language(hook, add, station, language, title):
    add(hook, language=language)
    open_one("station_offline", station=station)
    run()
    assert hook.titles == [title]


def test_a_kind_that_nobody_has_listed_is_told_by_its_text(hook, add):
    add(hook)
    open_one("brand_new", text="Something new.")
    run()
    assert hook.titles == ["Brand new"]
    assert hook.taken[0]["message"].startswith("Something new.")


def test_without_a_public_address_there_is_no_link(hook, add):
    add(hook)
    open_one()
    run()
    assert "http" not in hook.taken[0]["message"]


def test_a_storm_is_one_message(hook, add, tariff):
    add(hook)
    site = Site.objects.create(name="Mall")
    for number in range(30):
        name = f"K-{number:02}"
        row = Station.objects.create(station_id=name, identity=name.lower(), site=site)
        alerts.open_alert("station_offline", name, f"{name} is gone.", station=row)
    run()
    (told,) = hook.taken
    assert told["title"] == "Kubat: 30 opened, 0 resolved"
    assert "- Station offline, Mall (30): K-00, K-01" in told["message"]
    assert "and 20 more" in told["message"]
    run()
    assert hook.tried == 1


def test_two_beats_at_once_tell_once(hook, add, transactional_db):
    add(hook)
    for number in range(5):
        open_one(cause=str(number))
    deliver()
    run_at_once(*[lambda: routing.post_due(timezone.now())] * 4)
    run_at_once(*[deliver] * 4)
    assert len(hook.taken) == 5
    assert AlertNotice.objects.filter(status="sent").count() == 5


# --- Which channel --------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "told"), [("info", 3), ("warning", 2), ("critical", 1)])
def test_a_channel_has_a_least_severity(hook, add, least, told):
    add(hook, min_severity=least)
    for severity in Severity:
        open_one(cause=severity, severity=severity)
    run()
    assert len(hook.taken) == told


def test_a_channel_has_its_kinds(hook, add):
    add(hook, kinds=["orphan", "review"])
    for kind in ("orphan", "needs_unmet"):
        open_one(kind)
    run()
    assert len(hook.taken) == 1


def test_a_channel_has_its_sites(hook, add, station):
    mall, airport = (Site.objects.create(name=name) for name in ("Mall", "Airport"))
    add(hook, sites=[mall])
    open_one(cause="nowhere")
    station.site = airport
    open_one(cause="airport", station=station)
    station.site = mall
    open_one(cause="mall", station=station)
    open_one("site_offline", cause="mall", site=mall)
    run()
    assert sorted(AlertNotice.objects.values_list("alert__cause", flat=True)) == [
        "needs_unmet:mall",
        "site_offline:mall",
    ]


def test_a_channel_that_is_not_in_use_is_not_told(hook, add):
    add(hook, is_enabled=False)
    open_one()
    run()
    assert hook.tried == 0


def test_a_channel_that_is_taken_out_of_use_is_not_told_what_waits(hook, add, olga):
    row = add(hook, digest_minutes=60)
    open_one()
    run()
    alert_channels.save_channel(
        channel=row, by=olga, reason="enough", changes={"is_enabled": False}
    )
    run(after=HOUR)
    assert hook.tried == 0
    assert states() == [("hook", "dropped", "digest")]


def test_what_opened_before_a_channel_was_made_is_not_told_to_it(hook, add):
    open_one()
    run()
    add(hook)
    alerts.resolve_alert("needs_unmet", "1")
    run()
    assert hook.tried == 0


def test_the_failure_of_a_channel_is_told_to_the_others_only(hook, other, add):
    failing = add(other, "other")
    add(hook)
    open_one("channel_failing", str(failing.pk), "The channel fails.", channel=failing.pk)
    run()
    assert (len(hook.taken), other.tried) == (1, 0)


# --- Failing --------------------------------------------------------------------------------


def test_a_channel_that_fails_is_tried_again_and_the_others_are_not_told_twice(hook, other, add):
    add(hook)
    broken = add(other, "other")
    other.status = 500
    open_one()
    for _ in range(3):
        run()
    broken.refresh_from_db()
    assert len(hook.taken) == 1
    assert other.tried >= 3
    assert broken.failing_since is not None
    assert "500" in broken.last_error
    assert "hook-of-secret" not in broken.last_error
    other.status = 200
    run()
    broken.refresh_from_db()
    assert len(other.taken) == 1
    assert (broken.failing_since, broken.last_error) == (None, "")
    assert broken.last_sent_at is not None
    run()
    assert (len(hook.taken), len(other.taken)) == (1, 1)


def test_while_a_channel_fails_it_has_one_message_and_the_rest_goes_with_the_next(hook, add):
    add(hook)
    hook.status = 503
    open_one(cause="first")
    run()
    for number in range(8):
        open_one(cause=str(number))
    alerts.resolve_alert("needs_unmet", "3")
    run()
    assert OutboxMessage.objects.filter(topic=routing.NOTICE).count() == 1
    hook.status = 200
    run()
    run()
    assert hook.titles == ["Reports less than is needed", "Kubat: 8 opened, 1 resolved"]


def test_what_the_last_attempt_could_not_tell_goes_with_the_next_message(hook, add):
    add(hook)
    hook.status = 500
    open_one()
    for _ in range(outbox.MAX_ATTEMPTS + 1):
        run()
    assert OutboxMessage.objects.filter(topic=routing.NOTICE, status="failed").count() == 1
    hook.status = 200
    run()
    run()
    assert len(hook.taken) == 1


def test_a_channel_that_nobody_answers_at_fails_and_the_error_names_no_secret(add):
    row = add("json://olga:open-sesame@127.0.0.1:9/very-secret-path")
    open_one()
    run()
    row.refresh_from_db()
    assert "onnection" in row.last_error
    for secret in ("open-sesame", "very-secret-path"):
        assert secret not in row.last_error
        assert not OutboxMessage.objects.filter(last_error__contains=secret).exists()


def test_a_redirect_is_not_followed(hook, other, add):
    add(hook)
    hook.status, hook.elsewhere = 302, other.address.replace("json", "http")
    open_one()
    run()
    assert (other.tried, other.taken) == (0, [])
    assert states() == [("hook", "waiting", "")]


def test_a_channel_whose_secret_key_is_gone_says_so(hook, add, settings):
    row = add(hook)
    settings.SECRET_KEY = "another"
    open_one()
    run()
    row.refresh_from_db()
    assert "enter it again" in row.last_error
    settings.SECRET_KEY_FALLBACKS = []


# --- Quiet hours ----------------------------------------------------------------------------


def at(hour, minute=0, day=10):
    return dt.datetime(2026, 3, day, hour, minute, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("now", "start", "end", "until"),
    [
        (at(21, 59), 22, 7, None),
        (at(22), 22, 7, at(7, day=11)),
        (at(23, 59), 22, 7, at(7, day=11)),
        (at(0), 22, 7, at(7)),
        (at(6, 59), 22, 7, at(7)),
        (at(7), 22, 7, None),
        (at(12), 10, 14, at(14)),
        (at(14), 10, 14, None),
        (at(9, 59), 10, 14, None),
        (at(12), 10, 10, None),
    ],
)
def test_quiet_hours_begin_with_their_first_minute_and_end_before_their_last(
    now, start, end, until
):
    assert quiet_until(now, start=dt.time(start), end=dt.time(end), zone=UTC) == until


def test_without_both_ends_there_are_no_quiet_hours():
    for start, end in ((None, dt.time(7)), (dt.time(7), None), (None, None)):
        assert quiet_until(at(3), start=start, end=end, zone=UTC) is None


def test_quiet_hours_are_by_the_clock_of_the_channel():
    bishkek = zoneinfo.ZoneInfo("Asia/Bishkek")  # UTC+6
    quiet = {"start": dt.time(22), "end": dt.time(7), "zone": bishkek}
    assert quiet_until(at(16), **quiet) == at(1, day=11)
    assert quiet_until(at(1), **quiet) is None


def test_a_night_in_which_clocks_change_ends_by_the_clock():
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    now = dt.datetime(2026, 3, 28, 22, 30, tzinfo=dt.UTC)
    end = quiet_until(now, start=dt.time(22), end=dt.time(7), zone=berlin)
    assert end == dt.datetime(2026, 3, 29, 5, tzinfo=dt.UTC)


def test_a_digest_comes_at_its_beat():
    assert digest_at(at(10, 1), 15) == at(10, 15)
    assert digest_at(at(10, 15), 15) == at(10, 30)
    assert digest_at(at(23, 50), 60) == at(0, day=11)


def quiet_now():
    """Quiet hours that began an hour ago and end in two."""
    local = timezone.now().astimezone(UTC)
    return {
        "quiet_from": (local - HOUR).time(),
        "quiet_until": (local + 2 * HOUR).time(),
        "time_zone": "UTC",
    }


def end_quiet(row):
    """The clock goes on past the quiet hours of a channel."""
    AlertChannel.objects.filter(pk=row.pk).update(quiet_from=None, quiet_until=None)
    run(after=2 * HOUR)


def test_what_comes_in_quiet_hours_is_told_at_their_end_if_it_is_still_open(hook, add):
    row = add(hook, **quiet_now())
    open_one(cause="stays")
    open_one(cause="goes")
    run()
    alerts.resolve_alert("needs_unmet", "goes")
    run()
    assert hook.tried == 0
    assert states() == [("hook", "waiting", "quiet")] * 2
    end_quiet(row)
    assert hook.titles == ["Reports less than is needed"]
    alerts.resolve_alert("needs_unmet", "stays")
    run()
    assert hook.titles[1:] == ["Resolved: Reports less than is needed"]


def test_several_that_stay_are_one_message_at_the_end_of_quiet_hours(hook, add):
    row = add(hook, **quiet_now())
    for number in range(3):
        open_one(cause=str(number))
    run()
    end_quiet(row)
    assert hook.titles == ["Kubat: 3 opened, 0 resolved"]


def test_what_was_told_before_and_ends_in_quiet_hours_is_told_at_their_end(hook, add):
    row = add(hook)
    open_one()
    run()
    AlertChannel.objects.update(**quiet_now())
    alerts.resolve_alert("needs_unmet", "1")
    run()
    assert len(hook.taken) == 1
    end_quiet(row)
    assert hook.titles[1:] == ["Resolved: Reports less than is needed"]


@pytest.mark.parametrize(("breaks", "told"), [(True, 1), (False, 0)])
def test_critical_alerts_break_quiet_hours_where_the_channel_says_so(hook, add, breaks, told):
    add(hook, breaks_quiet=breaks, **quiet_now())
    open_one(cause="critical", severity=Severity.CRITICAL)
    open_one(cause="warning")
    run()
    assert hook.tried == told


def test_a_message_that_failed_does_not_come_in_quiet_hours(hook, add):
    add(hook)
    hook.status = 500
    open_one()
    run()
    AlertChannel.objects.update(**quiet_now())
    hook.status = 200
    run()
    assert hook.taken == []
    assert states() == [("hook", "waiting", "quiet")]


# --- Digest ---------------------------------------------------------------------------------


def test_a_digest_collects_what_opened_and_what_was_resolved(hook, add, station):
    add(hook, digest_minutes=15)
    open_one(cause="goes", station=station)
    open_one("orphan", cause="stays", text="A stop of nobody.")
    run()
    alerts.resolve_alert("needs_unmet", "goes")
    run()
    assert hook.tried == 0
    run(after=15 * MINUTE)
    (told,) = hook.taken
    assert told["title"] == "Kubat: 2 opened, 1 resolved"
    assert "- Message of an unknown session: A stop of nobody." in told["message"]
    assert "Resolved:\n- Reports less than is needed" in told["message"]
    run(after=15 * MINUTE)
    assert hook.tried == 1


def test_a_digest_with_nothing_in_it_is_not_sent(hook, add):
    add(hook, digest_minutes=1)
    run(after=MINUTE)
    assert hook.tried == 0


def test_a_digest_waits_for_its_beat(hook, add):
    add(hook, digest_minutes=60)
    before = timezone.now()
    open_one()
    run()
    due_at = AlertNotice.objects.get().due_at
    assert before < due_at <= before + HOUR + MINUTE
    assert (due_at.minute, due_at.second) == (0, 0)


# --- Silence --------------------------------------------------------------------------------


def hush(olga, **about):
    until = about.pop("until", timezone.now() + HOUR)
    return silences.silence(until=until, by=olga, reason="works on site", **about)


def test_during_a_silence_nothing_is_sent_and_alerts_open_all_the_same(hook, add, station, olga):
    add(hook)
    hush(olga, station=station)
    open_one(station=station, severity=Severity.CRITICAL)
    run()
    alerts.resolve_alert("needs_unmet", "1")
    run()
    assert hook.tried == 0
    run(after=HOUR)
    AlertSilence.objects.update(until=timezone.now())
    run(after=HOUR)
    assert hook.tried == 0, "it opened and was resolved in the silence"
    assert Alert.objects.count() == 1


def test_what_is_still_open_when_a_silence_ends_is_told_then(hook, add, station, olga):
    add(hook)
    hush(olga, station=station)
    open_one(station=station)
    run()
    run(after=MINUTE)
    assert hook.tried == 0
    AlertSilence.objects.update(until=timezone.now())  # it ends by itself
    run(after=HOUR)
    assert len(hook.taken) == 1


def test_a_silence_that_is_ended_early_lets_what_is_open_be_told(hook, add, station, olga):
    add(hook)
    row = hush(olga, station=station)
    open_one(station=station)
    run()
    silences.end_silence(silence_id=row.pk, by=olga, reason="done early")
    silences.end_silence(silence_id=row.pk, by=olga, reason="again")
    run()
    assert len(hook.taken) == 1
    assert LogEntry.objects.filter(change_message__contains="done early").count() == 1
    assert not LogEntry.objects.filter(change_message__contains="again").exists()


def test_a_silence_holds_what_waits_for_its_digest(hook, add, station, olga):
    add(hook, digest_minutes=30)
    open_one(station=station)
    run()
    hush(olga, kind="needs_unmet")
    run(after=30 * MINUTE)
    assert hook.tried == 0
    assert states() == [("hook", "waiting", "silence")]


def test_a_silence_is_about_what_it_names_and_nothing_else(hook, add, station, olga, tariff):
    add(hook)
    mall = Site.objects.create(name="Mall")
    at_mall = Station.objects.create(station_id="K-2", identity="k-2", site=mall)
    hush(olga, site=mall, kind="orphan")
    for kind, place in (("orphan", at_mall), ("review", at_mall), ("orphan", station)):
        open_one(kind, cause=str(place), station=place)
    run()
    told = AlertNotice.objects.filter(status="sent").values_list("alert__cause", flat=True)
    assert sorted(told) == ["orphan:K-1", "review:K-2"]


@pytest.mark.parametrize(
    ("about", "field"),
    [
        ({}, "kind"),
        ({"kind": "orphan", "until": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}, "until"),
        ({"kind": "orphan", "until": dt.datetime(2120, 1, 1, tzinfo=dt.UTC)}, "until"),
    ],
    ids=["of nothing", "over already", "for ever"],
)
def test_a_silence_that_makes_no_sense_is_refused(olga, about, field):
    with pytest.raises(Invalid) as refused:
        hush(olga, **about)
    assert set(refused.value.fields) == {field}


# --- By hand --------------------------------------------------------------------------------


def test_staff_resolve_what_nothing_else_does_and_it_says_who_and_why(hook, add, olga):
    add(hook)
    alert = open_one("security_event", text="K-1 reports TamperDetectionActivated.")
    run()
    for _ in range(2):
        alerts.resolve_by_staff(alert_id=alert.pk, by=olga, reason="the electrician was there")
    run()
    alert.refresh_from_db()
    assert (alert.resolved_by, alert.resolution) == (olga, "the electrician was there")
    assert "Resolved by staff: the electrician was there" in hook.taken[1]["message"]
    assert len(hook.taken) == 2
    assert LogEntry.objects.filter(change_message__contains="electrician").count() == 1


def test_what_a_rule_watches_is_not_resolved_by_hand(olga):
    alert = open_one("station_offline")
    with pytest.raises(AlertEndsItself):
        alerts.resolve_by_staff(alert_id=alert.pk, by=olga, reason="away with it")
    alert.refresh_from_db()
    assert alert.is_open


def test_without_a_reason_nothing_is_resolved(olga):
    alert = open_one("security_event")
    with pytest.raises(Invalid):
        alerts.resolve_by_staff(alert_id=alert.pk, by=olga, reason=" ")
    alert.refresh_from_db()
    assert alert.is_open


def test_an_alert_that_was_resolved_by_hand_can_open_again_for_a_new_cause(olga):
    alert = open_one("security_event")
    alerts.resolve_by_staff(alert_id=alert.pk, by=olga, reason="seen")
    assert open_one("security_event").pk != alert.pk


# --- The address ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "bogus://host",
        "file:///etc/passwd",
        "syslog://",
        "dbus://",
        "fcm://project@device/?keyfile=/etc/passwd",
        "mailto://127.0.0.1?from=a@example.org&to="
        + ",".join(f"p{number}@example.org" for number in range(9)),
    ],
)
def test_an_address_that_is_no_channel_is_refused(add, address):
    with pytest.raises(Invalid):
        add(address)
    assert not AlertChannel.objects.exists()


def test_the_reason_of_a_refusal_names_the_field(add):
    with pytest.raises(AddressRefused) as refused:
        add("syslog://")
    assert refused.value.fields == {"address": ["This service acts on the server itself."]}


def test_the_address_lies_encrypted_and_is_nowhere_else(hook, add, olga):
    row = add(hook)
    secret = hook.address.rpartition("/")[2]
    assert sealed.unseal(row.sealed_address) == hook.address
    columns = str(AlertChannel.objects.values().get()) + str(list(LogEntry.objects.values()))
    assert secret not in columns
    assert row.service == "JSON"


def test_a_change_without_an_address_keeps_the_one_that_is_set(hook, add, olga):
    row = add(hook)
    kept = row.sealed_address
    alert_channels.save_channel(channel=row, by=olga, reason="why", changes={"name": "duty"})
    row.refresh_from_db()
    assert (row.name, row.sealed_address) == ("duty", kept)


@pytest.mark.parametrize(
    "changes",
    [
        {"time_zone": "Bishkek"},
        {"quiet_from": dt.time(22)},
        {"digest_minutes": 1441},
    ],
)
def test_a_channel_that_makes_no_sense_is_refused(hook, add, changes):
    with pytest.raises(Invalid):
        add(hook, **changes)


def test_a_test_is_sent_in_the_language_of_the_channel(hook, add):
    row = add(hook, language="ky")
    alert_channels.ask_for_test(channel=row)
    run()
    assert hook.titles == ["Kubat сыноосу"]
    row.refresh_from_db()
    assert row.last_sent_at is not None


def test_a_test_that_fails_says_why_on_the_channel(add):
    row = add(DEAD)
    alert_channels.ask_for_test(channel=row)
    run()
    row.refresh_from_db()
    assert row.last_error


def test_a_message_that_is_too_long_is_cut(hook, add):
    row = add(hook, digest_minutes=5)
    for number in range(60):
        open_one(f"kind_{number}", text="x" * 250)
    run()
    run(after=5 * MINUTE)
    (told,) = hook.taken
    assert len(told["message"]) < 4_000
    assert "more" in told["message"]
    assert row.notices.filter(status="sent").count() == 60


def test_apprise_says_nothing_in_our_log(add):
    """It may name what is secret."""
    add(DEAD)
    open_one()
    run()
    assert not logging.getLogger("apprise").propagate


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1/?template=/etc/passwd",
        "json://127.0.0.1/?rto=100000",
        "mailto://u:p@example.org?to=one@example.org,two@example.org",
    ],
)
def test_an_address_may_not_name_files_times_or_several_targets(add, address):
    with pytest.raises(AddressRefused):
        add(address)
