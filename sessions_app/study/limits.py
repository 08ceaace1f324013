"""The study of limits: every session under every policy, and once more with its network cut."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from . import chance
from .case import Outcome, goal_of, play
from .figures import Verdict, judge
from .guarded import Guarded
from .policy import Policy, Reactive, Session

Decider = Callable[[Session, list[float]], Policy]
"""Makes the policy of a session, with the latencies of its station's stops so far."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The outcomes of one study. The same sessions stand in the same order in each."""

    seed: int
    reactive: list[Outcome]
    predictive: list[Outcome]
    cuts: list[Outcome]

    @property
    def verdicts(self) -> list[Verdict]:
        return judge(self.predictive, self.cuts)

    @property
    def is_met(self) -> bool:
        return all(verdict.is_met for verdict in self.verdicts)


def run(sessions: int, seed: int, predictive: Decider = Guarded) -> Findings:
    """Play so many sessions. Each station learns from its sessions, in their order.

    With the network cut nothing is learned: no stop of Kubat's ever reaches the station.
    """
    found = Findings(seed, [], [], [])
    stops_s: dict[int, list[float]] = defaultdict(list)
    for case in chance.cases(sessions, seed):
        goal = goal_of(case)
        own_s = stops_s[case.station]
        found.reactive.append(play(case, goal, Reactive))
        cut = chance.cut(case, goal)
        found.cuts.append(play(cut, goal, _decider(predictive, [*own_s])))
        found.predictive.append(play(case, goal, _decider(predictive, own_s)))
    return found


def _decider(predictive: Decider, stops_s: list[float]) -> Callable[[Session], Policy]:
    return lambda session: predictive(session, stops_s)
