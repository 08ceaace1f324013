"""The world of the study is right: energy, clock, registers, and nothing left to chance."""

import dataclasses
import datetime as dt
import random
from decimal import Decimal

import pytest

from sessions_app.study import chance
from sessions_app.study.agenda import Agenda
from sessions_app.study.car import Car, Flow, Visit
from sessions_app.study.case import goal_of, play
from sessions_app.study.catalogue import AC_CARS, CCCV, DC_CARS
from sessions_app.study.limits import run
from sessions_app.study.network import Network, Route
from sessions_app.study.policy import Reactive
from sessions_app.study.station import Make, Register, Station
from sessions_app.study.truth import EPOCH, Truth

STEADY = Car("steady", 120_000, 100_000, ((0.0, 1.0), (1.0, 1.0)), ramp_s=0, wobble=0)
MAKE = Make(
    power_w=120_000,
    interval_s=60,
    register=Register("whole Wh", Decimal(1)),
    refresh_s=0,
    has_power=True,
    power_told=1.0,
    power_step_w=1,
    stamp_s=0.001,
    clock_off_s=0,
    latency_s=1.0,
    jitter=0,
    deaf=0,
    trigger="fresh",
    obeys_profiles=True,
    profile_lag_s=0,
)


def visit(car=STEADY, **changes):
    return Visit(**{"car": car, "soc": 0.1, "station_w": 120_000, "wobbles": (0.0,)} | changes)


def station(agenda, flow=None, **changes):
    told, ended = [], []
    made = Station(
        dataclasses.replace(MAKE, **changes),
        flow or Flow(visit()),
        agenda,
        chance=random.Random(1),
        start_wh=1000.0,
        tell=told.append,
        ended=ended.append,
    )
    return made, told, ended


def network(agenda, outages=(), lost=0.0):
    route = Route("cable", 0.1, tail=0, lost=lost)
    return Network(agenda, route, tuple(outages), random.Random(1))


# --- the clock ----------------------------------------------------------------------------------


def test_deeds_are_done_in_the_order_of_their_moments_and_of_their_making():
    agenda, done = Agenda(), []
    for name, moment_s in (("late", 9), ("first", 5), ("second", 5)):
        agenda.at(moment_s, lambda name=name: done.append((agenda.now_s, name)))
    agenda.run(8)
    assert done == [(5, "first"), (5, "second")]
    assert agenda.now_s == 8


def test_what_is_due_in_the_past_is_done_now_and_time_never_runs_back():
    agenda, done = Agenda(), []
    agenda.at(10, lambda: agenda.at(3, lambda: done.append(agenda.now_s)))
    agenda.run(20)
    assert done == [10]


def test_a_study_lets_no_time_pass(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("it waits"))
    run(3, seed=1)


# --- the car ------------------------------------------------------------------------------------


def test_steady_power_is_energy_by_time():
    flow = Flow(visit())
    flow.advance(300)
    assert flow.energy_wh == pytest.approx(10_000)


@pytest.mark.parametrize("car", [*AC_CARS, *DC_CARS], ids=lambda car: car.name)
def test_what_flows_is_what_the_battery_has_and_never_more_than_fits(car):
    flow = Flow(visit(car, soc=0.5, station_w=400_000, wobbles=(0.0, 0.01)))
    flow.advance(6 * 3600)
    assert flow.energy_wh <= car.battery_wh * 0.5 * 1.001
    assert flow.soc > 0.98
    powers = [
        (high - low) * 3600 / (end - begin)
        for (begin, low), (end, high) in zip(flow.knots, flow.knots[1:], strict=False)
    ]
    assert all(0 <= power <= car.max_w * 1.001 for power in powers)


def test_how_finely_a_flow_is_looked_at_changes_nothing_that_counts():
    car = dataclasses.replace(STEADY, curve=CCCV, ramp_s=10)
    coarse, fine = Flow(visit(car)), Flow(visit(car))
    coarse.advance(1800)
    for second in range(1, 1801):
        fine.advance(second)
    assert fine.energy_wh == pytest.approx(coarse.energy_wh, rel=2e-3)


def test_a_second_car_takes_its_part_at_once():
    flow = Flow(visit(offers=((100.0, 0.5), (200.0, 1.0))))
    flow.advance(100.5)
    assert flow.power_w() == pytest.approx(60_000)
    flow.advance(200.5)
    assert flow.power_w() == pytest.approx(120_000)
    assert Truth(flow.knots).energy_wh(200) == pytest.approx((120 + 60) * 100 / 3.6)


def test_constant_voltage_falls_with_the_state_of_charge():
    car = dataclasses.replace(STEADY, curve=CCCV)
    assert [round(car.share(soc), 2) for soc in (0, 0.8, 0.9, 1.0)] == [1.0, 1.0, 0.54, 0.0]


def test_a_closed_contactor_lets_nothing_through():
    flow = Flow(visit())
    flow.advance(10)
    flow.close()
    before_wh = flow.energy_wh
    flow.advance(100)
    assert flow.energy_wh == before_wh


# --- the station --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "energy_wh", "shown"),
    [("1", 1999.99, 1999), ("10", 1999.99, 1990), ("100", 1999.99, 1900), ("0.1", 12.34, "12.3")],
)
def test_a_register_shows_whole_steps_and_never_more(step, energy_wh, shown):
    assert Register("", Decimal(step)).shown_wh(energy_wh) == Decimal(shown)


def test_samples_come_by_themselves_in_their_interval():
    agenda = Agenda()
    _, told, _ = station(agenda)
    agenda.run(185)
    seconds = [(sample.stamped_at - EPOCH).total_seconds() for sample in told]
    assert seconds == [60, 120, 180]
    assert [int(sample.register_wh) for sample in told] == [3000, 5000, 7000]
    assert all(sample.power_w == 120_000 for sample in told)


def test_a_stop_ends_delivery_after_the_latency_of_the_station():
    agenda = Agenda()
    made, _, ended = station(agenda, latency_s=4.0)
    agenda.at(30, made.stop)
    agenda.at(31, made.stop)
    agenda.run(100)
    assert made.stopped_s == pytest.approx(34)
    assert len(ended) == 1
    assert made.flow.energy_wh == pytest.approx(34 * 120 / 3.6, rel=1e-6)


def test_a_deaf_station_goes_on():
    agenda = Agenda()
    made, _, ended = station(agenda, deaf=1.0)
    agenda.at(30, made.stop)
    agenda.run(100)
    assert not made.is_over
    assert ended == []


@pytest.mark.parametrize(("trigger", "count"), [("fresh", 2), ("cached", 2), ("none", 1)])
def test_a_station_answers_when_it_is_asked_for_a_sample_or_does_not(trigger, count):
    agenda = Agenda()
    made, told, _ = station(agenda, trigger=trigger)
    agenda.at(90, made.trigger)
    agenda.run(100)
    assert len(told) == count
    assert len({sample.register_wh for sample in told}) == (2 if trigger == "fresh" else 1)


def test_a_profile_limits_and_its_zero_ends_delivery_without_the_network():
    agenda = Agenda()
    made, _, _ = station(agenda)
    made.limit(((0.0, 60_000.0), (100.0, 0.0)))
    agenda.run(300)
    made.flow.advance(300)
    assert made.flow.energy_wh == pytest.approx(60 * 100 / 3.6)
    assert not made.is_over


def test_a_station_without_smart_charging_obeys_no_profile():
    agenda = Agenda()
    made, _, _ = station(agenda, obeys_profiles=False)
    made.limit(((0.0, 0.0),))
    agenda.run(60)
    assert made.flow.energy_wh == pytest.approx(2000)


def test_a_clock_that_is_off_stamps_in_its_own_time_and_its_own_grain():
    made, _, _ = station(Agenda(), clock_off_s=-3600.4, stamp_s=1.0)
    assert made.stamp(10.9) == EPOCH - dt.timedelta(seconds=3590)


# --- the network --------------------------------------------------------------------------------


def test_messages_arrive_in_order():
    agenda, heard = Agenda(), []
    road = network(agenda)
    for number in range(50):
        agenda.at(number * 0.01, lambda number=number: road.up(lambda: heard.append(number)))
    agenda.run(60)
    assert heard == list(range(50))


def test_what_a_station_says_in_an_outage_is_told_after_it_and_what_it_is_told_is_lost():
    agenda, heard = Agenda(), []
    road = network(agenda, outages=[(10, 30)])
    agenda.at(15, lambda: road.up(lambda: heard.append(("up", agenda.now_s))))
    agenda.at(15, lambda: heard.append(road.down(lambda: heard.append("down"))))
    agenda.run(60)
    assert heard[0] is False
    assert heard[1][0] == "up"
    assert 32 < heard[1][1] < 33
    assert len(heard) == 2


def test_a_network_that_is_cut_for_good_tells_nothing_more():
    agenda, heard = Agenda(), []
    road = network(agenda, outages=[(10, float("inf"))])
    agenda.at(11, lambda: road.up(lambda: heard.append("up")))
    agenda.run(1e6)
    assert heard == []


# --- chance -------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_study_and_another_gives_another():
    one, same, other = run(8, seed=5), run(8, seed=5), run(8, seed=6)
    assert one.predictive == same.predictive
    assert one.cuts == same.cuts
    assert one.predictive != other.predictive


def test_a_longer_study_begins_with_the_sessions_of_a_shorter_one():
    assert list(chance.cases(20, 3))[:7] == list(chance.cases(7, 3))


def test_the_sessions_are_of_all_powers_intervals_registers_and_kinds():
    drawn = list(chance.cases(600, 1))
    assert {3_600, 350_000} <= {case.make.power_w for case in drawn}
    assert {5, 300} <= {case.make.interval_s for case in drawn}
    assert {1, 10, 100} <= {case.make.register.step_wh for case in drawn}
    assert {case.make.has_power for case in drawn} == {True, False}
    assert len({case.deal.kind for case in drawn}) == 5
    for case in (drawn[0], drawn[300], drawn[599]):
        assert case.deal.bounds.hold_minor > 0


# --- what is known of other systems -------------------------------------------------------------


def test_the_reactive_stop_gives_away_up_to_2_kwh_at_60_s_and_120_kw():
    errors_wh = []
    for turn in range(12):
        case = next(chance.cases(1, 1))
        energy_wh = 20_000 + turn * 2000 // 12
        bounds = dataclasses.replace(case.deal.bounds, energy_wh=energy_wh, hold_minor=10**6)
        case = dataclasses.replace(
            case,
            make=dataclasses.replace(MAKE, latency_s=0.1),
            visit=visit(),
            deal=type(case.deal).of("energy", case.deal.terms, bounds),
            full_s=600.0,
            offset_s=0.0,
            start_wh=0.0,
            outages=(),
        )
        errors_wh.append(play(case, goal_of(case), Reactive).error_wh)
    assert min(errors_wh) >= 0
    assert 1_700 < max(errors_wh) < 2_050


def test_the_goal_is_where_the_limit_is_reached():
    case = next(chance.cases(1, 1))
    goal = goal_of(case)
    truth = Flow(case.visit)
    truth.advance(goal.at_s)
    assert truth.energy_wh == pytest.approx(goal.energy_wh, rel=1e-3)
