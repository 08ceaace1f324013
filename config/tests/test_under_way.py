"""A process that ends answers what it is at; what comes then is told to come again."""

import asyncio

from config.under_way import UnderWay


class Requests:
    """An application that answers when it is told; the first of `count` requests fails."""

    def __init__(self, count):
        self.may_answer = asyncio.Event()
        self.under_way = UnderWay(self.answer)
        self.sent = []
        self.tasks = [asyncio.ensure_future(self.ask(n)) for n in range(count)]

    async def answer(self, scope, receive, send):
        await self.may_answer.wait()
        if not scope["number"]:
            raise ValueError

    async def ask(self, number):
        async def send(message):
            self.sent.append(message)

        await self.under_way({"number": number}, None, send)

    async def finish(self, within_s):
        await asyncio.sleep(0)
        await self.under_way.finish(within_s=within_s, cancel_s=60)


async def test_it_waits_for_every_request_also_for_one_that_fails():
    requests = Requests(3)
    finishing = asyncio.ensure_future(requests.finish(within_s=60))
    await asyncio.sleep(0.01)
    assert not finishing.done()
    requests.may_answer.set()
    await finishing
    assert isinstance(requests.tasks[0].exception(), ValueError)
    assert [task.done() for task in requests.tasks] == [True] * 3


async def test_what_comes_then_is_told_to_come_again():
    requests = Requests(0)
    await requests.finish(within_s=60)
    await requests.ask(1)
    assert requests.sent[0]["status"] == 503
    assert (b"Retry-After", b"1") in requests.sent[0]["headers"]


async def test_what_takes_too_long_is_cut_off(caplog):
    requests = Requests(2)
    await requests.finish(within_s=0.01)
    assert "2 requests unanswered" in caplog.text
    assert all(task.cancelled() for task in requests.tasks)
