"""An ignored stop in the back office: its steps, and the buttons on its session and its alert."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing.models import User
from billing.tests.back_office import errors_of, press, told
from sessions_app.models import StopStep
from sessions_app.tests.ignoring import PLAIN, Ignorer, open_alerts, told_configuration
from stations.models import Alert, Command

pytestmark = pytest.mark.django_db
SESSIONS = reverse("admin:sessions_app_chargingsession_changelist")
ALERTS = reverse("admin:stations_alert_changelist")
BUTTONS = ("unlock_ignored", "reset_ignored", "bar_ignored")
UNLOCK, RESET, BAR = BUTTONS


@pytest.fixture
def olgas(client, olga):
    client.force_login(olga)
    return client


@pytest.fixture
def session(stage, alice):
    """A charge past its limit whose station was asked three times, so that the operator knows."""
    told_configuration(stage, PLAIN)
    session = stage.charge(alice, "energy", "1")
    stage.deliver(session.transaction_id, 1_000)
    Ignorer(stage, session).look(3)
    session.refresh_from_db()
    assert open_alerts() == 1
    return session


@pytest.fixture
def pages(session):
    """The page of the session, and the page of its alert."""
    alert = Alert.objects.get(kind="stop_ignored")
    return {"session": f"{SESSIONS}{session.pk}/", "alert": f"{ALERTS}{alert.pk}/"}


both = pytest.mark.parametrize("page", ["session", "alert"])


def offered(client, page):
    text = client.get(f"{page}change/").text
    return {name for name in BUTTONS if f"{page}{name}/" in text}


def words(answer):
    return re.sub(r"<[^>]+>|\s+", " ", answer.text)


def test_the_steps_stand_on_the_page_of_the_session(olgas, session):
    text = " ".join(words(olgas.get(f"{SESSIONS}{session.pk}/change/")).split())
    for said in ("asked to stop", "accepted, did not help", "limited to zero", "not supported"):
        assert said in text
    assert "operator alerted" in text


@both
def test_an_unlock_says_who_and_why(olgas, olga, session, pages, page):
    address = f"{pages[page]}{UNLOCK}/"
    assert errors_of(press(olgas, address)).keys() == {"reason"}
    assert not Command.objects.filter(action="UnlockConnector").exists()
    answer = press(olgas, address, reason="the driver waits")
    assert "The station is asked:" in told(answer)[0]
    command = Command.objects.get(action="UnlockConnector")
    assert (command.requested_by, command.reason) == (olga, "the driver waits")
    step = StopStep.objects.get(kind="unlock")
    assert (step.asked_by, step.reason, step.session) == (olga, "the driver waits", session)
    assert LogEntry.objects.get().change_message == "Unlock the connector: the driver waits"


@both
@pytest.mark.parametrize("kind", ["Soft", "Hard"])
def test_a_reset_is_of_the_kind_that_was_chosen(olgas, session, pages, page, kind):
    press(olgas, f"{pages[page]}{RESET}/", reason="it hangs", type=kind)
    assert Command.objects.get(action="Reset").payload == {"type": kind}


@both
def test_a_reset_names_the_other_charges_and_wants_to_be_told_so(
    olgas, stage, session, pages, page, alice
):
    other = stage.ask(alice, "energy", "2", connector_id=2)
    address = f"{pages[page]}{RESET}/"
    assert f"2: {other.pk}" in olgas.get(address).text
    answer = press(olgas, address, reason="it hangs", type="Soft")
    assert answer.context["form"].errors
    assert not Command.objects.filter(action="Reset").exists()
    press(olgas, address, reason="it hangs", type="Soft", even_so="on")
    assert Command.objects.filter(action="Reset").count() == 1


@both
def test_a_connector_is_barred(olgas, session, pages, page):
    press(olgas, f"{pages[page]}{BAR}/", reason="nobody else")
    payload = Command.objects.get(action="ChangeAvailability").payload
    assert payload == {"connectorId": 1, "type": "Inoperative"}
    assert open_alerts() == 1


@both
def test_a_button_that_is_pressed_twice_acts_once(olgas, session, pages, page):
    address = f"{pages[page]}{UNLOCK}/"
    answer = olgas.get(address)
    showing = re.search(r'name="page" value="([0-9a-f-]{36})"', answer.text).group(1)
    press(olgas, address, page=showing, reason="it hangs")
    assert told(press(olgas, address, page=showing, reason="it hangs")) == [
        "This was done already."
    ]
    assert Command.objects.filter(action="UnlockConnector").count() == 1


@both
def test_the_buttons_stand_there_while_the_stop_is_ignored(olgas, stage, session, pages, page):
    assert offered(olgas, pages[page]) == set(BUTTONS)
    stage.end(session.transaction_id)
    assert offered(olgas, pages[page]) == set()
    assert press(olgas, f"{pages[page]}{UNLOCK}/", reason="late").context["form"].errors


def test_a_charge_that_runs_and_an_alert_of_another_kind_have_none(olgas, stage, alice):
    session = stage.charge(alice)
    assert offered(olgas, f"{SESSIONS}{session.pk}/") == set()
    alert = Alert.objects.create(kind="clock_off", cause="clock_off:K-1", text="Its clock is off.")
    assert offered(olgas, f"{ALERTS}{alert.pk}/") == set()
    assert press(olgas, f"{ALERTS}{alert.pk}/{UNLOCK}/", reason="why?").context["form"].errors


@both
def test_who_may_not_send_commands_sees_no_button_and_cannot_press_it(client, session, pages, page):
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    names = ("view_chargingsession", "change_chargingsession", "view_alert")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(clerk)
    assert offered(client, pages[page]) == set()
    assert client.get(f"{pages[page]}{UNLOCK}/").status_code == 403


def test_a_station_that_is_away_cannot_be_asked(olgas, stage, session, pages):
    stage.disconnect()
    answer = press(olgas, f"{pages['alert']}{UNLOCK}/", reason="it hangs")
    assert answer.context["form"].errors
    assert not StopStep.objects.filter(kind="unlock").exists()
