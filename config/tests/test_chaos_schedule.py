"""The same seed and options give the same schedule; what is drawn is within its bounds."""

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from config.chaos.schedule import PROGRAM_FAULTS, STATION_FAULTS, TOWN_FAULTS, Options, draw

PROGRAMS = ("serve-1", "serve-2", "worker", "postgres", "redis")
OPTIONS = Options(seed=7, minutes=3, stations=5, programs=PROGRAMS)
KINDS = STATION_FAULTS.keys() | PROGRAM_FAULTS.keys() | TOWN_FAULTS.keys()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), stations=st.integers(1, 9))
def test_the_same_seed_gives_the_same_schedule(seed, stations):
    options = Options(seed=seed, minutes=0.5, stations=stations, programs=PROGRAMS)
    assert list(draw(options).lines()) == list(draw(options).lines())


def test_another_seed_gives_another_schedule():
    other = Options(seed=8, minutes=3, stations=5, programs=PROGRAMS)
    assert draw(OPTIONS).faults != draw(other).faults


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_faults_come_in_order_and_none_while_its_target_is_down(seed):
    options = Options(seed=seed, minutes=2, stations=4, programs=PROGRAMS)
    over_s = {}
    before_s = 0
    for fault in draw(options).faults:
        assert before_s <= fault.at_s < options.lasts_s
        assert fault.at_s >= over_s.get(fault.target, 0)
        assert fault.kind in KINDS
        before_s, over_s[fault.target] = fault.at_s, fault.at_s + fault.lasts_s


def test_every_kind_of_fault_happens_in_an_hour():
    options = Options(seed=1, minutes=60, stations=6, programs=PROGRAMS)
    assert {fault.kind for fault in draw(options).faults} == KINDS


def test_only_programs_that_there_are_break():
    alone = Options(seed=1, minutes=60, stations=2, programs=("serve-1",))
    targets = {fault.target for fault in draw(alone).faults}
    assert targets == {"serve-1", "network", "C-1", "C-2"}


def show(capsys, *options):
    call_command("chaos", "--schedule", "--no-postgres", *options)
    return capsys.readouterr().out


def test_the_command_shows_the_same_schedule_for_the_same_seed(capsys):
    first = show(capsys, "--seed=4", "--minutes=2")
    assert first == show(capsys, "--seed=4", "--minutes=2")
    assert first != show(capsys, "--seed=5", "--minutes=2")
    assert "kill serve-1" in show(capsys, "--seed=4", "--minutes=20")


@pytest.mark.parametrize("options", [("--minutes=0",), ("--stations=0",)])
def test_a_run_of_nothing_is_refused_with_2(options):
    with pytest.raises(CommandError) as refusal:
        call_command("chaos", *options)
    assert refusal.value.returncode == 2
