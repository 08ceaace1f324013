"""What a run finds: figures with their spread, targets, and what exactly was measured."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be at most."""

    target: float
    stretch: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: the values of its rounds and how they came about; `missing` says why there are none.

    `goal` is what the project set itself, where it did.
    """

    name: str
    unit: str
    values: Sequence[float] = ()
    how: str = ""
    goal: Goal | None = None
    missing: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


@dataclass
class Findings:
    """The figures of a scenario, and the CPU time a message of each thing that was loaded."""

    figures: list[Figure] = field(default_factory=list)
    costs: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: "Findings") -> None:
        self.figures += other.figures
        self.costs += other.costs
        self.notes += other.notes
