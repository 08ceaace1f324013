"""What is kept of a meter's quirks, and what is told of them."""

import pytest

from sessions_app.tests.metered_car import LIFETIME, MeteredCar, fresh
from sessions_app.tests.meters_as_they_are import METERS
from stations import meters
from stations.models import Alert, MeterProfile

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("promises_hold")]


def test_a_quirk_is_counted_once_a_session_and_told_once(powered, alice, olga):
    for _ in range(2):
        car = MeteredCar(powered, METERS["kWh labelled Wh"])
        car.start(alice, max_amount="200")
        car.charge(3)
        car.stop()
    profile = MeterProfile.objects.get()
    row = profile.findings["samples_in_kwh"]
    assert (row["sessions"], len(row["examples"])) == (2, 2)
    assert row["examples"][0]["session"] == str(car.session.pk)
    assert row["examples"][0]["frame"]
    alert = Alert.objects.get(kind="meter_quirk", resolved_at=None)
    assert alert.count == 1
    meters.confirm_habits(station=fresh(powered), by=olga, reason="seen")
    assert MeterProfile.objects.get().sample_unit == "kWh"
    assert not Alert.objects.filter(kind="meter_quirk", resolved_at=None).exists()


def test_examples_are_few_however_many_sessions_show_a_quirk(powered, alice):
    for _ in range(7):
        car = MeteredCar(powered, METERS["kWh labelled Wh"])
        car.start(alice, "amount", "50")
        car.charge(1)
        car.stop()
    row = MeterProfile.objects.get().findings["samples_in_kwh"]
    assert (row["sessions"], len(row["examples"])) == (7, meters.MAX_EXAMPLES)


def test_a_good_meter_is_followed_and_leaves_no_profile(powered, alice):
    car = MeteredCar(powered, METERS["as the specification says"])
    car.start(alice, "amount", "500")
    car.charge(3)
    assert powered.follower.steps == 2  # from the second sample on, none reads the profile
    car.stop()
    assert not MeterProfile.objects.exists()


def test_a_reading_keeps_what_was_told(powered, alice):
    car = MeteredCar(powered, METERS["kWh labelled Wh"])
    car.start(alice)
    car.charge(1)
    reading = car.session.readings.order_by("-at").first()
    assert reading.register_wh == LIFETIME + 117
    assert reading.flags == ["samples_in_kwh", "told:1234.684 Wh"]
    assert reading.frame_id is not None
