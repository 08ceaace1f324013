"""What is thrown away, what is not, and that docs/retention.md says the same."""

import datetime as dt
import re

import pytest
from django.apps import apps
from django.conf import settings as kubat
from django.contrib.sessions.models import Session
from django.utils import timezone
from knox.models import AuthToken

from billing.models import IdempotentRequest, Notice, OutboxMessage
from config import housekeeping, worker
from config.housekeeping import PURGES
from config.models import WorkerProcess
from stations.models import (
    Command,
    ConnectorStatus,
    Frame,
    GatewayProcess,
    LogRequest,
    ReceivedFile,
    SecurityEvent,
)

pytestmark = pytest.mark.django_db
DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)
PAGE = kubat.BASE_DIR / "docs" / "retention.md"
LINE = re.compile(r"^\| [^|]+ \| `(\w+\.\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)
ON_PAGE = {label: (kept, job) for label, kept, job in LINE.findall(PAGE.read_text())}
OURS = ("billing", "stations", "sessions_app", "config")
OTHERS = ("knox.AuthToken", "sessions.Session", "admin.LogEntry")
each_purge = pytest.mark.parametrize("purge", PURGES, ids=lambda purge: purge.name)


def purge_of(model):
    return next(purge for purge in PURGES if purge.rows.model is model)


def frame(station, at):
    return Frame.objects.create(station=station, direction="in", text="[]", at=at)


def status(station, at):
    return ConnectorStatus.objects.create(
        station=station, connector_id=1, status="Available", at=at, received_at=at
    )


def command(station, at, **more):
    return Command.objects.create(
        station=station, action="Reset", lane=2, status="answered", resolved_at=at, **more
    )


def message(station, at):
    return OutboxMessage.objects.create(
        key=str(at), topic="alert.opened", status="delivered", delivered_at=at
    )


def answer(station, at):
    user = apps.get_model("billing.User").objects.get_or_create(username="u")[0]
    return IdempotentRequest.objects.create(user=user, path="/p", key=str(at), claimed_at=at)


def token(station, at):
    user = apps.get_model("billing.User").objects.get_or_create(username="u")[0]
    row, _ = AuthToken.objects.create(user)
    AuthToken.objects.filter(pk=row.pk).update(expiry=at)
    return row


def log_in(station, at):
    return Session.objects.create(session_key=str(at)[-30:], session_data="", expire_date=at)


def gateway(station, at):
    return GatewayProcess.objects.create(channel="c", host="h", lease_at=at)


def worker_row(station, at):
    return WorkerProcess.objects.create(host="h", lease_at=at)


def webhook(station, at):
    rows = apps.get_model("billing.PaymentWebhook").objects
    return rows.create(provider="p", digest=str(at), body=b"", outcome="unverified", received_at=at)


def log_request(station, at):
    user = apps.get_model("billing.User").objects.get_or_create(username="u")[0]
    return LogRequest.objects.create(
        station=station, kind="diagnostics", requested_by=user, created_at=at, expires_at=at
    )


def received(station, at):
    return ReceivedFile.objects.create(
        request=log_request(station, timezone.now()),
        name="log",
        path="",
        size_bytes=0,
        sha256="",
        received_at=at,
    )


def security_event(station, at):
    return SecurityEvent.objects.create(station=station, type="FirmwareUpdated", received_at=at)


def notice(station, at):
    user = apps.get_model("billing.User").objects.get_or_create(username="u")[0]
    return Notice.objects.create(user=user, kind="money", channel="email", created_at=at)


MAKERS = {
    "billing.Notice": notice,
    "stations.SecurityEvent": security_event,
    "stations.LogRequest": log_request,
    "stations.ReceivedFile": received,
    "billing.PaymentWebhook": webhook,
    "stations.Frame": frame,
    "stations.ConnectorStatus": status,
    "stations.Command": command,
    "billing.OutboxMessage": message,
    "billing.IdempotentRequest": answer,
    "knox.AuthToken": token,
    "sessions.Session": log_in,
    "stations.GatewayProcess": gateway,
    "config.WorkerProcess": worker_row,
}


@each_purge
def test_a_row_goes_when_its_time_is_over_and_not_before(purge, station):
    now = timezone.now()
    make = MAKERS[purge.rows.model._meta.label]
    old = make(station, now - purge.kept_for - SECOND)
    young = make(station, now - purge.kept_for + SECOND)
    assert purge.run(now) == 1
    left = purge.rows.model._default_manager
    assert left.filter(pk=young.pk).exists()
    assert not left.filter(pk=old.pk).exists()


@each_purge
def test_a_setting_says_how_long(purge, settings):
    if purge.setting:
        setattr(settings, purge.setting, 3)
        assert purge.kept_for == 3 * DAY
    else:
        assert purge.kept_for == purge.keep


def test_old_rows_go_in_portions(station, monkeypatch):
    monkeypatch.setattr(housekeeping, "PORTION", 2)
    now = timezone.now()
    frames = [frame(station, now - age * DAY) for age in (99, 97, 98)]
    assert purge_of(Frame).run(now) == 2
    assert Frame.objects.get() == frames[1], "the oldest go first"
    assert [purge_of(Frame).run(now) for _ in range(2)] == [1, 0]


def test_what_staff_asked_for_waits_or_failed_stays(station, olga):
    long_ago = timezone.now() - 9999 * DAY
    asked = command(station, long_ago, requested_by=olga, reason="it hung")
    waiting = command(station, None)
    failed = message(station, None)
    OutboxMessage.objects.update(status="failed", created_at=long_ago)
    for purge in PURGES:
        purge.run(timezone.now())
    assert set(Command.objects.all()) == {asked, waiting}
    assert OutboxMessage.objects.get() == failed


def test_a_process_that_died_is_forgotten_and_its_stations_stay(station):
    station.owner = gateway(station, timezone.now() - 2 * DAY)
    station.save()
    purge_of(GatewayProcess).run(timezone.now())
    station.refresh_from_db()
    assert station.owner is None


# --- The page and the worker agree ---------------------------------------------------------------


def test_the_page_names_every_kind_of_row_once():
    ours = {model._meta.label for name in OURS for model in apps.get_app_config(name).get_models()}
    assert set(ON_PAGE) == ours | set(OTHERS)
    assert len(LINE.findall(PAGE.read_text())) == len(ON_PAGE)


def test_the_page_names_the_jobs_that_delete_and_no_other():
    deleted = {purge.rows.model._meta.label: purge.name for purge in PURGES}
    assert {label: job for label, (_, job) in ON_PAGE.items() if job != "none"} == deleted


@each_purge
def test_the_page_says_how_long_rows_are_kept(purge):
    kept, _ = ON_PAGE[purge.rows.model._meta.label]
    days = purge.kept_for.days
    if purge.setting:
        assert kept == f"`{purge.setting}` ({days} days)"
    else:
        assert kept == {0: "until it expires", 1: "1 day"}.get(days, f"unsigned ones {days} days")


def test_what_no_job_deletes_is_kept_for_ever():
    assert {kept for kept, job in ON_PAGE.values() if job == "none"} == {"for ever"}


@each_purge
def test_the_worker_has_the_job(purge):
    assert any((job.name, job.run) == (purge.name, purge.run) for job in worker.JOBS)


def test_money_sessions_and_who_did_what_are_never_deleted():
    """Nothing that the books, a bill or an answer to "who was it?" rests on."""
    deleted = {purge.rows.model._meta.label for purge in PURGES}
    assert deleted == set(MAKERS)
