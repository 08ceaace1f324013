"""How long and how large a run is."""

from dataclasses import dataclass, field
from pathlib import Path

DAPHNE, UVICORN = "daphne", "uvicorn"
"""What Kubat may serve by."""


@dataclass(frozen=True)
class Sizes:
    """A full run; `QUICK` proves in seconds that everything works, and measures nothing."""

    stations: int = 200
    rounds: int = 7
    warm_s: float = 1.0
    measured_s: float = 4.0
    idle_few: int = 500
    idle_many: int = 2500
    storm: int = 5000
    storm_within_s: float = 240.0
    storms: int = 3
    commands: int = 400
    command_stations: int = 200

    @property
    def known_stations(self) -> int:
        """How many stations every database has."""
        return max(self.stations, self.idle_many, self.storm, self.command_stations)


QUICK = Sizes(
    stations=5,
    rounds=1,
    warm_s=0.1,
    measured_s=0.3,
    idle_few=10,
    idle_many=20,
    storm=20,
    storm_within_s=60.0,
    storms=1,
    commands=5,
    command_stations=5,
)


@dataclass(frozen=True, slots=True)
class Options:
    directory: Path
    sizes: Sizes = field(default_factory=Sizes)
    kinds: tuple[str, ...] = (DAPHNE, UVICORN)
    is_profiled: bool = False
