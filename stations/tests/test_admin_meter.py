"""The meter of a station in the back office: what was seen, what is stated, and by whom."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from billing.models import User
from billing.tests.back_office import errors_of, press, told
from conftest import PASSWORD
from stations import meters
from stations.metering import Quirk
from stations.meters import Example
from stations.models import Alert, MeterProfile
from stations.tests.pages import STATIONS, button

pytestmark = pytest.mark.django_db

PROFILES = reverse("admin:stations_meterprofile_changelist")
BY_HAND = {
    "sample_unit": "kWh",
    "bill_unit": "Wh",
    "register": "lifetime",
    "source": "import",
}


def see(station, quirk=Quirk.KWH_SAMPLES, *, times=1):
    examples = [
        Example(uuid.uuid4(), "1234.6 Wh", "1234600 Wh", uuid.uuid4()) for _ in range(times)
    ]
    for example in examples:
        meters.observe(station, quirk, example)
    return examples


def page(client, station):
    return client.get(f"{STATIONS}{station.pk}/change/").text


def test_a_station_whose_meter_is_good_shows_no_profile(olgas, station):
    text = page(olgas, station)
    assert "Profile of the meter" not in text
    assert button(station, "set_meter") in text
    assert button(station, "confirm_meter") not in text
    assert button(station, "forget_meter") not in text


def test_evidence_is_shown_with_its_session_and_frame(olgas, station):
    (example,) = see(station)
    for address in (f"{STATIONS}{station.pk}/change/", PROFILES):
        assert "samples in kWh, labelled Wh" in olgas.get(address).text
    text = olgas.get(f"{PROFILES}{MeterProfile.objects.get().pk}/change/").text
    assert "1234.6 Wh → 1234600 Wh" in text
    assert str(example.session_id) in text
    assert f"id__exact={example.frame_id}" in text


def test_one_session_is_not_enough_to_confirm_and_two_are(olgas, olga, station):
    see(station)
    assert button(station, "confirm_meter") not in page(olgas, station)
    see(station)
    assert button(station, "confirm_meter") in page(olgas, station)
    answer = press(olgas, button(station, "confirm_meter"), reason="looked at it")
    assert told(answer) == ["Confirmed. It counts for what is read from now on."]
    profile = MeterProfile.objects.get()
    assert (profile.sample_unit, profile.bill_unit) == ("kWh", "auto")
    entry = LogEntry.objects.get(object_id=str(station.pk))
    assert (entry.user, "looked at it" in entry.change_message) == (olga, True)
    assert not Alert.objects.filter(kind="meter_quirk", resolved_at=None).exists()


def test_what_was_stated_is_not_overruled_by_a_confirmation(olgas, station):
    press(olgas, button(station, "set_meter"), **BY_HAND | {"sample_unit": "Wh"}, reason="seen")
    see(station, times=3)
    press(olgas, button(station, "confirm_meter"), reason="seen")
    assert MeterProfile.objects.get().sample_unit == "Wh"


def test_the_form_shows_what_is_stated_and_states_anew(olgas, station):
    press(olgas, button(station, "set_meter"), **BY_HAND, reason="seen")
    profile = MeterProfile.objects.get()
    stated = (profile.sample_unit, profile.bill_unit, profile.register, profile.source)
    assert stated == ("kWh", "Wh", "lifetime", "import")
    form = olgas.get(button(station, "set_meter")).context["form"]
    assert {name: form[name].value() for name in BY_HAND} == BY_HAND


@pytest.mark.parametrize("changes", [{"reason": ""}, {"sample_unit": "MWh"}, {"register": ""}])
def test_a_meter_is_not_set_without_a_reason_or_by_a_word_that_is_none(olgas, station, changes):
    answer = press(olgas, button(station, "set_meter"), **{**BY_HAND, "reason": "seen", **changes})
    assert set(errors_of(answer)) == set(changes)
    assert not MeterProfile.objects.exists()


def test_forgotten_evidence_leaves_what_is_stated(olgas, station):
    press(olgas, button(station, "set_meter"), **BY_HAND, reason="seen")
    see(station, times=2)
    press(olgas, button(station, "forget_meter"), reason="a new meter")
    profile = MeterProfile.objects.get()
    assert (profile.findings, profile.sample_unit) == ({}, "kWh")
    assert not Alert.objects.filter(kind="meter_quirk", resolved_at=None).exists()


def test_who_may_only_look_sets_nothing(client, station):
    viewer = User.objects.create_user(
        username="vera", email="vera@example.org", password=PASSWORD, is_staff=True
    )
    viewer.user_permissions.set(
        Permission.objects.filter(codename__in=["view_station", "view_meterprofile"])
    )
    client.force_login(viewer)
    see(station, times=2)
    for name in ("set_meter", "confirm_meter", "forget_meter"):
        assert client.get(button(station, name)).status_code == 403
    assert client.get(PROFILES).status_code == 200


def test_a_quirk_that_others_speak_against_is_not_likely(station):
    see(station, times=2)
    for _ in range(2):
        station.refresh_from_db()
        meters.observe_otherwise(station, (Quirk.KWH_SAMPLES, Quirk.WH_SAMPLES))
    profile = MeterProfile.objects.get()
    assert profile.findings["samples_in_kwh"]["against"] == 2
    assert profile.likely.sample_unit == "auto"
    assert "samples_in_wh" not in profile.findings
