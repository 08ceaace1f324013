"""The arguments of `simulate`."""

from decimal import Decimal

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from stations.management.commands.simulate import Command, station_ids
from stations.simulator.quirks import METERS
from stations.simulator.scenarios import SCENARIOS, help_of

OPTIONS = {"station_id": "SIM-1", "count": 1, "memory": None}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["SIM-1"]),
        ({"count": 3, "station_id": "X-{n}-Y"}, ["X-1-Y", "X-2-Y", "X-3-Y"]),
        ({"count": 2, "station_id": "X"}, ["X-1", "X-2"]),
    ],
)
def test_several_stations_are_numbered(changes, names):
    assert station_ids(OPTIONS | changes) == names


def test_one_memory_does_not_do_for_several_stations(tmp_path):
    with pytest.raises(CommandError, match="--memory is for one station"):
        station_ids(OPTIONS | {"count": 2, "memory": tmp_path / "memory.json"})


@pytest.mark.parametrize(
    "argument",
    ["--power-kw=0", "--speed=-1", "--interval=soon", "--energy-kwh=inf", "--count=0", "--tag"],
)
def test_arguments_that_make_no_sense_are_refused_by_name(argument):
    with pytest.raises(CommandError, match=argument.partition("=")[0]):
        call_command("simulate", argument)


def test_help_lists_every_scenario_and_meter(capsys):
    parser = Command().create_parser("manage.py", "simulate")
    parser.print_help()
    said = capsys.readouterr().out
    assert "\nscenarios: stations that do not obey:\n  unplugged-cable " in said
    for name in ("plain", "stay", "local-start", "reply-lost", "power-failure", "meter-stop-zero"):
        assert f"\n  {name} " in said
    assert parser.parse_args([]).speed == Decimal(1)


def test_the_document_lists_every_scenario_and_meter_with_its_help():
    rows = [f"| `{name}` | {help_of(scenario)} |" for name, scenario in SCENARIOS.items()]
    rows += [f"| `{name}` | {meter.help} |" for name, meter in METERS.items()]
    lines = (settings.BASE_DIR / "docs/simulator.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| `")] == rows


def test_a_meter_that_nobody_knows_is_refused():
    with pytest.raises(CommandError, match="--meter"):
        call_command("simulate", "--meter=sundial")
