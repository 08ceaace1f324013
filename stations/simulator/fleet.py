"""Many simulated stations at once, and what became of each."""

import asyncio
from dataclasses import dataclass

from .errors import ScenarioFailed, SimulatorError
from .scenarios import Scenario
from .station import SimulatedStation

CONNECTS_PER_S = 50


@dataclass(frozen=True, slots=True)
class Outcome:
    station: SimulatedStation
    error: SimulatorError | None


async def play(
    stations: list[SimulatedStation], scenario: Scenario, *, id_tag: str, timeout_s: float | None
) -> list[Outcome]:
    """Let each station play the scenario; one that fails leaves the others alone.

    They connect one after another, as stations do that had a common power failure.
    """
    return await asyncio.gather(
        *(
            _play_one(station, scenario, id_tag=id_tag, timeout_s=timeout_s, rank=rank)
            for rank, station in enumerate(stations)
        )
    )


async def _play_one(
    station: SimulatedStation,
    scenario: Scenario,
    *,
    id_tag: str,
    timeout_s: float | None,
    rank: int,
) -> Outcome:
    await asyncio.sleep(rank / CONNECTS_PER_S)
    try:
        async with asyncio.timeout(timeout_s):
            await scenario(station, id_tag)
    except TimeoutError:
        return Outcome(station, ScenarioFailed(f"it was not over after {timeout_s:g} s"))
    except SimulatorError as error:
        return Outcome(station, error)
    return Outcome(station, None)
