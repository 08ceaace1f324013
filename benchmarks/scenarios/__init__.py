"""What is measured, one module a scenario; each yields figures."""

from collections.abc import Awaitable, Callable

from ..figures import Findings
from ..stage import Stage
from . import commands, heartbeats, idle, sessions, storm, validated

Scenario = Callable[[Stage], Awaitable[Findings]]

SCENARIOS: dict[str, Scenario] = {
    "validated": validated.run,
    "heartbeats": heartbeats.run,
    "sessions": sessions.run,
    "idle": idle.run,
    "storm": storm.run,
    "commands": commands.run,
}
