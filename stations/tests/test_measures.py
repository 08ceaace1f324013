"""What a process measures: counted at once, kept as a row, and never lost but for moments."""

import datetime as dt
import threading

import pytest
from django.db import OperationalError
from django.utils import timezone

from stations import measured, measures
from stations.measured import FOLD_AFTER, Keeper
from stations.measures import Histogram, Measure
from stations.models import MeasuredProcess

LATER = FOLD_AFTER + dt.timedelta(seconds=1)


class Process:
    """One process with measures of its own; `names` are those of the program."""

    def __init__(self):
        self.frames = Measure("counter", "frames", "", "direction", "action")
        self.reply = Histogram("reply_seconds", "", "action", bounds=measures.QUICK_S)
        self.last = Measure("latest", "task_last_success_timestamp_seconds", "", "task")
        self.sockets = Measure("gauge of each process", "sockets", "")
        self.keeper = Keeper((self.frames, self.reply, self.last, self.sockets))

    def hear(self, count=1):
        for _ in range(count):
            self.frames.add("in", "Heartbeat")
        self.keeper.keep()


def heard():
    return measured.counted().get("frames", {}).get(("in", "Heartbeat"), 0)


def fold(processes=(), now=None):
    """Let the worker fold after these have been silent for long."""
    now = now or timezone.now()
    for process in processes:
        MeasuredProcess.objects.filter(pk=process.keeper.id).update(kept_at=now - LATER)
    return measured.fold(now)


def test_a_histogram_counts_a_bound_to_its_own_bucket():
    histogram = Histogram("h", "", bounds=(1, 10))
    for value in (0.5, 1, 1.1, 10, 11):
        histogram.observe(value)
    assert histogram.copy() == {(): [2, 2, 1, 23.6]}


def test_measures_are_named_once_and_have_labels_that_do_not_grow():
    assert len(measures.BY_NAME) == len(measures.MEASURES)
    labels = {label for measure in measures.MEASURES for label in measure.labels}
    assert labels.isdisjoint({"station", "station_id", "session", "user", "process"})


def test_of_two_versions_buckets_the_present_ones_count():
    mine = [1] * (len(measures.QUICK_S) + 2)
    assert measures.add("reply_seconds", mine, [5, 5]) == mine
    assert measures.add("reply_seconds", [5, 5], mine) == mine


def test_what_an_unknown_version_counted_is_carried_along():
    one, other = {"new": {("a",): 1}}, {"new": {("a",): 2, ("b",): 5}}
    assert measures.total([one, other]) == {"new": {("a",): 3, ("b",): 5}}


@pytest.mark.django_db
def test_two_processes_give_one_sum():
    one, other = Process(), Process()
    one.hear(3)
    other.hear(4)
    other.reply.observe(0.02, "Heartbeat")
    other.keeper.keep()
    assert heard() == 7
    *buckets, total_s = measured.counted()["reply_seconds"]["Heartbeat",]
    assert (sum(buckets), total_s) == (1, 0.02)


@pytest.mark.django_db
def test_to_keep_twice_counts_once():
    process = Process()
    process.hear(3)
    process.keeper.keep()
    assert heard() == 3


@pytest.mark.django_db
def test_no_counter_falls_when_a_process_dies_and_is_folded():
    dead, alive = Process(), Process()
    dead.hear(3)
    alive.hear(4)
    assert fold() == 0
    assert heard() == 7
    assert fold([dead]) == 1
    assert heard() == 7
    assert MeasuredProcess.objects.count() == 2
    alive.hear(1)
    assert heard() == 8


@pytest.mark.django_db
def test_processes_that_die_one_after_the_other_leave_one_row():
    for number in range(1, 6):
        process = Process()
        process.hear(10)
        fold([process])
        assert heard() == 10 * number
    assert list(MeasuredProcess.objects.values_list("pk", flat=True)) == [MeasuredProcess.TOTAL]


@pytest.mark.django_db
def test_a_process_that_only_seemed_dead_is_counted_once():
    process = Process()
    process.hear(3)
    fold([process])
    process.hear(2)
    assert heard() == 5
    process.hear(1)
    assert heard() == 6
    fold([process])
    process.hear(1)
    assert heard() == 7


@pytest.mark.django_db
def test_the_sum_is_never_taken_for_a_process_that_has_ended():
    process = Process()
    process.hear(3)
    fold([process])
    MeasuredProcess.objects.update(kept_at=timezone.now() - LATER)
    assert fold() == 0
    assert heard() == 3


@pytest.mark.django_db
def test_of_moments_the_last_one_counts():
    one, other = Process(), Process()
    one.last.set(2000, "time")
    other.last.set(1000, "time")
    one.keeper.keep()
    other.keeper.keep()
    assert measured.counted()[one.last.name] == {("time",): 2000}
    fold([one])
    assert measured.counted()[one.last.name] == {("time",): 2000}


@pytest.mark.django_db
def test_the_present_of_a_process_ends_with_it():
    ended, silent, alive = Process(), Process(), Process()
    for process, number in ((ended, 1), (silent, 2), (alive, 3)):
        process.sockets.set(number)
        process.keeper.keep()
    ended.keeper.keep(is_ending=True)
    MeasuredProcess.objects.filter(pk=silent.keeper.id).update(
        kept_at=timezone.now() - dt.timedelta(minutes=1)
    )
    assert [gauges["sockets"] for _, gauges in measured.present()] == [{(): 3}]


@pytest.mark.django_db
def test_a_database_that_is_away_loses_nothing(monkeypatch):
    process = Process()
    process.hear(1)

    def away(*columns):
        raise OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(process.keeper, "_write", away)
        with pytest.raises(OperationalError):
            process.hear(2)
    assert heard() == 1
    process.hear(0)
    assert heard() == 3


@pytest.mark.django_db
def test_the_process_itself_is_measured():
    measured.keep()
    assert measured.counted()["cpu_seconds"][()] > 0
    assert any(gauges.get("resident_memory_bytes") for _, gauges in measured.present())


@pytest.mark.on_postgres
@pytest.mark.django_db
def test_the_pool_of_connections_is_measured():
    measured.look_at_process()
    assert measures.POOL.copy()["open",] >= 1
    assert measures.POOL_REQUESTS.copy()["asked",] >= 1


def test_to_look_disturbs_no_one_who_counts():
    """A copy is made while another thread adds series."""
    measure, stop = Measure("counter", "c", "", "n"), threading.Event()

    def count():
        number = 0
        while not stop.is_set():
            number += 1
            measure.add(str(number % 5000))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        sums = [sum(measure.copy().values()) for _ in range(300)]
    finally:
        stop.set()
        thread.join()
    assert sums == sorted(sums)
