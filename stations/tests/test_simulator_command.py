"""The arguments of `simulate`."""

from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from stations.management.commands.simulate import Command, station_ids

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


def test_help_lists_every_scenario(capsys):
    parser = Command().create_parser("manage.py", "simulate")
    parser.print_help()
    said = capsys.readouterr().out
    for name in ("plain", "stay", "local-start", "reply-lost", "power-failure"):
        assert f"\n  {name} " in said
    assert parser.parse_args([]).speed == Decimal(1)
