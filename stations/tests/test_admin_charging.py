"""Smart Charging in the back office: its buttons ask what the use cases ask."""

import pytest
from django.urls import reverse

from billing.tests.back_office import errors_of, press, told
from stations.models import Command, InstalledProfile
from stations.tests.pages import button

PROFILE = {
    "connector_id": "0",
    "purpose": "TxDefaultProfile",
    "stack_level": "1",
    "recurs": "Daily",
    "unit": "A",
    "periods": "0 32\n480, 10.5, 1",
    "reason": "peak hours",
}


def test_a_schedule_is_typed_in_lines_and_sent(olgas, olga, online):
    answer = press(olgas, button(online, "set_profile"), **PROFILE)
    assert "The station is asked:" in told(answer)[0]
    command = Command.objects.get()
    assert (command.requested_by, command.reason) == (olga, "peak hours")
    sent = command.payload["csChargingProfiles"]
    assert command.payload["connectorId"] == 0
    assert (sent["chargingProfileKind"], sent["recurrencyKind"]) == ("Recurring", "Daily")
    assert sent["chargingSchedule"]["startSchedule"].endswith("T00:00:00Z")
    assert sent["chargingSchedule"]["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "limit": 32},
        {"startPeriod": 28800, "limit": 10.5, "numberPhases": 1},
    ]


@pytest.mark.parametrize(
    "line", ["0", "x 16", "0 y", "0 16 z", "0 16 3 4", "-1 16", "10080 16", "0 NaN", "0 -1"]
)
def test_a_line_that_says_no_period_is_refused(olgas, online, line):
    answer = press(olgas, button(online, "set_profile"), **PROFILE | {"periods": line})
    assert "periods" in errors_of(answer)
    assert not Command.objects.exists()


@pytest.mark.parametrize(
    "broken",
    [
        {"periods": "5 16"},
        {"periods": "0 16\n0 10"},
        {"periods": "0 16.55"},
        {"periods": "0 16 4"},
        {"purpose": "ChargePointMaxProfile", "connector_id": "1"},
    ],
)
def test_a_profile_that_breaks_a_rule_is_not_sent(olgas, online, broken):
    answer = press(olgas, button(online, "set_profile"), **PROFILE | broken)
    assert errors_of(answer)
    assert not Command.objects.exists()
    assert not InstalledProfile.objects.exists()


def test_profiles_are_cleared_by_what_they_have_in_common(olgas, online):
    said = {"purpose": "TxDefaultProfile", "stack_level": "0", "reason": "summer"}
    press(olgas, button(online, "clear_profiles"), **said)
    command = Command.objects.get()
    assert command.action == "ClearChargingProfile"
    assert command.payload == {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}


def test_an_id_with_other_criteria_is_refused(olgas, online):
    said = {"profile_id": "1", "stack_level": "0", "reason": "summer"}
    assert errors_of(press(olgas, button(online, "clear_profiles"), **said))
    assert not Command.objects.exists()


def test_the_composite_schedule_is_asked_for(olgas, online):
    said = {"connector_id": "1", "hours": "2", "reason": "to see"}
    press(olgas, button(online, "ask_schedule"), **said)
    assert Command.objects.get().payload == {"connectorId": 1, "duration": 7200}


@pytest.mark.parametrize("name", ["set_profile", "clear_profiles", "ask_schedule"])
def test_a_driver_has_no_such_button(client, alice, online, name):
    client.force_login(alice)
    assert client.get(button(online, name)).status_code in (302, 403)
    assert not Command.objects.exists()


def test_what_stations_hold_is_listed_and_shown(olgas, online):
    press(olgas, button(online, "set_profile"), **PROFILE)
    row = InstalledProfile.objects.get()
    profiles = reverse("admin:stations_installedprofile_changelist")
    assert "TxDefaultProfile" in olgas.get(profiles).text
    page = olgas.get(reverse("admin:stations_installedprofile_change", args=[row.pk]))
    assert "chargingSchedulePeriod" in page.text
