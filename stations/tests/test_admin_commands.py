"""Presets of commands: each asks for what it needs, and warns where a charge would suffer."""

import json

import pytest

from billing.tests.back_office import errors_of, press, told
from sessions_app.models import ChargingSession
from sessions_app.tests.stage import Stage
from stations.gateway.schemas import CALLS, DEFAULT, check_request
from stations.gateway.templates import choices, template
from stations.models import Command, Station
from stations.tests.cast import go_online
from stations.tests.pages import STATIONS, button


@pytest.fixture
def charging(station, alice):
    """A charge of alice's at connector 1, with nothing queued."""
    session = Stage(station).charge(alice)
    assert not Command.objects.filter(status__in=Command.OPEN).exists()
    return session


def asked():
    """The call that is queued, as it will go out."""
    command = Command.objects.get(status="queued")
    return command.action, command.payload


@pytest.mark.parametrize(
    ("name", "values", "action", "payload"),
    [
        (
            "set_availability",
            {"connector_id": "0", "type": "Inoperative"},
            "ChangeAvailability",
            {"connectorId": 0, "type": "Inoperative"},
        ),
        (
            "set_availability",
            {"connector_id": "2", "type": "Operative"},
            "ChangeAvailability",
            {"connectorId": 2, "type": "Operative"},
        ),
        ("clear_cache", {}, "ClearCache", {}),
        (
            "trigger",
            {"message": "MeterValues", "connector_id": "1"},
            "TriggerMessage",
            {"requestedMessage": "MeterValues", "connectorId": 1},
        ),
        (
            "trigger",
            {"message": "Heartbeat", "connector_id": "0"},
            "TriggerMessage",
            {"requestedMessage": "Heartbeat"},
        ),
        (
            "trigger_extended",
            {"message": "LogStatusNotification", "connector_id": "0"},
            "ExtendedTriggerMessage",
            {"requestedMessage": "LogStatusNotification"},
        ),
        ("transfer_data", {"vendor_id": "org.x"}, "DataTransfer", {"vendorId": "org.x"}),
        (
            "transfer_data",
            {"vendor_id": "org.x", "message_id": "m", "text": "{}"},
            "DataTransfer",
            {"vendorId": "org.x", "messageId": "m", "data": "{}"},
        ),
        ("stop", {"transaction_id": "-1"}, "RemoteStopTransaction", {"transactionId": -1}),
    ],
)
def test_a_preset_sends_its_call(olgas, olga, online, name, values, action, payload):
    assert errors_of(press(olgas, button(online, name), **values)).keys() == {"reason"}
    assert not Command.objects.exists()
    press(olgas, button(online, name), reason="as agreed", **values)
    assert asked() == (action, payload)
    check_request(DEFAULT, action, payload)
    command = Command.objects.get()
    assert (command.requested_by, command.reason) == (olga, "as agreed")
    assert (command.lane, command.fence) == (Command.Lane.ASKED, online.fence)


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("set_availability", {"connector_id": "9", "type": "Operative"}, "connector_id"),
        ("set_availability", {"connector_id": "1", "type": "Broken"}, "type"),
        ("trigger", {"message": "LogStatusNotification", "connector_id": "0"}, "message"),
        ("trigger_extended", {"message": "Authorize", "connector_id": "0"}, "message"),
        ("transfer_data", {"vendor_id": ""}, "vendor_id"),
        ("transfer_data", {"vendor_id": "x" * 256}, "vendor_id"),
        ("transfer_data", {"vendor_id": "x", "message_id": "x" * 51}, "message_id"),
        ("stop", {}, "session"),
        ("stop", {"transaction_id": "x"}, "transaction_id"),
        ("stop", {"transaction_id": str(2**31)}, "transaction_id"),
        ("stop", {"session": "00000000-0000-0000-0000-000000000000"}, "session"),
    ],
)
def test_what_a_preset_cannot_send_is_shown_again(olgas, online, name, values, field):
    answer = press(olgas, button(online, name), reason="?", **values)
    assert field in errors_of(answer)
    assert not Command.objects.exists()


@pytest.mark.parametrize("name", ["clear_cache", "set_availability", "trigger", "transfer_data"])
def test_a_station_that_is_away_gets_no_call(olgas, station, name):
    values = {"connector_id": "0", "type": "Operative", "message": "Heartbeat", "vendor_id": "x"}
    answer = press(olgas, button(station, name), reason="?", **values)
    assert "This station is not connected." in answer.text
    assert not Command.objects.exists()


def test_the_caches_of_many_stations_are_cleared_together(olgas, online):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    selection = {"action": "clear_cache", "_selected_action": [online.pk, other.pk]}
    page = olgas.post(STATIONS, selection).context["form"]["page"].value()
    values = {"_submit": "1", "page": page, "reason": "cards changed"}
    answer = olgas.post(STATIONS, selection | values, follow=True)
    assert asked() == ("ClearCache", {})
    assert "K-2: This station is not connected." in told(answer)


# --- While a charge is running --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "values"), [("reset", {"type": "Hard"}), ("unlock", {"connector_id": "1"})]
)
def test_a_running_charge_is_interrupted_only_on_purpose(olgas, charging, name, values):
    address = button(charging.station, name)
    assert str(charging.pk) in olgas.get(address).text
    answer = press(olgas, address, reason="it hangs", **values)
    assert "say that it may be interrupted" in answer.text
    assert not Command.objects.filter(status="queued").exists()
    press(olgas, address, reason="it hangs", even_so="on", **values)
    assert asked()[0] == {"reset": "Reset", "unlock": "UnlockConnector"}[name]


def test_another_connector_is_unlocked_without_more_ado(olgas, charging):
    press(olgas, button(charging.station, "unlock"), reason="stuck", connector_id="2")
    assert asked() == ("UnlockConnector", {"connectorId": 2})


@pytest.mark.parametrize("by", ["session", "transaction_id"])
def test_a_charge_of_ours_ends_as_a_session_does(olgas, olga, charging, by):
    value = {"session": charging.pk, "transaction_id": charging.transaction_id}[by]
    answer = press(olgas, button(charging.station, "stop"), reason="hotline", **{by: value})
    charging.refresh_from_db()
    assert (charging.status, charging.stop_requested_by) == ("stopping", "staff")
    command = Command.objects.get(status="queued")
    assert command.payload == {"transactionId": charging.transaction_id}
    assert (command.lane, command.reference) == (Command.Lane.STOP, charging.reference)
    assert str(charging.pk) in answer.text


def test_a_charge_is_chosen_by_where_and_whose_it_is(olgas, alice, charging):
    text = olgas.get(button(charging.station, "stop")).text
    assert f"1: {alice} ·" in text
    assert "0.000 kWh" in text


def test_a_charge_is_stopped_by_one_of_both_names(olgas, charging):
    values = {"session": charging.pk, "transaction_id": "4711", "reason": "?"}
    answer = press(olgas, button(charging.station, "stop"), **values)
    assert errors_of(answer).keys() == {"session"}


def test_only_the_charges_of_the_station_can_be_chosen(olgas, charging):
    other = Station.objects.create(station_id="K-2", identity="k-2")
    go_online(other)
    answer = press(olgas, button(other, "stop"), session=charging.pk, reason="?")
    assert errors_of(answer).keys() == {"session"}
    press(olgas, button(other, "stop"), transaction_id=charging.transaction_id, reason="?")
    command = Command.objects.get(status="queued")
    assert (command.station, command.reference) == (other, "")
    assert ChargingSession.objects.get().status == "charging"


# --- Any call -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", sorted(CALLS[DEFAULT]))
def test_the_template_of_a_call_keeps_its_schema(action):
    check_request(DEFAULT, action, template(action))


def test_a_template_holds_what_is_required_and_nothing_else():
    assert template("ClearCache") == template("GetConfiguration") == {}
    assert template("ChangeConfiguration") == {"key": "", "value": ""}
    assert template("ChangeAvailability") == {"connectorId": 0, "type": "Inoperative"}
    assert template("GetLog") == {
        "log": {"remoteLocation": ""},
        "logType": "DiagnosticsLog",
        "requestId": 0,
    }
    profile = template("SetChargingProfile")["csChargingProfiles"]
    assert profile["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 0}]


def test_the_choices_of_a_field_are_those_of_the_schema():
    assert choices("Reset", "type") == ["Hard", "Soft"]
    assert "SignChargePointCertificate" in choices("ExtendedTriggerMessage", "requestedMessage")


def test_the_form_of_any_call_offers_every_call_and_what_it_needs(olgas, online):
    answer = olgas.get(button(online, "send"))
    form = answer.context["form"]
    assert {name for name, _ in form.fields["action"].choices} == CALLS[DEFAULT]
    templates = json.loads(form.fields["action"].widget.attrs["data-templates"])
    assert json.loads(templates["Reset"]) == {"type": "Hard"}
    assert templates.keys() == CALLS[DEFAULT]
    assert "send_call.js" in answer.text
    assert "UnlockConnector {&quot;connectorId&quot;: 0}" in answer.text
