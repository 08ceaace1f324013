"""The timers of a process: they stop sessions in time, and are no more than reminders."""

import asyncio
import datetime as dt

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from sessions_app.models import ChargingSession
from sessions_app.outlook import Outlook
from sessions_app.services.steering import Plan
from sessions_app.tests.stage import Stage
from stations.gateway.agenda import FAR, Agenda
from stations.models import Command

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tariff")]


@pytest.fixture
def session(station, alice):
    return Stage(station).charge(alice)


@pytest.fixture
def agenda():
    made = Agenda()
    yield made
    made.end()


def in_s(seconds):
    return timezone.now() + dt.timedelta(seconds=seconds)


async def stops_at(session, at):
    """Let the row say when its stop is due."""
    await ChargingSession.objects.filter(pk=session.pk).aupdate(stop_at=at)
    return Plan(session.pk, Outlook(at, at, None))


async def status_of(session):
    return await ChargingSession.objects.values_list("status", flat=True).aget(pk=session.pk)


async def until_stopping(session, within_s=10):
    async with asyncio.timeout(within_s):
        while await status_of(session) != "stopping":  # noqa: ASYNC110 - it is a row
            await asyncio.sleep(0.02)


async def test_a_session_is_stopped_when_its_moment_comes(agenda, session):
    at = in_s(0.3)
    agenda.note(await stops_at(session, at))
    assert await status_of(session) == "charging"
    await until_stopping(session)
    assert timezone.now() >= at


async def test_a_moment_that_is_over_is_no_later_than_now(agenda, session):
    agenda.note(await stops_at(session, in_s(-5)))
    await until_stopping(session)


async def test_a_moment_that_moves_back_is_waited_for(agenda, session):
    agenda.note(await stops_at(session, in_s(0.1)))
    at = in_s(0.6)
    agenda.note(await stops_at(session, at))
    await until_stopping(session)
    assert timezone.now() >= at


async def test_a_moment_that_comes_nearer_is_not_slept_over(agenda, session):
    agenda.note(await stops_at(session, in_s(60)))
    agenda.note(await stops_at(session, in_s(0.1)))
    await until_stopping(session, within_s=30)


async def test_the_row_says_what_counts(agenda, session):
    """Another process has raised the limit: the timer here knows nothing of it."""
    agenda.note(await stops_at(session, in_s(0.1)))
    at = in_s(0.6)
    await stops_at(session, at)
    await until_stopping(session)
    assert timezone.now() >= at


async def test_a_session_that_is_over_is_left_alone(agenda, session):
    plan = await stops_at(session, in_s(0.1))
    await ChargingSession.objects.filter(pk=session.pk).aupdate(status="completed")
    agenda.note(plan)
    await asyncio.sleep(0.4)
    assert await status_of(session) == "completed"
    stops = Command.objects.filter(action="RemoteStopTransaction")
    assert not await sync_to_async(stops.exists)()


async def test_what_is_far_and_what_is_nothing_has_no_timer(agenda, session):
    agenda.set(session.pk, Outlook(None, timezone.now() + FAR * 2, None))
    agenda.set(session.pk, Outlook(None, None, None))
    agenda.note(None)
    assert not agenda._timers


async def test_the_end_of_a_process_leaves_its_stops_to_the_worker(agenda, session):
    agenda.note(await stops_at(session, in_s(0.1)))
    agenda.end()
    await asyncio.sleep(0.4)
    assert await status_of(session) == "charging"


async def test_a_sample_is_asked_for_before_the_stop(agenda, session, settings):
    settings.CSMS_PROVISION = True
    at = in_s(60)
    await stops_at(session, at)
    agenda.set(session.pk, Outlook(at, at, in_s(0.1)))
    asks = Command.objects.filter(action="TriggerMessage")
    async with asyncio.timeout(10):
        while not await sync_to_async(asks.exists)():  # noqa: ASYNC110 - it is a row
            await asyncio.sleep(0.02)
    assert await status_of(session) == "charging"
