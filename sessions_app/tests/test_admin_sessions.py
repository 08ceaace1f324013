"""Charging sessions in the back office: shown whole, stopped, ended by force; tags and orphans."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing import ledger
from billing.models import User
from billing.tests.back_office import errors_of, press, told, values_of
from conftest import PASSWORD
from sessions_app.models import ChargingSession, IdTag, Orphan, SessionEvent
from sessions_app.tags import add_tag
from stations.models import Alert, Command

SESSIONS = reverse("admin:sessions_app_chargingsession_changelist")
ORPHANS = reverse("admin:sessions_app_orphan_changelist")
TAGS = reverse("admin:sessions_app_idtag_changelist")


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def session(stage, alice):
    """A charge of alice's for at most 500 som, 10 kWh into it."""
    session = stage.charge(alice, "amount", "500")
    stage.deliver(session.transaction_id, 10_000, seconds=600)
    session.refresh_from_db()
    return session


def button(session, name):
    return f"{SESSIONS}{session.pk}/{name}/"


def words(answer):
    return re.sub(r"<[^>]+>|\s+", " ", answer.text)


def test_a_stop_says_who_and_why(olgas, olga, session):
    assert errors_of(press(olgas, button(session, "stop"))).keys() == {"reason"}
    session.refresh_from_db()
    assert session.status == "charging"

    answer = press(olgas, button(session, "stop"), reason="driver called")
    assert told(answer) == ["The station is asked to stop."]
    session.refresh_from_db()
    assert session.status == "stopping"
    assert Command.objects.filter(action="RemoteStopTransaction").count() == 1
    event = session.events.get(kind=SessionEvent.Kind.STOP_ASKED)
    assert (event.actor, event.detail["reason"]) == ("olga", "driver called")
    entry = LogEntry.objects.get(object_id=str(session.pk))
    assert (entry.user, entry.change_message) == (olga, "Stop: driver called")


def test_a_session_that_has_not_begun_is_cancelled(olgas, stage, alice):
    session = stage.ask(alice, "amount", "500")
    answer = press(olgas, button(session, "stop"), reason="wrong station")
    assert told(answer) == ["The session is cancelled."]
    assert ledger.account_of(alice).held_minor == 0


def test_a_session_that_has_ended_is_not_stopped(olgas, stage, session):
    stage.end(session.transaction_id)
    answer = press(olgas, button(session, "stop"), reason="late")
    assert "This session has ended." in answer.text
    assert button(session, "stop") not in olgas.get(f"{SESSIONS}{session.pk}/change/").text


def test_sessions_of_a_list_are_stopped_together(olgas, stage, alice, session):
    second = stage.ask(alice, "amount", "100", connector_id=2)
    stage.accept_start()
    stage.begin(second, connector_id=2)
    selection = {"action": "stop", "_selected_action": [session.pk, second.pk]}
    page = olgas.post(SESSIONS, selection).context["form"]["page"].value()
    olgas.post(SESSIONS, selection | {"_submit": "1", "page": page, "reason": "power cut"})
    assert set(ChargingSession.objects.values_list("status", flat=True)) == {"stopping"}


def test_a_session_is_ended_on_the_meter_that_staff_state(olgas, olga, alice, session):
    values = {"meter_stop_kwh": "13.000"}
    assert errors_of(press(olgas, button(session, "force_end"), **values)).keys() == {"reason"}

    answer = press(olgas, button(session, "force_end"), reason="station is dead", **values)
    assert told(answer) == ["Ended: 12.000 kWh, 150.00 KGS."]
    session.refresh_from_db()
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 12_000, 15_000)
    account = ledger.account_of(alice)
    assert (account.balance_minor, account.held_minor) == (85_000, 0)
    event = session.events.get(kind=SessionEvent.Kind.STAFF)
    assert (event.actor, event.detail["reason"]) == ("olga", "station is dead")
    entry = LogEntry.objects.get(object_id=str(session.pk))
    assert (entry.user, entry.change_message) == (olga, "Force end: station is dead")


@pytest.mark.parametrize("stated", ["0.999", "-1", "1.0001", "", "all"])
def test_a_meter_that_cannot_be_ends_nothing(olgas, session, stated):
    answer = press(olgas, button(session, "force_end"), meter_stop_kwh=stated, reason="?")
    assert answer.status_code == 200
    assert errors_of(answer)
    session.refresh_from_db()
    assert session.status == "charging"


def test_a_session_is_ended_only_by_those_who_may(client, session):
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_chargingsession"))
    client.force_login(viewer)
    for name in ("stop", "force_end"):
        values = {"_submit": "1", "page": "0" * 32, "meter_stop_kwh": "2", "reason": "?"}
        assert client.get(button(session, name)).status_code == 403
        assert client.post(button(session, name), values).status_code == 403
    session.refresh_from_db()
    assert session.status == "charging"


def test_the_page_shows_the_whole_session(olgas, stage, session):
    stage.end(session.transaction_id)
    text = words(olgas.get(f"{SESSIONS}{session.pk}/change/"))
    for shown in (
        "500.00 KGS",  # the limit and the hold
        "40.000 kWh",  # what the limit buys
        "10.000 kWh",
        "125.00 KGS",
        "ENERGY",
        "12.50 KGS",
        "captured",
        "11.000 kWh",  # the register of the last reading
        "RemoteStartTransaction",  # in an event
    ):
        assert shown in text, shown
    assert "minor" not in text
    assert "50000" not in text


def test_a_long_session_is_shown_in_pages(olgas, stage, session):
    for _ in range(30):
        stage.deliver(session.transaction_id, 10, seconds=10)
    answer = olgas.get(f"{SESSIONS}{session.pk}/change/")
    shown = {
        inline.formset.prefix: len(inline.formset.forms)
        for inline in answer.context["inline_admin_formsets"]
    }
    assert session.readings.count() > 20
    assert shown["readings"] == 20


def test_a_session_cannot_be_edited(olgas, session):
    before = list(ChargingSession.objects.values())
    values = {"status": "completed", "cost_minor": "0", "reason": "fraud"}
    assert olgas.post(f"{SESSIONS}{session.pk}/change/", values).status_code == 403
    assert olgas.post(f"{SESSIONS}{session.pk}/delete/", {"post": "yes"}).status_code == 403
    assert list(ChargingSession.objects.values()) == before


def test_an_orphan_is_dismissed_with_a_reason(olgas, olga, stage):
    stage.end(4711)
    orphan = Orphan.objects.get()
    address = f"{ORPHANS}{orphan.pk}/dismiss/"
    assert errors_of(press(olgas, address)).keys() == {"reason"}

    press(olgas, address, reason="a test of the installer")
    orphan.refresh_from_db()
    assert orphan.resolved_at is not None
    assert (orphan.resolved_by, orphan.resolution) == (olga, "a test of the installer")
    assert not Alert.objects.filter(resolved_at__isnull=True).exists()
    assert LogEntry.objects.get().change_message == "Dismiss: a test of the installer"

    assert "This message is resolved already." in press(olgas, address, reason="again").text


def test_a_tag_is_added_for_a_driver(olgas, olga, alice):
    address = f"{TAGS}add/"
    said = {"id_tag": "Card-1", "user": alice.pk, "status": "Accepted", "reason": "lost the old"}
    olgas.post(address, values_of(olgas, address) | said)
    tag = IdTag.objects.get()
    assert (tag.id_tag, tag.identity, tag.user) == ("Card-1", "card-1", alice)
    entry = LogEntry.objects.get(object_id=str(tag.pk))
    assert (entry.user, entry.change_message) == (olga, "lost the old")


@pytest.mark.parametrize("text", ["CARD-1", "card-1"])
def test_a_tag_is_one_tag_in_any_case(olgas, olga, text):
    add_tag({"id_tag": "Card-1"}, actor=olga)
    address = f"{TAGS}add/"
    said = {"id_tag": text, "status": "Accepted", "reason": "?"}
    answer = olgas.post(address, values_of(olgas, address) | said)
    assert answer.context["adminform"].form.errors == {"id_tag": ["This tag exists already."]}
    assert IdTag.objects.count() == 1


def test_a_tag_is_renamed_blocked_and_removed(olgas, olga):
    tag = add_tag({"id_tag": "Card-1"}, actor=olga)
    address = f"{TAGS}{tag.pk}/change/"
    said = {"id_tag": "Card-2", "reason": "typo"}
    assert olgas.post(address, values_of(olgas, address) | said).status_code == 302
    tag.refresh_from_db()
    assert (tag.id_tag, tag.identity) == ("Card-2", "card-2")

    press(olgas, f"{TAGS}{tag.pk}/block/", reason="stolen")
    tag.refresh_from_db()
    assert tag.status == "Blocked"
    press(olgas, f"{TAGS}{tag.pk}/accept/", reason="found")
    tag.refresh_from_db()
    assert tag.status == "Accepted"
    press(olgas, f"{TAGS}{tag.pk}/remove/", reason="broken")
    assert not IdTag.objects.exists()
    entries = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(entries)[1:] == ["id_tag · typo", "status · stolen", "status · found", "broken"]


def test_the_first_page_counts_what_needs_a_look(olgas, stage, session):
    stage.end(4711)
    cards = {str(card.title): card.count for card in olgas.get("/admin/").context["cards"]}
    assert cards["Sessions that run"] == 1
    assert cards["Unattributed messages"] == 1
    assert cards["Open alerts"] == 1
    assert cards["Stations online"] == 1
    assert cards["Stations offline"] == 0
    for card in olgas.get("/admin/").context["cards"]:
        found = olgas.get(card.link).context["cl"].result_list
        assert len(found) == card.count, card.title
