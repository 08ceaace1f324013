"""The writer: one commit for many, the bad one apart, and a database that is away."""

import asyncio
import threading

import pytest
from django.db import IntegrityError, OperationalError

from stations.gateway.bridge import DatabaseAway
from stations.gateway.writer import Writer


@pytest.fixture
async def writer():
    made = Writer("test-writer")
    yield made
    made.end()


class Store:
    """What a batch is given to; `faults` are raised first, one a call."""

    def __init__(self, *faults, bad=()):
        self.batches, self.faults, self.bad = [], list(faults), bad

    def __call__(self, items):
        self.batches.append(list(items))
        if self.faults:
            raise self.faults.pop(0)
        if set(items) & set(self.bad):
            raise IntegrityError("a bad row")
        return [item * 10 for item in items]


async def test_each_item_gets_its_own_result(writer):
    store = Store()
    assert await asyncio.gather(*(writer.put(store, n) for n in range(5))) == [0, 10, 20, 30, 40]


async def test_what_comes_during_a_commit_is_stored_together(writer):
    begun, gate, batches = threading.Event(), threading.Event(), []

    def store(items):
        batches.append(list(items))
        begun.set()
        gate.wait(5)
        return items

    first = writer.put(store, 0)
    await asyncio.to_thread(begun.wait, 5)
    rest = [writer.put(store, n) for n in range(1, 20)]
    gate.set()
    await asyncio.gather(first, *rest)
    assert batches == [[0], list(range(1, 20))]


async def test_no_one_is_answered_before_the_commit(writer):
    gate = threading.Event()
    future = writer.put(lambda items: gate.wait(5) and items, 1)
    await asyncio.sleep(0.05)
    assert not future.done()
    gate.set()
    assert await future == 1


async def test_a_bad_item_costs_itself_only(writer):
    store = Store(bad=[2])
    answers = await asyncio.gather(
        *(writer.put(store, n) for n in range(4)), return_exceptions=True
    )
    assert [a for a in answers if not isinstance(a, Exception)] == [0, 10, 30]
    assert isinstance(answers[2], IntegrityError)


async def test_items_of_two_kinds_do_not_mix(writer):
    one, other = Store(), Store()
    await asyncio.gather(writer.put(one, 1), writer.put(other, 2), writer.put(one, 3))
    assert {n for batch in one.batches for n in batch} == {1, 3}
    assert other.batches == [[2]]


async def test_a_database_that_comes_back_is_waited_for(writer):
    store = Store(OperationalError("gone"), OperationalError("still gone"))
    assert await writer.put(store, 1) == 10
    assert store.batches == [[1]] * 3


async def test_items_keep_their_order_over_an_outage(writer):
    store = Store(OperationalError("gone"))
    await asyncio.gather(*(writer.put(store, n) for n in range(3)))
    assert [n for batch in store.batches[1:] for n in batch] == [0, 1, 2]


async def test_who_waits_too_long_is_told_that_the_database_is_away(writer, settings):
    settings.CSMS_DATABASE_WAIT_S = 0
    hung = threading.Event()
    future = writer.put(lambda items: hung.wait(5) and items, 1)
    await asyncio.sleep(0.05)
    writer.expire()
    with pytest.raises(DatabaseAway):
        await future
    hung.set()


async def test_who_has_time_left_is_not_let_go(writer):
    hung = threading.Event()
    future = writer.put(lambda items: hung.wait(5) and items, 1)
    await asyncio.sleep(0.05)
    writer.expire()
    assert not future.done()
    hung.set()
    assert await future == 1


async def test_who_left_is_not_stored_for(writer):
    """The socket closed before its item's turn: its station sends the message again."""
    gate = threading.Event()
    first = writer.put(lambda items: gate.wait(5) and items, 0)
    store = Store()
    writer.put(store, 1).cancel()
    kept = writer.put(store, 2)
    gate.set()
    await asyncio.gather(first, kept)
    assert store.batches == [[2]]
