"""The bell between processes: heard by the layer, harmless when Redis is gone or hangs."""

import asyncio
import os
import signal
import subprocess
import time

import pytest
import redis
from asgiref.sync import sync_to_async
from channels_redis.pubsub import RedisPubSubChannelLayer

from config.tests.server import free_port
from stations import doorbell
from stations.models import GatewayProcess, Station

CHANNEL = "gateway.elsewhere"


@pytest.fixture
def away(station, monkeypatch):
    """K-1 with its socket at another process."""
    monkeypatch.setattr(doorbell, "_line", doorbell.Line())
    owner = GatewayProcess.objects.create(channel=CHANNEL, host="elsewhere")
    Station.objects.filter(pk=station.pk).update(owner=owner)
    return Station.objects.get(pk=station.pk)


@pytest.fixture
def own_redis(settings):
    """A Redis of this test: its address is known before it runs."""
    port = free_port()
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    use_layer(settings)
    processes = []

    def start():
        command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        processes.append(process)
        wait_until_up(port)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def use_layer(settings):
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    config = {"hosts": [settings.REDIS_URL], "prefix": "kubat"}
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": config}}


def wait_until_up(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            with redis.Redis(port=port) as client:
                client.ping()
                return
        except redis.ConnectionError:
            assert time.monotonic() < deadline, "no Redis"
            time.sleep(0.02)


async def hear(url, ring):
    """Ring until the layer, as the other process has it, hears a message; return that."""
    layer = RedisPubSubChannelLayer(hosts=[url], prefix="kubat")
    heard = asyncio.ensure_future(layer.receive(CHANNEL))
    try:
        async with asyncio.timeout(20):
            while not heard.done():  # it has to subscribe first
                await sync_to_async(ring)()
                await asyncio.wait([heard], timeout=0.05)
            return heard.result()
    finally:
        await layer.flush()


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_what_is_rung_is_what_the_layer_hears(away, settings, redis_url):
    settings.REDIS_URL = redis_url
    use_layer(settings)
    bell = {"type": "station.ring", "station": away.pk}
    assert await hear(redis_url, lambda: doorbell.ring(away)) == bell
    moved = {"type": "station.moved", "station": away.pk, "fence": 7}
    assert await hear(redis_url, lambda: doorbell.tell_moved(CHANNEL, away.pk, 7)) == moved


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
async def test_a_redis_that_was_away_is_rung_again(away, own_redis, settings, caplog):
    await sync_to_async(doorbell.ring)(away)
    assert "doorbell lost" in caplog.text
    process = own_redis()
    assert await hear(settings.REDIS_URL, lambda: doorbell.ring(away))
    process.terminate()
    process.wait()
    caplog.clear()
    await sync_to_async(doorbell.ring)(away)
    assert "doorbell lost" in caplog.text
    own_redis()
    assert await hear(settings.REDIS_URL, lambda: doorbell.ring(away))


@pytest.mark.redis
def test_a_redis_that_hangs_holds_up_one_ring_and_is_left_alone(away, own_redis, caplog):
    process = own_redis()
    doorbell.ring(away)
    os.kill(process.pid, signal.SIGSTOP)
    for _ in range(10):
        doorbell.ring(away)
    assert caplog.text.count("doorbell lost") == 1


def test_without_redis_nobody_else_is_rung(away, settings, caplog):
    settings.REDIS_URL = ""
    doorbell.ring(away)
    assert caplog.text == ""


def test_an_owner_that_was_read_with_the_station_is_not_asked_for(
    away, settings, django_assert_num_queries
):
    settings.REDIS_URL = ""
    heard = []
    doorbell.answer_at(CHANNEL, heard.append)
    try:
        with django_assert_num_queries(1):
            doorbell.ring(away)
        known = Station.objects.select_related("owner").get(pk=away.pk)
        with django_assert_num_queries(0):
            doorbell.ring(known)
    finally:
        doorbell.leave(CHANNEL)
    assert heard == [{"type": "station.ring", "station": away.pk}] * 2
