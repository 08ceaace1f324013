"""The study of limits: the targets hold for the product's decisions, and can be missed."""

import re
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from sessions_app.study import chance, report
from sessions_app.study.car import Car
from sessions_app.study.case import goal_of, play
from sessions_app.study.figures import Figures, is_aimed, judge, percentile
from sessions_app.study.guarded import Guarded
from sessions_app.study.limits import run
from sessions_app.study.predictive import Predictive

SESSIONS, SEED = 24, 8


@pytest.fixture(scope="module")
def findings():
    return run(SESSIONS, SEED)


def verdicts(predictive, cuts):
    return [verdict.is_met for verdict in judge(predictive, cuts)]


# --- the targets --------------------------------------------------------------------------------


def test_the_products_decisions_meet_every_target(findings):
    assert [verdict for verdict in findings.verdicts if not verdict.is_met] == []
    assert sum(map(is_aimed, findings.predictive)) >= 10


def test_the_reactive_stop_misses_the_targets(findings):
    assert verdicts(findings.reactive, findings.cuts)[1:] == [False, True, True]


@pytest.mark.parametrize("believed_s", [-30.0, 30.0])
def test_a_stop_that_leaves_too_late_or_too_early_is_found_out(believed_s):
    """A defect in what the product decides shows: here in how long it expects stops to take."""
    played = [
        play(case, goal_of(case), lambda session: Predictive(session, [believed_s] * 9))
        for case in list(chance.cases(18, SEED))[12:]
    ]
    assert [one.case.make.interval_s for one in played] == [60] * 6
    assert False in verdicts(played, [])[:2]


def test_without_the_profile_a_cut_network_is_found_out():
    case = next(chance.cases(1, SEED))
    goal = goal_of(case)
    cut = chance.cut(case, goal)
    assert verdicts([], [play(cut, goal, lambda session: Predictive(session, []))])[3] is False
    assert verdicts([], [play(cut, goal, lambda session: Guarded(session, []))])[3] is True


def test_a_slow_station_is_stopped_earlier_from_its_second_session_on():
    case = next(
        one for one in chance.cases(200, SEED) if one.deal.kind == "energy" and not one.outages
    )
    make = replace(case.make, interval_s=60, latency_s=6.0, jitter=0.0, deaf=0.0)
    steady = Car("steady", make.power_w, 10**6, ((0.0, 1.0), (1.0, 1.0)), ramp_s=0, wobble=0)
    visit = replace(case.visit, car=steady, offers=(), derates=())
    case = replace(case, make=make, visit=visit)
    goal, stops_s = goal_of(case), []
    errors_s = [play(case, goal, lambda on: Predictive(on, stops_s)).error_s for _ in range(3)]
    assert 4 < errors_s[0] < 7
    assert max(abs(error) for error in errors_s[1:]) < 3
    assert stops_s[0] == pytest.approx(6.0, abs=1.5)


def test_where_nothing_was_tried_nothing_is_met():
    assert verdicts([], []) == [False, False, True, False]


def test_one_charge_above_the_hold_misses_the_target(findings):
    one = findings.predictive[0]
    above = replace(one, charged=one.case.deal.bounds.hold_minor + 1)
    assert verdicts([above], findings.cuts)[2] is False


def test_nobody_is_charged_above_the_hold_though_the_stop_is_late(findings):
    late = [one for one in findings.reactive if one.total > one.case.deal.bounds.hold_minor]
    assert late
    assert all(one.charged == one.case.deal.bounds.hold_minor for one in late)


# --- the figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.99, 4), (0.0, 1), (1.0, 4)])
def test_a_percentile_is_one_of_the_values(share, value):
    assert percentile([1, 2, 3, 4], share) == value


def test_one_session_has_figures(findings):
    found = Figures.of(findings.predictive[:1])
    assert found.count == 1
    assert found.median == found.p99


# --- the page -----------------------------------------------------------------------------------


def test_the_page_keeps_what_is_written_around_its_figures(findings, tmp_path):
    (tmp_path / "limits.md").write_text(
        f"# Mine\n{report.BEGIN}\nstale figures\n{report.END}\nand below\n"
    )
    paths = report.write(findings, tmp_path)
    text = (tmp_path / "limits.md").read_text()
    assert text.startswith("# Mine\n")
    assert text.endswith("\nand below\n")
    assert "stale figures" not in text
    assert "| target | found |" in text
    assert [path.name for path in paths] == ["limits.md", "limits-energy.svg", "limits-money.svg"]
    for path in paths[1:]:
        assert f"({path.name})" in text
        assert path.read_text().startswith("<svg ")


def test_each_session_that_its_limit_ends_is_a_point_in_each_panel(findings, tmp_path):
    report.write(findings, tmp_path)
    ended = sum(one.goal.is_limit for one in findings.predictive)
    for name in ("limits-energy.svg", "limits-money.svg"):
        assert len(re.findall("<circle", (tmp_path / name).read_text())) == 2 * ended


# --- the command --------------------------------------------------------------------------------


def test_the_command_tells_the_figures_and_writes_the_page(tmp_path, capsys):
    call_command("simulate", study="limits", sessions=12, seed=SEED, output=tmp_path)
    said = capsys.readouterr().out
    assert f"12 sessions, seed {SEED}." in said
    assert said.count("| met |") == 4
    assert (tmp_path / "limits.md").exists()


def test_the_command_fails_where_a_target_is_missed(monkeypatch):
    monkeypatch.setattr("sessions_app.study.figures.MEDIAN", 0.0)
    with pytest.raises(CommandError, match=r"missed: half of them within 0\.0% of the limit"):
        call_command("simulate", study="limits", sessions=12, seed=SEED)


@pytest.mark.parametrize("argument", ["--study=nothing", "--sessions=0", "--seed=soon"])
def test_arguments_of_a_study_that_make_no_sense_are_refused(argument):
    with pytest.raises(CommandError, match=argument.partition("=")[0]):
        call_command("simulate", argument)


def test_a_directory_that_is_not_there_is_refused_before_anything_is_played(tmp_path):
    with pytest.raises(CommandError, match="is no directory"):
        call_command("simulate", study="limits", sessions=10**9, output=tmp_path / "none")


def test_an_output_without_a_study_is_refused(tmp_path):
    with pytest.raises(CommandError, match="--output is of a --study"):
        call_command("simulate", output=tmp_path)
