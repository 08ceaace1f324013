"""Alerts, channels and silences in the back office."""

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing import sealed
from billing.models import OutboxMessage, User
from billing.tests.back_office import errors_of, press, told, values_of
from conftest import PASSWORD
from stations import alerts, silences
from stations.alerting.routing import TRIAL
from stations.models import Alert, AlertChannel, AlertSilence, Site

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
ALERTS = reverse("admin:stations_alert_changelist")
CHANNELS = reverse("admin:stations_alertchannel_changelist")
SILENCES = reverse("admin:stations_alertsilence_changelist")
ADDRESS = "json://127.0.0.1:9/very-secret-path"


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def as_staff(client, db):
    """A member of staff with these permissions only."""

    def log_in(*codenames):
        user = User.objects.create_user("egor", password=PASSWORD, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def tampered(station):
    station.site = Site.objects.create(name="Mall")
    station.save()
    alerts.open_alert("security_event", "1", "K-1 reports Tamper.", station=station)
    return Alert.objects.get()


@pytest.fixture
def away(station):
    alerts.open_alert("station_offline", str(station.pk), "K-1 is not connected.", station=station)
    return Alert.objects.get()


def page(client, row):
    return client.get(f"{ALERTS}{row.pk}/change/").text


def hour_ahead():
    until = timezone.now() + dt.timedelta(hours=1)
    return {"until_0": f"{until:%Y-%m-%d}", "until_1": f"{until:%H:%M:%S}"}


# --- Alerts ---------------------------------------------------------------------------------


def test_staff_resolve_an_alert_and_say_why(olgas, tampered, olga):
    answer = press(olgas, f"{ALERTS}{tampered.pk}/resolve/", reason="the electrician was there")
    assert told(answer) == ["It is resolved."]
    tampered.refresh_from_db()
    assert (tampered.resolved_by, tampered.resolution) == (olga, "the electrician was there")
    assert "the electrician was there" in page(olgas, tampered)
    log = LogEntry.objects.get()
    assert (log.user, log.change_message) == (olga, "resolved · the electrician was there")


def test_without_a_reason_it_stays_open(olgas, tampered):
    answer = press(olgas, f"{ALERTS}{tampered.pk}/resolve/", reason="")
    assert "reason" in errors_of(answer)
    tampered.refresh_from_db()
    assert tampered.is_open


def test_what_a_rule_watches_has_no_such_button_and_is_refused(olgas, away):
    assert "/resolve/" not in page(olgas, away)
    answer = press(olgas, f"{ALERTS}{away.pk}/resolve/", reason="away with it")
    assert "silence it instead" in answer.text
    away.refresh_from_db()
    assert away.is_open


def test_who_may_only_look_has_no_buttons(as_staff, tampered):
    client = as_staff("view_alert")
    assert "/resolve/" not in page(client, tampered)
    assert "/silence/" not in page(client, tampered)
    for button in ("resolve", "silence"):
        assert client.get(f"{ALERTS}{tampered.pk}/{button}/").status_code == 403


def test_an_alert_can_be_silenced_from_its_page(olgas, tampered, olga):
    answer = press(
        olgas,
        f"{ALERTS}{tampered.pk}/silence/",
        scope="station_all",
        reason="works",
        **hour_ahead(),
    )
    assert "Nobody is told of it until" in told(answer)[0]
    row = AlertSilence.objects.get()
    assert (row.kind, row.station, row.site, row.made_by) == ("", tampered.station, None, olga)


@pytest.mark.parametrize(
    ("scope", "kind", "has_station", "has_site"),
    [
        ("station", "security_event", True, False),
        ("site", "security_event", False, True),
        ("site_all", "", False, True),
        ("kind", "security_event", False, False),
    ],
)
def test_a_silence_is_as_wide_as_is_chosen(olgas, tampered, scope, kind, has_station, has_site):
    press(olgas, f"{ALERTS}{tampered.pk}/silence/", scope=scope, reason="works", **hour_ahead())
    row = AlertSilence.objects.get()
    assert (row.kind, row.station is not None, row.site is not None) == (
        kind,
        has_station,
        has_site,
    )


def test_a_silence_in_the_past_is_refused(olgas, tampered):
    past = {"until_0": "2020-01-01", "until_1": "00:00"}
    address = f"{ALERTS}{tampered.pk}/silence/"
    answer = press(olgas, address, scope="kind", reason="works", **past)
    assert "until" in errors_of(answer)
    assert not AlertSilence.objects.exists()


@pytest.mark.parametrize("query", ["open=1", "open=0", "by=staff", "by=cause", "kind=needs_unmet"])
def test_the_list_has_its_filters(olgas, tampered, query):
    assert olgas.get(f"{ALERTS}?{query}").status_code == 200


def test_the_list_shows_what_is_silenced_without_a_query_a_row(olgas, station, olga, tampered):
    until = timezone.now() + dt.timedelta(hours=1)
    silences.silence(kind="security_event", until=until, by=olga, reason="x")
    olgas.get(ALERTS)
    few = count_queries(olgas, ALERTS)
    for number in range(10):
        alerts.open_alert("security_event", f"m{number}", "More.", station=station)
    assert count_queries(olgas, ALERTS) == few
    assert all(row.silenced for row in olgas.get(ALERTS).context["cl"].result_list)


def count_queries(client, address):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


# --- Channels -------------------------------------------------------------------------------


def channel_form(client, page=f"{CHANNELS}add/", **changes):
    values = {**values_of(client, page), "reason": "to know", **changes}
    return client.post(page, values, follow=True)


def make_channel(client, **changes):
    channel_form(client, name="Duty", address=ADDRESS, **changes)
    return AlertChannel.objects.get()


def test_staff_make_a_channel_and_its_address_is_not_shown_again(olgas):
    row = make_channel(olgas, kinds=["orphan"], digest_minutes="15")
    assert sealed.unseal(row.sealed_address) == ADDRESS
    assert (row.service, row.kinds, row.digest_minutes) == ("JSON", ["orphan"], 15)
    assert "very-secret-path" not in olgas.get(f"{CHANNELS}{row.pk}/change/").text
    assert "very-secret-path" not in olgas.get(CHANNELS).text
    assert not LogEntry.objects.filter(change_message__contains="secret").exists()


def test_a_change_without_an_address_keeps_it(olgas):
    row = make_channel(olgas)
    channel_form(olgas, f"{CHANNELS}{row.pk}/change/", name="Night duty")
    row.refresh_from_db()
    assert row.name == "Night duty"
    assert sealed.unseal(row.sealed_address) == ADDRESS
    assert "name · to know" in LogEntry.objects.latest("pk").change_message


def test_an_address_that_apprise_does_not_know_is_refused_and_not_shown_again(olgas):
    answer = channel_form(olgas, name="Duty", address="bogus://very-secret")
    assert "Apprise does not know this address." in answer.text
    assert "very-secret" not in answer.text
    assert not AlertChannel.objects.exists()


def test_a_channel_without_an_address_is_refused(olgas):
    assert "address" in errors_of_form(channel_form(olgas, name="Duty"))


def errors_of_form(answer):
    return answer.context["adminform"].errors


def test_a_channel_has_its_sites(olgas):
    mall = Site.objects.create(name="Mall")
    row = make_channel(olgas, sites=[str(mall.pk)])
    assert list(row.sites.all()) == [mall]


def test_a_test_is_asked_for_by_a_button(olgas):
    row = make_channel(olgas)
    press(olgas, f"{CHANNELS}{row.pk}/send_test/", reason="new")
    assert OutboxMessage.objects.get(topic=TRIAL).payload == {"channel": row.pk}


def test_a_channel_is_removed_with_a_reason(olgas):
    row = make_channel(olgas)
    press(olgas, f"{CHANNELS}{row.pk}/remove/", reason="nobody reads it")
    assert not AlertChannel.objects.exists()
    assert LogEntry.objects.filter(change_message__contains="nobody reads it").exists()


def test_who_may_look_at_channels_makes_changes_and_tests_none(as_staff, olga):
    row = AlertChannel.objects.create(name="Duty", sealed_address=sealed.seal(ADDRESS))
    client = as_staff("view_alertchannel")
    assert client.get(f"{CHANNELS}{row.pk}/change/").status_code == 200
    assert client.get(f"{CHANNELS}add/").status_code == 403
    for button in ("send_test", "remove"):
        assert client.get(f"{CHANNELS}{row.pk}/{button}/").status_code == 403
    values = {"name": "Mine", "address": "json://10.0.0.1/", "reason": "x"}
    assert client.post(f"{CHANNELS}{row.pk}/change/", values).status_code == 403


# --- Silences -------------------------------------------------------------------------------


def test_a_silence_is_made_from_the_list_and_ended_by_a_button(olgas, station, olga):
    values = {
        "kind": "station_offline",
        "station": station.pk,
        "site": "",
        "reason": "the grid is off",
        **hour_ahead(),
    }
    olgas.post(f"{SILENCES}add/", values, follow=True)
    row = AlertSilence.objects.get()
    assert (row.kind, row.station, row.reason) == ("station_offline", station, "the grid is off")
    answer = olgas.get(f"{SILENCES}{row.pk}/change/")
    assert "the grid is off" in answer.text
    press(olgas, f"{SILENCES}{row.pk}/end_now/", reason="it is back")
    row.refresh_from_db()
    assert row.ended_at is not None
    assert "/end_now/" not in olgas.get(f"{SILENCES}{row.pk}/change/").text


def test_a_silence_of_nothing_is_refused(olgas):
    values = {"kind": "", "station": "", "site": "", "reason": "quiet!", **hour_ahead()}
    answer = olgas.post(f"{SILENCES}add/", values, follow=True)
    assert "Name a kind, a station or a site." in answer.text
    assert not AlertSilence.objects.exists()


@pytest.mark.parametrize(
    "name", ["alertnotice", "takeovers", "alertchannel", "alertsilence", "ignoredframes"]
)
def test_each_list_opens(olgas, name):
    assert olgas.get(reverse(f"admin:stations_{name}_changelist")).status_code == 200


def test_the_looks_of_rules_are_a_list(olgas):
    assert olgas.get(reverse("admin:config_rulelook_changelist")).status_code == 200
