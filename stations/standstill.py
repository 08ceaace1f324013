"""The charging profile by which a running charge may draw nothing (OCPP 1.6 §3.13, §5.16)."""

from decimal import Decimal
from itertools import count
from typing import Any

from .charging_profiles import INSTALL as ACTION
from .models import InstalledProfile, Station
from .smart_charging import (
    Capability,
    ChargingProfile,
    Kind,
    Period,
    Purpose,
    Schedule,
    Unit,
    write_profile,
)

__all__ = ["ACTION", "is_possible", "request"]


def is_possible(station: Station) -> bool:
    """Whether a station may obey one: it has not told that it knows no Smart Charging."""
    return Capability.of(station.configuration).is_supported is not False


def request(station: Station, *, connector_id: int, transaction_id: int) -> dict[str, Any]:
    """The SetChargingProfile that leaves a transaction nothing, from its start and for good.

    It takes the place of the highest TxProfile that the station holds for the connector, so that
    nothing prevails over it and a station that holds few profiles has room. It needs no clock.
    """
    level, profile_id = _place(station, connector_id)
    profile = ChargingProfile(
        id=profile_id,
        purpose=Purpose.TX,
        kind=Kind.RELATIVE,
        stack_level=level,
        transaction_id=transaction_id,
        schedule=Schedule(_unit(station), (Period(0, Decimal(0)),)),
    )
    return {"connectorId": connector_id, "csChargingProfiles": write_profile(profile)}


def _place(station: Station, connector_id: int) -> tuple[int, int]:
    """The stack level and the id that it gets."""
    known = InstalledProfile.objects.filter(station=station)
    held = known.filter(
        connector_id=connector_id, purpose=Purpose.TX.value, state__in=InstalledProfile.HELD
    )
    highest = held.order_by("-stack_level", "-changed_at").first()
    if highest is not None:
        return highest.stack_level, highest.profile_id
    taken = set(known.values_list("profile_id", flat=True))
    return 0, next(number for number in count(1) if number not in taken)


def _unit(station: Station) -> Unit:
    """Watt unless the station takes only ampere: nothing is nothing in either."""
    units = Capability.of(station.configuration).units
    return Unit.WATT if units is None or Unit.WATT in units else Unit.AMPERE
