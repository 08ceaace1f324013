"""What staff do about a station that does not stop, and what Kubat does where it may."""

import datetime as dt

import pytest
from django.utils import timezone

from sessions_app.errors import SessionNotFound, StopNotGoingOn
from sessions_app.models import SessionEvent, StopStep
from sessions_app.services import expire, intervene
from sessions_app.tests.ignoring import (
    SMART,
    Ignorer,
    alerts_ever,
    open_alerts,
    steps,
    told_configuration,
)
from stations.errors import ChargeRunning, StationOffline
from stations.models import Command, ConnectorStatus

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_hold")]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def session(stage, alice):
    told_configuration(stage, SMART)
    session = stage.charge(alice, "energy", "1")
    stage.deliver(session.transaction_id, 1_000)
    session.refresh_from_db()
    return session


@pytest.fixture
def ignored(stage, session):
    """The station of a stop that was ignored until an operator was told."""
    station = Ignorer(stage, session)
    station.look(4)
    station.hear()
    station.said.clear()
    return station


def look(after):
    intervene.run_due(timezone.now() + after)


# --- Staff ----------------------------------------------------------------------------------------


def test_an_unlock_is_a_step_with_who_and_why(stage, session, ignored, olga):
    command = intervene.unlock(session_id=session.pk, actor=olga, reason="driver waits")
    assert (command.action, command.payload) == ("UnlockConnector", {"connectorId": 1})
    assert (command.requested_by, command.reason) == (olga, "driver waits")
    step = StopStep.objects.get(kind="unlock")
    assert (step.asked_by, step.reason, step.outcome) == (olga, "driver waits", "waiting")
    event = session.events.get(kind=SessionEvent.Kind.STAFF)
    assert (event.actor, event.detail) == ("olga", {"did": "unlock", "reason": "driver waits"})


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("Unlocked", "accepted"),
        ("UnlockFailed", "rejected"),
        ("NotSupported", "not_supported"),
        ("!NotImplemented", "not_supported"),
        ("!InternalError", "rejected"),
        (None, "no_answer"),
    ],
)
def test_what_came_of_it_stands_on_the_step(session, ignored, olga, answer, outcome):
    intervene.unlock(session_id=session.pk, actor=olga, reason="it hangs")
    ignored.answers["UnlockConnector"] = answer
    ignored.hear()
    assert StopStep.objects.get(kind="unlock").outcome == outcome


def test_an_unlock_goes_before_the_stops_that_a_silent_station_keeps_waiting(stage, session, olga):
    station = Ignorer(stage, session, RemoteStopTransaction=None)
    intervene.unlock(session_id=session.pk, actor=olga, reason="it hangs")
    station.hear()
    station.hear()
    assert station.said == ["RemoteStopTransaction", "UnlockConnector", "RemoteStopTransaction"]


def test_a_reset_that_helps_ends_the_matter(stage, session, ignored, olga):
    intervene.reset(
        session_id=session.pk, is_hard=True, even_so=False, actor=olga, reason="it hangs"
    )
    ignored.hear()
    assert ignored.said == ["Reset"]
    assert Command.objects.get(action="Reset").payload == {"type": "Hard"}
    stage.end(session.transaction_id, reason="HardReset")
    session.refresh_from_db()
    assert (session.status, session.stop_reason) == ("completed", "HardReset")
    assert steps(session)[-1] == ("hard_reset", "accepted")
    assert open_alerts() == 0


def test_a_reset_that_did_not_help_says_so_at_the_next_step(session, ignored, olga):
    intervene.reset(
        session_id=session.pk, is_hard=False, even_so=False, actor=olga, reason="it hangs"
    )
    ignored.hear()
    intervene.unlock(session_id=session.pk, actor=olga, reason="nor that")
    assert steps(session)[-2:] == [("soft_reset", "no_effect"), ("unlock", "waiting")]


def test_a_reset_that_would_end_another_charge_wants_to_be_told_so(
    stage, session, ignored, olga, alice
):
    stage.ask(alice, "energy", "5", connector_id=2)
    with pytest.raises(ChargeRunning):
        intervene.reset(
            session_id=session.pk, is_hard=False, even_so=False, actor=olga, reason="it hangs"
        )
    assert not Command.objects.filter(action="Reset").exists()
    intervene.reset(
        session_id=session.pk, is_hard=False, even_so=True, actor=olga, reason="it hangs"
    )
    assert stage.take_command().action == "Reset"


def test_a_barred_connector_stops_nothing(stage, session, ignored, olga):
    intervene.bar(session_id=session.pk, actor=olga, reason="nobody else")
    ignored.answers["ChangeAvailability"] = "Scheduled"
    ignored.hear()
    call = Command.objects.get(action="ChangeAvailability")
    assert call.payload == {"connectorId": 1, "type": "Inoperative"}
    session.refresh_from_db()
    assert session.status == "stopping"
    assert open_alerts() == 1
    step = StopStep.objects.get(kind="bar")
    assert (step.outcome, step.answer) == ("accepted", "Scheduled")


def test_a_bar_says_nothing_of_the_steps_before_it(session, ignored, olga):
    intervene.unlock(session_id=session.pk, actor=olga, reason="it hangs")
    ignored.hear()
    intervene.bar(session_id=session.pk, actor=olga, reason="nobody else")
    assert steps(session)[-2:] == [("unlock", "accepted"), ("bar", "waiting")]


def test_staff_may_act_on_a_session_that_was_settled_and_goes_on(stage, session, ignored, olga):
    expire.run_due(timezone.now() + 10 * MINUTE)
    session.refresh_from_db()
    assert session.status == "completed"
    intervene.unlock(session_id=session.pk, actor=olga, reason="it still charges")
    ignored.hear()
    assert "UnlockConnector" in ignored.said


def test_nothing_is_asked_of_a_station_that_stopped(stage, session, ignored, olga):
    stage.end(session.transaction_id)
    with pytest.raises(StopNotGoingOn):
        intervene.unlock(session_id=session.pk, actor=olga, reason="late")
    with pytest.raises(StopNotGoingOn):
        intervene.bar(session_id=session.pk, actor=olga, reason="late")


def test_nothing_is_asked_of_a_station_that_was_not_asked_to_stop(stage, alice, olga):
    session = stage.charge(alice)
    for is_hard in (False, True):
        with pytest.raises(StopNotGoingOn):
            intervene.reset(
                session_id=session.pk, is_hard=is_hard, even_so=True, actor=olga, reason="why not"
            )
    assert steps(session) == []
    stage.end(session.transaction_id)


def test_nothing_is_asked_of_a_station_that_is_away(stage, session, ignored, olga):
    stage.disconnect()
    with pytest.raises(StationOffline):
        intervene.unlock(session_id=session.pk, actor=olga, reason="it hangs")
    assert not StopStep.objects.filter(kind="unlock").exists()


def test_nothing_is_asked_of_a_session_that_is_not_there(db, olga):
    with pytest.raises(SessionNotFound):
        intervene.unlock(
            session_id="00000000-0000-4000-8000-000000000000", actor=olga, reason="what?"
        )


def test_what_was_not_sent_when_the_charge_ended_is_not_sent(stage, session, ignored, olga):
    intervene.unlock(session_id=session.pk, actor=olga, reason="it hangs")
    stage.end(session.transaction_id)
    ignored.hear()
    assert "UnlockConnector" not in ignored.said
    assert StopStep.objects.get(kind="unlock").outcome == "not_sent"


# --- Reset by itself ------------------------------------------------------------------------------


def test_nothing_is_reset_by_itself_unless_a_setting_says_so(session, ignored):
    look(10 * MINUTE)
    ignored.hear()
    assert "Reset" not in ignored.said


def test_a_setting_lets_it_be_reset_first_softly_then_hard_and_no_more(session, ignored, settings):
    settings.CSMS_RESET_ON_IGNORED_STOP = True
    look(dt.timedelta(seconds=5))
    ignored.hear()
    assert ignored.said == []
    look(dt.timedelta(seconds=11))
    look(dt.timedelta(seconds=11))
    ignored.hear()
    look(dt.timedelta(seconds=30))
    ignored.hear()
    assert ignored.said == ["Reset"]
    look(2 * MINUTE)
    ignored.hear()
    look(10 * MINUTE)
    ignored.hear()
    resets = Command.objects.filter(action="Reset").order_by("created_at")
    assert [row.payload["type"] for row in resets] == ["Soft", "Hard"]
    assert steps(session)[-2:] == [("soft_reset", "no_effect"), ("hard_reset", "accepted")]
    assert StopStep.objects.get(kind="hard_reset").asked_by is None


def test_where_another_charge_is_open_nothing_is_reset_by_itself(
    stage, session, ignored, settings, alice
):
    settings.CSMS_RESET_ON_IGNORED_STOP = True
    stage.ask(alice, "energy", "5", connector_id=2)
    look(MINUTE)
    assert not Command.objects.filter(action="Reset").exists()


def test_a_charge_that_begins_before_the_reset_goes_out_keeps_it_back(
    stage, session, ignored, settings, alice
):
    settings.CSMS_RESET_ON_IGNORED_STOP = True
    look(MINUTE)
    assert Command.objects.get(action="Reset").status == "queued"
    stage.ask(alice, "energy", "5", connector_id=2)
    assert stage.take_command() is None
    assert steps(session)[-1] == ("soft_reset", "not_sent")
    assert stage.take_command().action == "RemoteStartTransaction"


def test_a_station_that_is_away_is_not_reset(stage, session, ignored, settings):
    settings.CSMS_RESET_ON_IGNORED_STOP = True
    stage.disconnect()
    look(MINUTE)
    assert not Command.objects.filter(action="Reset").exists()


# --- A charge that ended and was never told of ----------------------------------------------------


def settled(session):
    expire.run_due(timezone.now() + 10 * MINUTE)
    session.refresh_from_db()
    assert session.status == "completed"


def report(stage, status, *, received_at=None):
    ConnectorStatus.objects.create(
        station=stage.station,
        connector_id=1,
        status=status,
        at=timezone.now(),
        received_at=received_at or timezone.now(),
    )


def test_an_alert_stays_while_nobody_says_that_it_is_over(stage, session, ignored):
    settled(session)
    report(stage, "Charging")
    look(MINUTE)
    assert open_alerts() == 1


def test_a_connector_that_is_free_again_resolves_the_alert_of_a_settled_session(
    stage, session, ignored
):
    settled(session)
    report(stage, "Available")
    look(MINUTE)
    look(MINUTE)
    assert (open_alerts(), alerts_ever()) == (0, [1])


def test_what_the_connector_was_before_the_alert_says_nothing(stage, session, ignored):
    settled(session)
    report(stage, "Available", received_at=timezone.now() - MINUTE)
    look(MINUTE)
    assert open_alerts() == 1


def test_a_free_connector_does_not_resolve_the_alert_of_a_session_that_is_open(
    stage, session, ignored
):
    """Its StopTransaction is on the way behind the status, or will never come."""
    report(stage, "Available")
    look(MINUTE)
    assert open_alerts() == 1


def test_a_later_charge_at_the_connector_resolves_the_alert(stage, session, ignored, alice):
    settled(session)
    later = stage.charge(alice, "energy", "5")
    look(MINUTE)
    assert open_alerts() == 0
    stage.end(later.transaction_id)
