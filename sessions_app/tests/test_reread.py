"""A session in review, read again when more is known of its station's meter."""

import pytest
from django.urls import reverse
from django.utils import timezone

from billing.errors import Invalid
from billing.tests.back_office import errors_of, press, told
from sessions_app.errors import NotInReview, StillImplausible
from sessions_app.models import ChargingSession
from sessions_app.reconcile import examine
from sessions_app.services.normalise import place_rows
from sessions_app.services.reread import preview, reread
from sessions_app.services.told import samples_of
from sessions_app.tests.metered_car import LIFETIME, MeteredCar, Wire, fresh
from sessions_app.tests.meters_as_they_are import METERS, kwh, wh
from sessions_app.tests.promises import check_books, check_sessions
from stations import meters
from stations.metering import Habits
from stations.models import MeterProfile, Station

pytestmark = pytest.mark.django_db

SESSIONS = reverse("admin:sessions_app_chargingsession_changelist")
IN_KWH = METERS["meterStart and meterStop in kWh"]


@pytest.fixture(autouse=True)
def promises_hold(db):
    yield
    check_books()
    check_sessions()
    assert examine(timezone.now()) == []


@pytest.fixture
def doubted(stage, alice):
    """A charge of 3.51 kWh whose meterStart and meterStop are whole kWh."""
    Station.objects.update(max_power_kw=22)
    car = MeteredCar(stage, IN_KWH)
    car.start(alice, "amount", "200")
    car.charge(30)
    session = car.stop()
    assert session.status == "review"
    return session


def state_habits(session, olga, **habits):
    station = Station.objects.get(pk=session.station_id)
    meters.state_habits(station=station, habits=Habits(**habits), by=olga, reason="seen")


def test_with_the_right_profile_it_is_settled(doubted, olga):
    state_habits(doubted, olga, bill_unit="kWh")
    doubted.refresh_from_db()
    assert doubted.status == "review"  # a profile settles nothing by itself
    session = reread(session_id=doubted.pk, actor=olga, reason="profile stated")
    assert (session.status, session.energy_wh, session.cost_minor) == ("completed", 4_000, 5_000)
    assert session.meter_start_wh == 1_234_000
    assert "meter_reread" not in session.flags
    assert session.events.get(kind="staff").actor == olga.username


@pytest.mark.parametrize("habits", [{}, {"sample_unit": "labelled", "register": "lifetime"}])
def test_with_a_profile_that_explains_nothing_it_stays_as_it_was(doubted, olga, habits):
    state_habits(doubted, olga, **habits)
    before = list(doubted.readings.order_by("at").values_list("register_wh", "flags"))
    with pytest.raises(StillImplausible):
        reread(session_id=doubted.pk, actor=olga, reason="try")
    doubted.refresh_from_db()
    assert doubted.status == "review"
    assert list(doubted.readings.order_by("at").values_list("register_wh", "flags")) == before


def test_a_register_of_the_transaction_is_settled_once_it_is_stated(stage, alice, olga):
    car = MeteredCar(stage, Wire(lambda register, gain: [wh(gain)]))
    car.start(alice, max_amount="200")
    car.charge(30)
    session = car.stop(meter_stop=int(car.gain))
    state_habits(session, olga, register="transaction")
    session = reread(session_id=session.pk, actor=olga, reason="stated")
    assert (session.status, session.energy_wh) == ("completed", 3_510)
    assert session.meter_stop_wh == LIFETIME + 3_510


def test_reading_again_counts_no_session_twice(doubted, olga):
    state_habits(doubted, olga, bill_unit="kWh")
    reread(session_id=doubted.pk, actor=olga, reason="stated")
    findings = MeterProfile.objects.get().findings
    assert findings["start_and_stop_in_kwh"]["sessions"] == 1


def test_what_is_settled_or_runs_is_not_read_again(stage, alice, olga):
    car = MeteredCar(stage, METERS["kWh"])
    session = car.start(alice)
    for end in (lambda: None, car.stop):
        end()
        with pytest.raises(NotInReview):
            reread(session_id=session.pk, actor=olga, reason="try")


def test_it_needs_a_reason(doubted, olga):
    with pytest.raises(Invalid):
        reread(session_id=doubted.pk, actor=olga, reason=" ")


def test_the_button_says_why_not_and_then_settles(client, doubted, olga):
    client.force_login(olga)
    address = f"{SESSIONS}{doubted.pk}/reread/"
    refused = press(client, address, reason="try")
    assert "still in doubt" in str(errors_of(refused))
    state_habits(doubted, olga, bill_unit="kWh")
    assert "4.000 kWh, 50.00 KGS" in told(press(client, address, reason="stated"))[0]


def test_a_late_stop_is_read_by_the_same_rules(stage, alice, olga):
    meters.state_habits(
        station=fresh(stage), habits=Habits(bill_unit="kWh"), by=olga, reason="seen"
    )
    car = MeteredCar(stage, IN_KWH)
    session = car.start(alice, "amount", "200")
    car.charge(30)
    assert session.meter_start_wh == 1_234_000
    assert car.stop().meter_stop_wh == 1_238_000


def test_the_label_of_what_was_taken_as_labelled_is_kept(stage, alice, olga):
    """20 Wh under the name of kWh are 20 kWh, until staff say how the meter speaks."""
    Station.objects.update(max_power_kw=1_500)
    car = MeteredCar(
        stage,
        Wire(lambda register, gain: [kwh(gain * 1000)], lifetime=0),
        power_wh=20,
    )
    car.start(alice, "amount", "500")
    car.charge(1)
    reading = car.session.readings.order_by("-at").first()
    assert (reading.register_wh, reading.flags) == (20_000, ["kWh"])
    state_habits(car.session, olga, sample_unit="Wh")
    session = ChargingSession.objects.get(pk=car.session.pk)
    place_rows(session, samples_of(session))
    reading.refresh_from_db()
    assert (reading.register_wh, reading.flags) == (20, ["samples_in_wh", "told:20.000 kWh"])


def test_the_preview_says_what_would_be_billed_and_keeps_nothing(doubted, olga):
    before = list(doubted.readings.order_by("at").values_list("register_wh", "flags"))
    state_habits(doubted, olga, bill_unit="kWh")
    found = preview(session_id=doubted.pk)
    assert (found.energy_wh, found.cost_minor, found.doubt) == (4_000, 5_000, None)
    doubted.refresh_from_db()
    assert doubted.status == "review"
    assert list(doubted.readings.order_by("at").values_list("register_wh", "flags")) == before


def test_the_page_of_the_button_shows_the_preview(client, doubted, olga):
    client.force_login(olga)
    address = f"{SESSIONS}{doubted.pk}/reread/"
    assert "Still in doubt: meter_reread." in client.get(address).content.decode()
    state_habits(doubted, olga, bill_unit="kWh")
    page = client.get(address).content.decode()
    assert "4.000 kWh, 50.00 KGS" in page
    assert "Still in doubt" not in page


def test_what_is_settled_has_no_preview(stage, alice):
    car = MeteredCar(stage, METERS["kWh"])
    session = car.start(alice)
    car.stop()
    with pytest.raises(NotInReview):
        preview(session_id=session.pk)
