"""Composite schedules: what a station tells of them, and what we would make of its profiles."""

from decimal import Decimal

from django.utils import timezone

from .models import Command, CompositeSchedule, InstalledProfile
from .smart_charging import Installed, Limit, Unit, compose, read_profile, read_schedule

ASK = "GetCompositeSchedule"
MAX_DURATION_S = 2**31 - 1


def absorb(command: Command) -> None:
    """Keep the answer to a GetCompositeSchedule, whoever asked (OCPP 1.6 §5.7)."""
    answer = command.response or {}
    told = answer.get("chargingSchedule")
    if answer.get("status") != "Accepted" or not told:
        return
    begins = answer.get("scheduleStart") or told.get("startSchedule")
    schedule = read_schedule(told | {"startSchedule": begins})
    asked_s = command.payload["duration"]
    CompositeSchedule.objects.update_or_create(
        station_id=command.station_id,
        connector_id=command.payload["connectorId"],
        defaults={
            "start_at": schedule.start_at or command.sent_at or timezone.now(),
            "duration_s": min(max(schedule.duration_s or asked_s, 0), MAX_DURATION_S),
            "unit": schedule.unit.value,
            "periods": told["chargingSchedulePeriod"],
            "received_at": timezone.now(),
        },
    )


def told_limits(row: CompositeSchedule) -> tuple[Limit, ...]:
    """The limits that the station told, in the order of their beginning."""
    limits = (
        Limit(
            period["startPeriod"],
            Decimal(str(period["limit"])),
            period.get("numberPhases"),
        )
        for period in row.periods
    )
    return tuple(sorted(limits, key=lambda limit: limit.start_s))


def own_limits(row: CompositeSchedule) -> tuple[Limit, ...]:
    """What the profiles that we believe the station holds add up to over the same time."""
    held = InstalledProfile.objects.filter(
        station_id=row.station_id, state__in=InstalledProfile.HELD
    )
    return compose(
        [Installed(read_profile(item.profile), item.connector_id) for item in held],
        connector_id=row.connector_id,
        start_at=row.start_at,
        duration_s=row.duration_s,
        unit=Unit(row.unit),
    )


def agree(told: tuple[Limit, ...], own: tuple[Limit, ...]) -> bool:
    """Whether two schedules say the same; where ours sets no limit, the station's own may hold."""
    seconds = {limit.start_s for limit in (*told, *own)}
    return all(
        mine is None or mine == theirs
        for mine, theirs in ((_at(own, second), _at(told, second)) for second in seconds)
    )


def _at(limits: tuple[Limit, ...], second: int) -> Decimal | None:
    begun = [limit.limit for limit in limits if limit.start_s <= second]
    return begun[-1] if begun else None
