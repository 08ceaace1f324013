"""The outbox: at least once, ever more seldom, never for ever."""

import datetime as dt
import threading

import pytest
from django.db import connection
from django.utils import timezone

from billing import outbox
from billing.models import OutboxMessage

Status = OutboxMessage.Status
pytestmark = pytest.mark.django_db


class Receiver:
    """The outside: it keeps what it gets, and refuses while it is told to."""

    def __init__(self, *, is_down=False):
        self.is_down = is_down
        self.got = []

    def __call__(self, message):
        if self.is_down:
            raise ConnectionError("down")
        self.got.append(message.key)

    @property
    def handlers(self):
        return {"test": self}


def queue(key="m1", topic="test", **values):
    return OutboxMessage.objects.create(key=key, topic=topic, **values)


def make_due():
    OutboxMessage.objects.update(due_at=timezone.now())


def test_a_message_is_delivered_once():
    message, receiver = queue(), Receiver()
    assert outbox.deliver_due(receiver.handlers) == 1
    assert outbox.deliver_due(receiver.handlers) == 0
    message.refresh_from_db()
    assert receiver.got == ["m1"]
    assert (message.status, message.attempts) == (Status.DELIVERED, 1)
    assert message.delivered_at is not None


def test_messages_go_out_oldest_first_and_not_before_their_time():
    now = timezone.now()
    queue("second", due_at=now - dt.timedelta(seconds=1))
    queue("first", due_at=now - dt.timedelta(seconds=2))
    queue("tomorrow", due_at=now + dt.timedelta(days=1))
    receiver = Receiver()
    outbox.deliver_due(receiver.handlers)
    assert receiver.got == ["first", "second"]


def test_a_pass_takes_no_more_than_its_limit():
    for number in range(3):
        queue(f"m{number}")
    receiver = Receiver()
    assert outbox.deliver_due(receiver.handlers, limit=2) == 2
    assert len(receiver.got) == 2


def test_a_refused_message_is_put_off_and_comes_again():
    message, receiver = queue(), Receiver(is_down=True)
    outbox.deliver_due(receiver.handlers)
    message.refresh_from_db()
    assert message.status == Status.QUEUED
    assert "down" in message.last_error
    assert message.due_at > timezone.now() + dt.timedelta(seconds=3)
    receiver.is_down = False
    make_due()
    outbox.deliver_due(receiver.handlers)
    message.refresh_from_db()
    assert (message.status, message.last_error) == (Status.DELIVERED, "")


def test_one_bad_message_does_not_hold_up_the_next():
    queue("bad", topic="broken")
    queue("good")
    receiver = Receiver()

    def broken(message):
        raise KeyError("a fault of ours")

    outbox.deliver_due({"broken": broken, **receiver.handlers})
    assert receiver.got == ["good"]


def test_a_message_is_failed_after_its_last_attempt():
    message, receiver = queue(attempts=outbox.MAX_ATTEMPTS - 1), Receiver(is_down=True)
    outbox.deliver_due(receiver.handlers)
    message.refresh_from_db()
    assert (message.status, message.attempts) == (Status.FAILED, outbox.MAX_ATTEMPTS)
    make_due()
    assert outbox.deliver_due(receiver.handlers) == 0


def test_a_topic_that_only_a_newer_worker_knows_waits_for_it():
    message, receiver = queue(topic="new"), Receiver()
    outbox.deliver_due(receiver.handlers)
    message.refresh_from_db()
    assert (message.status, message.last_error) == (Status.QUEUED, "no handler for new")
    make_due()
    outbox.deliver_due({"new": receiver})
    assert receiver.got == ["m1"]


def test_pauses_double_up_to_an_hour():
    pauses = [outbox.pause_after(number).total_seconds() for number in range(1, 15)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses[-1] == 3600
    assert pauses == sorted(pauses)


def test_a_message_that_another_worker_holds_is_left_alone():
    queue()
    others = []
    receiver = Receiver()

    def deliver_meanwhile(message):
        others.append(outbox.deliver_due(receiver.handlers))

    outbox.deliver_due({"test": deliver_meanwhile})
    assert others == [0]
    assert receiver.got == []


def test_the_message_of_a_worker_that_died_is_taken_over_when_its_lease_is_over():
    message = queue()

    class Killed(BaseException):
        """What ends a process ends no handler politely."""

    def die(message):
        raise Killed

    with pytest.raises(Killed):
        outbox.deliver_due({"test": die})
    receiver = Receiver()
    assert outbox.deliver_due(receiver.handlers) == 0
    message.refresh_from_db()
    assert message.due_at <= timezone.now() + outbox.LEASE
    make_due()
    outbox.deliver_due(receiver.handlers)
    assert receiver.got == ["m1"]


def test_a_worker_that_overran_its_lease_does_not_undo_what_the_next_one_did():
    message, receiver = queue(), Receiver()

    def overrun(message):
        make_due()
        outbox.deliver_due(receiver.handlers)
        raise ConnectionError("too late")

    outbox.deliver_due({"test": overrun})
    message.refresh_from_db()
    assert receiver.got == ["m1"]
    assert (message.status, message.last_error) == (Status.DELIVERED, "")


@pytest.mark.django_db(transaction=True)
def test_many_workers_deliver_each_message_once():
    for number in range(20):
        queue(f"m{number:02}")
    receiver, start = Receiver(), threading.Barrier(4)

    def work():
        try:
            start.wait()
            outbox.deliver_due(receiver.handlers)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receiver.got) == [f"m{number:02}" for number in range(20)]
    assert set(OutboxMessage.objects.values_list("status", flat=True)) == {Status.DELIVERED}
