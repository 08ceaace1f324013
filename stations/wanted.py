"""What is wanted of a station's configuration keys, and who wants it.

Kubat's own needs are the least specific wishes: whoever overrides one is warned, and the page of
the station goes on saying so.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from .comparison import is_same, items
from .configuration_keys import name_in, standard
from .models import ConfigurationWish, Station

INTERVAL, SAMPLED = "MeterValueSampleInterval", "MeterValuesSampledData"
ENERGY, POWER, SOC = "Energy.Active.Import.Register", "Power.Active.Import", "SoC"
_WHOLE = re.compile("[0-9]{1,9}")
VITAL = (INTERVAL, SAMPLED)
"""Without these a charge is seen late or not at all; a charge then stops by a worst case."""


@dataclass(frozen=True, slots=True)
class Want:
    """The value that a key shall have. `wish` is None where Kubat needs it and nobody says else.

    `need` is what Kubat needs, where the wish says something else.
    """

    value: str
    wish: ConfigurationWish | None = None
    need: str | None = None

    @property
    def source(self) -> str:
        """The scope of the wish, or Kubat itself."""
        return self.wish.scope if self.wish else "kubat"


def needs(station: Station) -> dict[str, str]:
    """What Kubat needs of a station that it may set up, in the order in which it asks for it."""
    if not (settings.CSMS_PROVISION and station.is_provisioned):
        return {}
    sampled = f"{ENERGY},{POWER}"
    if SOC.casefold() in items(reported(station, SAMPLED)):
        sampled += f",{SOC}"
    return {
        INTERVAL: str(settings.CSMS_METER_INTERVAL_S),
        SAMPLED: sampled,
        "ConnectionTimeOut": str(settings.CSMS_CONNECTION_TIMEOUT_S),
        "StopTransactionOnInvalidId": "true",
        "AllowOfflineTxForUnknownId": "false",
    }


def reported(station: Station, key: str) -> str | None:
    """The value of a key as the station last reported or accepted it."""
    value: str | None = station.configuration.get(key, {}).get("value")
    return value


def wanted(station: Station, wishes: Iterable[ConfigurationWish] | None = None) -> dict[str, Want]:
    """What is wanted of a station, Kubat's needs first; the most specific wish for a key wins.

    `wishes` are those that reach the station, the least specific first; None: they are read.
    """
    needed = needs(station)
    wants = {key: Want(value) for key, value in needed.items()}
    for wish in ConfigurationWish.objects.for_station(station) if wishes is None else wishes:
        key = name_in(station.configuration, wish.key)
        need = needed.get(key)
        is_against = need is not None and not is_same(wish.value, need)
        wants[key] = Want(wish.value, wish, need if is_against else None)
    return wants


def overridden_need(key: str, value: str) -> str | None:
    """What Kubat needs of a key of any station, where this value is something else."""
    need = needs(Station()).get(standard(key))
    return need if need is not None and not is_same(value, need) else None


def unmet(station: Station) -> list[str]:
    """The vital needs that a station has reported not to meet; less often than needed is unmet."""
    needed = needs(station)
    return [key for key in VITAL if key in needed and _is_unmet(station, key, needed[key])]


def _is_unmet(station: Station, key: str, need: str) -> bool:
    value = reported(station, key)
    if value is None:
        return False
    if key == SAMPLED:
        return not items(need) <= items(value)
    return not (_WHOLE.fullmatch(value.strip()) and 0 < int(value) <= int(need))
