"""The stories that a simulated station plays, each from power on to the last confirmation.

The first line of each docstring is its help.
"""

from collections.abc import Awaitable, Callable

from ..station import SimulatedStation
from . import charging, disobedience, network, service

Scenario = Callable[[SimulatedStation, str], Awaitable[None]]

THEMES: dict[str, dict[str, Scenario]] = {
    "charges as they should be": {
        "plain": charging.plain,
        "stay": charging.stay,
        "local-start": charging.local_start,
        "cached-tag": charging.cached_tag,
    },
    "network, power and clock": {
        "reply-lost": network.reply_lost,
        "power-failure": network.power_failure,
        "reconnect": network.reconnect,
        "offline": network.offline,
        "offline-many": network.offline_many,
        "state-before-money": network.state_before_money,
        "clock-1970": network.clock_1970,
        "clock-set-by-boot": network.clock_set_by_boot,
        "message-id-restart": network.message_id_restart,
        "crossing-calls": network.crossing_calls,
        "half-open": network.half_open,
        "flood": network.flood,
    },
    "what an operator asks for": {
        "reservation": service.reservation,
        "reservation-taken": service.reservation_taken,
        "firmware": service.firmware,
        "firmware-fails": service.firmware_fails,
        "diagnostics": service.diagnostics,
    },
    "stations that do not obey": {
        "unplugged-cable": disobedience.unplugged_cable,
        "silent": disobedience.silent,
        "refused-start": disobedience.refused_start,
        "ignored-start": disobedience.ignored_start,
        "silent-stop": disobedience.silent_stop,
        "refused-stop": disobedience.refused_stop,
        "ignored-stop": disobedience.ignored_stop,
        "stubborn-stop": disobedience.stubborn_stop,
        "double-stop": disobedience.double_stop,
        "stop-without-start": disobedience.stop_without_start,
    },
}
SCENARIOS = {name: scenario for theme in THEMES.values() for name, scenario in theme.items()}


def help_of(scenario: Scenario) -> str:
    return (scenario.__doc__ or "").splitlines()[0]
