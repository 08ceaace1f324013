"""What a station's row says of it."""

import pytest

from stations.models import Station


@pytest.mark.parametrize(
    ("value", "is_supported"),
    [
        ("Core,SmartCharging", True),
        ("core , SMARTCHARGING,", True),
        ("Core,RemoteTrigger", False),
        ("SmartChargingPlus", False),
        ("", None),
        (" , ", None),
        (None, None),
    ],
)
def test_a_profile_is_supported_when_the_station_names_it(value, is_supported):
    station = Station(configuration={"SupportedFeatureProfiles": {"value": value}})
    assert station.supports("SmartCharging") is is_supported


def test_what_a_station_supports_is_unknown_until_it_reports():
    assert Station().supports("Core") is None
