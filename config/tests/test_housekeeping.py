"""What is thrown away, and what is not."""

import datetime as dt

import pytest
from django.utils import timezone

from config import housekeeping
from config.models import WorkerProcess
from stations.models import Frame, GatewayProcess

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def frame(station, age):
    return Frame.objects.create(station=station, direction="in", text="[]", at=timezone.now() - age)


def test_frames_are_kept_for_their_days_and_not_longer(station, settings):
    settings.CSMS_FRAME_RETENTION_DAYS = 30
    young, _old = frame(station, 29 * DAY), frame(station, 31 * DAY)
    assert housekeeping.delete_old_frames(timezone.now()) == 1
    assert list(Frame.objects.all()) == [young]


def test_old_frames_go_in_portions(station, monkeypatch):
    monkeypatch.setattr(housekeeping, "PORTION", 2)
    monkeypatch.setattr(housekeeping, "PORTIONS", 2)
    for _ in range(5):
        frame(station, 99 * DAY)
    now = timezone.now()
    assert [housekeeping.delete_old_frames(now) for _ in range(3)] == [4, 1, 0]


def test_a_process_that_died_is_forgotten_and_its_stations_stay(station):
    dead = GatewayProcess.objects.create(
        channel="dead", host="h", lease_at=timezone.now() - 2 * DAY
    )
    GatewayProcess.objects.create(channel="alive", host="h")
    WorkerProcess.objects.create(host="h", lease_at=timezone.now() - 2 * DAY)
    station.owner = dead
    station.save()
    assert housekeeping.forget_dead_processes(timezone.now()) == 2
    station.refresh_from_db()
    assert station.owner is None
    assert GatewayProcess.objects.get().channel == "alive"
