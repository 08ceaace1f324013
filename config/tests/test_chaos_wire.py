"""The proxy of chaos reads what passes, and breaks it as it is told."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import serve
from websockets.frames import Frame, Opcode

from config.chaos.journal import Journal
from config.chaos.proxy import Proxy
from config.chaos.wire import Decoder, is_accepted, message_of, path_of, without_extensions
from stations.simulator.errors import CallRefused, Disconnected
from stations.simulator.wire import Wire, dial

HEAD = b"GET /ws/C-1 HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def bytes_of(frame, *, is_masked):
    return frame.serialize(mask=is_masked)


@settings(deadline=None)
@given(
    texts=st.lists(st.text(max_size=300), max_size=5),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=9),
    is_masked=st.booleans(),
)
def test_texts_are_read_however_the_bytes_come(texts, cuts, is_masked):
    frames = [Frame(Opcode.TEXT, text.encode()) for text in texts]
    stream = HEAD + b"".join(bytes_of(frame, is_masked=is_masked) for frame in frames)
    decoder, read, step = Decoder(), [], 0
    while stream:
        size = cuts[step % len(cuts)]
        read += decoder.feed(stream[:size])
        stream, step = stream[size:], step + 1
    assert read == texts
    assert decoder.head == HEAD


def test_a_message_in_pieces_is_read_whole_and_a_ping_between_them_is_none():
    decoder = Decoder()
    pieces = (
        Frame(Opcode.TEXT, b"[2,", fin=False),
        Frame(Opcode.PING, b"?"),
        Frame(Opcode.CONT, b'"1"]'),
    )
    stream = ACCEPTED + b"".join(bytes_of(piece, is_masked=False) for piece in pieces)
    assert list(decoder.feed(stream)) == ['[2,"1"]']
    assert is_accepted(decoder.head)


@pytest.mark.parametrize("size", [125, 126, 65_535, 65_536])
def test_every_way_to_tell_a_length_is_read(size):
    stream = ACCEPTED + bytes_of(Frame(Opcode.TEXT, b"x" * size), is_masked=True)
    assert list(Decoder().feed(stream)) == ["x" * size]


def test_a_request_offers_no_compression_any_more():
    assert without_extensions(HEAD) == b"GET /ws/C-1 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert path_of(HEAD) == "/ws/C-1"


@pytest.mark.parametrize("text", ["", "{}", "[]", "[2]", "[7,1,2]", "null", "[2,"])
def test_what_is_no_message_is_none(text):
    assert message_of(text) is None


class Town:
    """A server that confirms every call, behind the proxy."""

    def __init__(self):
        self.journal = Journal()
        self.heard = []

    async def answer(self, socket):
        async for text in socket:
            _, message_id, action, _ = json.loads(text)
            self.heard.append(action)
            if action == "Refuse":
                await socket.send(json.dumps([4, message_id, "InternalError", "", {}]))
            else:
                await socket.send(json.dumps([3, message_id, {"for": action}]))


@pytest.fixture
async def town():
    town = Town()
    async with serve(town.answer, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        town.proxy = Proxy([server.sockets[0].getsockname()[1]], town.journal)
        town.url = f"ws://127.0.0.1:{await town.proxy.open()}"
        yield town
        await town.proxy.close()


class Caller:
    """A station's side of one connection."""

    def __init__(self, town):
        self.town = town

    async def __aenter__(self):
        socket = await dial(self.town.url, "C-1")
        self.wire = Wire(
            socket,
            message_ids=iter(range(1, 100)),
            answer=lambda action, payload: None,
            lose_reply=lambda action, payload: False,
        )
        self.listening = asyncio.create_task(self.wire.listen())
        return self.wire

    async def __aexit__(self, *error):
        self.wire.abort()
        await asyncio.wait([self.listening])
        self.listening.exception()


async def test_calls_pass_and_are_witnessed_with_their_answers(town):
    async with Caller(town) as wire:
        assert await wire.call("Heartbeat", {"a": 1}) == {"for": "Heartbeat"}
        with pytest.raises(CallRefused):
            await wire.call("Refuse", {})
    first, second = town.journal.exchanges
    assert (first.station_id, first.action, first.payload) == ("C-1", "Heartbeat", {"a": 1})
    assert (first.answer, first.error) == ({"for": "Heartbeat"}, "")
    assert (second.answer, second.error) == (None, "InternalError")
    assert (town.journal.dialled["C-1"], town.journal.admitted["C-1"]) == (1, 1)


@pytest.mark.parametrize("is_torn", [False, True])
async def test_a_lost_reply_was_sent_and_does_not_arrive(town, is_torn):
    async with Caller(town) as wire:
        town.proxy.lose_reply("C-1", "StopTransaction", is_torn=is_torn)
        await wire.call("Heartbeat", {})
        with pytest.raises(Disconnected):
            await wire.call("StopTransaction", {})
    lost = town.journal.exchanges[-1]
    assert (lost.is_confirmed, lost.is_lost) == (True, True)
    async with Caller(town) as wire:
        assert await wire.call("StopTransaction", {}) == {"for": "StopTransaction"}


async def test_a_frozen_connection_goes_on_where_it_stood(town):
    async with Caller(town) as wire:
        await wire.call("Heartbeat", {})
        freezing = asyncio.create_task(town.proxy.freeze(0.2, "C-1"))
        await asyncio.sleep(0)
        assert await wire.call("Heartbeat", {}) == {"for": "Heartbeat"}
        await freezing


async def test_a_half_closed_station_is_heard_no_more(town):
    async with Caller(town) as wire:
        await wire.call("Heartbeat", {})
        town.proxy.half_close("C-1")
        with pytest.raises(Disconnected):
            await wire.call("StopTransaction", {})
    assert town.heard == ["Heartbeat"]


async def test_what_a_half_open_connection_still_held_is_heard_late(town):
    async with Caller(town) as wire:
        await wire.call("Heartbeat", {})
        leaving = asyncio.create_task(town.proxy.half_open(0.3, "C-1"))
        await asyncio.sleep(0)
        with pytest.raises(Disconnected):
            await wire.call("StopTransaction", {})
        assert town.heard == ["Heartbeat"]
        await leaving
    assert town.heard == ["Heartbeat", "StopTransaction"]


async def test_a_barred_station_comes_not_through_until_it_is_over(town):
    barring = asyncio.create_task(town.proxy.bar(30, "C-1"))
    await asyncio.sleep(0)
    with pytest.raises(Exception, match="no connection"):
        await dial(town.url, "C-1")
    town.proxy.calm()
    async with Caller(town) as wire:
        await wire.call("Heartbeat", {})
    barring.cancel()


async def test_a_station_whose_server_is_away_is_led_to_the_next(town):
    town.proxy.servers.insert(0, 1)
    async with Caller(town) as wire:
        assert await wire.call("Heartbeat", {}) == {"for": "Heartbeat"}
