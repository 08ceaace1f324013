"""What a simulated car takes."""

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from stations.simulator.car import Car
from stations.simulator.clock import Clock
from stations.simulator.connector import Connector, Setup
from stations.simulator.memory import Memory
from stations.simulator.wire import address_of

HOUR = dt.timedelta(hours=1)


def test_it_takes_what_is_offered_until_80_percent_and_a_fifth_at_the_end():
    car = Car(needs_wh=Decimal(80_000))
    assert car.power_w(Decimal(60_000)) == 60_000
    assert car.take(Decimal(60_000), HOUR) == 60_000
    assert car.soc == 80
    car.taken_wh = Decimal(79_999)
    assert Decimal(12_000) < car.power_w(Decimal(60_000)) < Decimal(12_100)


def test_it_takes_no_more_than_it_needs():
    car = Car(needs_wh=Decimal(10_000))
    assert car.take(Decimal(60_000), HOUR) == 10_000
    assert car.is_full
    assert car.soc == 100
    assert car.power_w(Decimal(60_000)) == 0
    assert car.take(Decimal(60_000), HOUR) == 0


@given(st.lists(st.integers(0, 3600), max_size=50), st.integers(1, 400_000))
def test_energy_is_never_lost_or_made(seconds, power_w):
    car = Car(needs_wh=Decimal(50_000))
    taken = [car.take(Decimal(power_w), dt.timedelta(seconds=s)) for s in seconds]
    assert all(wh >= 0 for wh in taken)
    assert sum(taken) == car.taken_wh <= 50_000


def test_speed_scales_power_and_never_timestamps():
    setup = Setup(url="", station_id="S-1", power_w=Decimal(60_000), speed=Decimal(100))
    connector = Connector(1, setup=setup, memory=Memory(), clock=Clock())
    before = dt.datetime.now(dt.UTC)
    transaction = connector.begin("TAG")
    connector.meter()
    after = dt.datetime.now(dt.UTC)
    assert connector.power_w == 6_000_000
    seen_at = dt.datetime.fromisoformat(transaction.seen_at)
    assert before - dt.timedelta(milliseconds=1) <= seen_at <= after


def test_addresses():
    assert address_of("ws://host:8180", "A/B 1") == "ws://host:8180/ws/A%2FB%201"
    assert address_of("ws://host:8180/", "A") == "ws://host:8180/ws/A"
    assert address_of("wss://host/ocpp/1.6/", "A") == "wss://host/ocpp/1.6/A"


def test_a_clock_that_is_set_makes_no_energy():
    clock = Clock()
    clock.set(dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    setup = Setup(url="", station_id="S-1")
    connector = Connector(1, setup=setup, memory=Memory(), clock=clock)
    transaction = connector.begin("TAG")
    assert clock.heed(dt.datetime.now(dt.UTC))
    connector.meter()
    assert transaction.started_at < "1971" < transaction.seen_at
    assert connector.register_wh < 100


def test_a_clock_heeds_only_what_is_far_from_it():
    clock = Clock()
    assert not clock.heed(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2))
    assert clock.heed(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=10))
    assert clock.now() < dt.datetime.now(dt.UTC) - dt.timedelta(seconds=9)
