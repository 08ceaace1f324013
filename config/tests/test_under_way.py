"""A process that ends: what it is at is answered first."""

import asyncio

import pytest

from config.under_way import UnderWay


def requests(count):
    """An application that answers when it is told, and `count` requests to it."""
    may_answer = asyncio.Event()

    async def answer(scope, receive, send):
        await may_answer.wait()
        if scope["fails"]:
            raise ValueError

    under_way = UnderWay(answer)
    tasks = [asyncio.ensure_future(under_way({"fails": n == 0}, None, None)) for n in range(count)]
    return under_way, may_answer, tasks


async def test_it_waits_for_every_request_also_for_one_that_fails():
    under_way, may_answer, tasks = requests(3)
    finishing = asyncio.ensure_future(under_way.finish(within_s=60))
    await asyncio.sleep(0)
    assert not finishing.done()
    may_answer.set()
    await finishing
    await asyncio.wait(tasks)
    assert isinstance(tasks[0].exception(), ValueError)


async def test_it_waits_for_nobody_when_there_is_none():
    under_way, _, _ = requests(0)
    await under_way.finish(within_s=60)


async def test_it_waits_no_longer_than_it_may(caplog):
    under_way, _, tasks = requests(2)
    await asyncio.sleep(0)
    await under_way.finish(within_s=0.01)
    assert "2 requests unanswered" in caplog.text
    for task in tasks:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.gather(*tasks)
