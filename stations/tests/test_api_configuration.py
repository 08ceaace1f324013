"""The configuration of a station over HTTP, for staff."""

import pytest
from django.utils import timezone

from sessions_app.services import calls
from stations import commands, key_table, wishes
from stations.models import Command
from stations.tests.cast import signed_in

PATH = "/ocpp/stations/K-1/configuration"


@pytest.fixture
def configured(station):
    station.is_provisioned = False
    station.configuration = {
        "HeartbeatInterval": {"value": "60", "readonly": False},
        "NumberOfConnectors": {"value": "2", "readonly": True},
        "AuthorizationKey": {"value": "***", "readonly": False},
    }
    station.save()
    return station


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", "/ocpp/stations/k-1/configuration"])
def test_keys_are_shown_beside_what_is_wanted(olga, configured, path):
    read_at = timezone.now()
    key_table.refresh(configured, read_at=read_at)
    wishes.add_wish(key="HeartbeatInterval", value="300", by=olga, station=configured)
    body = signed_in(olga).get(path).json()
    keys = {row.pop("key"): row for row in body.pop("keys")}
    assert body.pop("read_at") == read_at.isoformat().replace("+00:00", "Z")
    assert body == {"station_id": "K-1", "differing": 1}
    assert keys["HeartbeatInterval"] == {
        "value": "60",
        "readonly": False,
        "wanted": "300",
        "wanted_by": f"station:{configured.pk}",
        "state": "differs",
        "cause": "",
    }
    assert keys["NumberOfConnectors"] == {
        "value": "2",
        "readonly": True,
        "wanted": None,
        "wanted_by": None,
        "state": "free",
        "cause": "",
    }
    assert keys["AuthorizationKey"]["value"] == "***"


def test_a_station_that_never_reported_has_only_what_is_wanted(olga, station):
    body = signed_in(olga).get(PATH).json()
    assert (body["read_at"], body["differing"], len(body["keys"])) == (None, 5, 5)
    assert {row["wanted_by"] for row in body["keys"]} == {"kubat"}
    assert {row["state"] for row in body["keys"]} == {"unreported"}


def test_configuration_is_for_staff(station, olga, alice):
    assert signed_in(alice).get(PATH).status_code == 403
    assert signed_in().get(PATH).status_code == 401
    answer = signed_in(olga).get("/ocpp/stations/S-9/configuration")
    assert (answer.status_code, answer.json()["code"]) == (404, "station_not_found")


def test_the_value_of_a_makers_secret_key_is_not_shown(olga, configured):
    command = commands.send(
        station=configured,
        action="ChangeConfiguration",
        payload={"key": "WifiPassword", "value": "hunter2"},
        lane=Command.Lane.ASKED,
    )
    calls.record_answer(command.pk, {"status": "Accepted"})
    answer = signed_in(olga).get(PATH)
    assert "hunter2" not in answer.content.decode()
    keys = {row["key"]: row["value"] for row in answer.json()["keys"]}
    assert keys["WifiPassword"] == "***"
