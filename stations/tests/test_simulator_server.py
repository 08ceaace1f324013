"""Each scenario of the simulator, as a command, against a real server: the bill must be right."""

from decimal import Decimal

import pytest

from stations.tests.house import KEY, House, open_town

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def house(server):
    return House(server)


def finish(process):
    said, complaint = process.communicate(timeout=90)
    assert process.returncode == 0, said + complaint
    assert "went through: 1 charge, " in said
    return said


def test_plain_charges_to_the_limit_of_an_app(house):
    process = house.play("plain", "--speed=6")
    house.wait_for_station()
    house.start_charge(limit_type="energy", limit_value="2")
    finish(process)
    session = house.check_the_only_session()
    assert session["stop_reason"] == "limit"
    energy_kwh, cost = Decimal(session["energy_kwh"]), Decimal(session["cost"])
    assert Decimal("1.75") <= energy_kwh < Decimal("2.25"), "0.1 kWh a second, at 360 kW"
    assert cost == min(Decimal(25), energy_kwh * Decimal("12.50")).quantize(cost)


def test_local_start_charges_the_owner_of_the_card_until_the_car_is_full(house):
    finish(house.play("local-start", f"--tag={house.card}", "--energy-kwh=2"))
    session = house.check_the_only_session(energy_kwh="2.000")
    assert session["cost"] == "25.00"


def test_reply_lost_charges_once(house):
    said = finish(house.play("reply-lost", f"--tag={house.card}", "--energy-kwh=2"))
    assert "lost the reply to StartTransaction" in said
    assert "lost the reply to StopTransaction" in said
    session = house.check_the_only_session(energy_kwh="2.000")
    assert session["cost"] == "25.00"


def test_power_failure_with_a_card_is_billed_from_what_was_queued(house):
    said = finish(house.play("power-failure", f"--tag={house.card}"))
    assert "the power fails" in said
    assert house.check_the_only_session()["stop_reason"] == "PowerLoss"


def test_power_failure_after_a_remote_start_is_billed_once(house):
    process = house.play("power-failure")
    house.wait_for_station()
    house.start_charge(limit_type="full")
    finish(process)
    assert house.check_the_only_session()["stop_reason"] == "PowerLoss"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--scenario=plain", "--key=wrong-key"), "401: the key is wrong"),
        (("--scenario=plain", "--station-id=S-unknown"), "404: the station is not registered"),
        (("--scenario=local-start",), "needs a tag"),
        (("--scenario=local-start", "--tag=NOBODY"), "the tag NOBODY is Invalid"),
    ],
)
def test_refusals_are_one_line_and_exit_1(house, arguments, text):
    process = house.play("plain", *arguments)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert complaint.count("\n") == 1, complaint
    assert text in complaint


def test_a_fleet_starts_side_by_side(house):
    for number in (1, 2, 3):
        body = {"station_id": f"F-{number}", "connectors": 1, "key": KEY}
        house.post(house.staff, "/ocpp/stations", body)
    house.post(house.staff, "/ocpp/id_tags", {"id_tag": "OPERATOR"})
    process = house.simulate(
        *("--count=3", "--station-id=F-{n}", f"--key={KEY}", "--energy-kwh=1"),
        *("--scenario=local-start", "--tag=OPERATOR"),
    )
    said, complaint = process.communicate(timeout=90)
    assert process.returncode == 0, complaint
    assert "went through: 3 charges, 3.000 kWh" in said
    for number in (1, 2, 3):
        path = f"/ocpp/sessions?station_id=F-{number}"
        (session,) = house.get(house.staff, path)["results"]
        assert (session["energy_kwh"], session["cost"]) == ("1.000", "0.00")
