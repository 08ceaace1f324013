"""Several workers, a lane and staff at one ignored stop: threads with connections of their own."""

import datetime as dt
from functools import partial

import pytest
from django.utils import timezone

from billing.errors import KubatError
from sessions_app.models import StopStep
from sessions_app.services import expire, intervene
from sessions_app.tests.ignoring import SMART, Ignorer, alerts_ever, steps, told_configuration
from sessions_app.tests.promises import check_books, check_sessions
from sessions_app.tests.test_races import run_at_once
from stations.models import Command

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.on_postgres]
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def session(stage, alice):
    told_configuration(stage, SMART)
    session = stage.charge(alice, "energy", "1")
    stage.deliver(session.transaction_id, 1_000)
    session.refresh_from_db()
    return session


def test_workers_that_look_together_climb_one_step_a_look(stage, session):
    station = Ignorer(stage, session)
    for _ in range(5):
        station.hear()
        session.refresh_from_db()
        run_at_once(*[partial(expire.run_due, session.due_at)] * 4)
    assert [kind for kind, _ in steps(session)] == ["remote_stop"] * 3 + ["zero_profile", "alert"]
    assert alerts_ever() == [1]


def test_workers_that_look_together_reset_a_station_once(stage, session, settings):
    settings.CSMS_RESET_ON_IGNORED_STOP = True
    station = Ignorer(stage, session)
    station.look(4)
    run_at_once(*[partial(intervene.run_due, timezone.now() + MINUTE)] * 4)
    assert Command.objects.filter(action="Reset").count() == 1


def test_a_reset_and_a_start_at_once_never_both_go_out(stage, session, settings, alice):
    settings.CSMS_RESET_ON_IGNORED_STOP = True
    station = Ignorer(stage, session)
    station.look(4)
    station.hear()
    run_at_once(
        partial(intervene.run_due, timezone.now() + MINUTE),
        partial(stage.ask, alice, "energy", "1", connector_id=2),
    )
    sent = []
    for _ in range(4):
        command = stage.take_command()
        if command:
            sent.append(command.action)
            stage.answer(command)
    assert sent == ["RemoteStartTransaction"]


def test_staff_workers_and_the_end_at_once_neither_deadlock_nor_leave_an_alert(
    stage, session, olga
):
    for _ in range(3):
        station = Ignorer(stage, session)
        station.look(4)

    def unlock():
        try:
            intervene.unlock(session_id=session.pk, actor=olga, reason="it hangs")
        except KubatError as error:
            return error.code
        return ""

    session.refresh_from_db()
    outcome = run_at_once(
        unlock,
        partial(expire.run_due, session.due_at),
        partial(intervene.run_due, timezone.now() + MINUTE),
        partial(stage.end, session.transaction_id),
    )[0]
    assert outcome in ("", "stop_not_going_on")
    assert not StopStep.objects.going_on().exists()
    assert alerts_ever() == [1]
    check_books()
    check_sessions()
