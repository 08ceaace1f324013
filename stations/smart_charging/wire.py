"""Profiles as OCPP 1.6 writes them. Reads what passed the schema, and raises ValueError otherwise.

JSON has no decimals: a limit is written as the shortest number that reads as its one decimal
(32, 10.1), and read through its text, so that neither way rounds.
"""

import datetime as dt
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from .profiles import ChargingProfile, Kind, Period, Purpose, Recurrence, Schedule, Unit

TENTH = Decimal("0.1")


def write_profile(profile: ChargingProfile) -> dict[str, Any]:
    """The `csChargingProfiles` of SetChargingProfile (OCPP 1.6 §7.8)."""
    return _present(
        {
            "chargingProfileId": profile.id,
            "transactionId": profile.transaction_id,
            "stackLevel": profile.stack_level,
            "chargingProfilePurpose": profile.purpose.value,
            "chargingProfileKind": profile.kind.value,
            "recurrencyKind": profile.recurrence.value if profile.recurrence else None,
            "validFrom": _write_time(profile.valid_from),
            "validTo": _write_time(profile.valid_to),
            "chargingSchedule": _write_schedule(profile.schedule),
        }
    )


def read_profile(payload: dict[str, Any]) -> ChargingProfile:
    recurrence = payload.get("recurrencyKind")
    return ChargingProfile(
        id=payload["chargingProfileId"],
        transaction_id=payload.get("transactionId"),
        stack_level=payload["stackLevel"],
        purpose=Purpose(payload["chargingProfilePurpose"]),
        kind=Kind(payload["chargingProfileKind"]),
        recurrence=Recurrence(recurrence) if recurrence else None,
        valid_from=_read_time(payload.get("validFrom")),
        valid_to=_read_time(payload.get("validTo")),
        schedule=read_schedule(payload["chargingSchedule"]),
    )


def read_schedule(payload: dict[str, Any]) -> Schedule:
    """A `chargingSchedule`, also of an answer to GetCompositeSchedule (OCPP 1.6 §7.13)."""
    floor = payload.get("minChargingRate")
    return Schedule(
        unit=Unit(payload["chargingRateUnit"]),
        periods=tuple(_read_period(period) for period in payload["chargingSchedulePeriod"]),
        start_at=_read_time(payload.get("startSchedule")),
        duration_s=payload.get("duration"),
        min_rate=None if floor is None else Decimal(str(floor)),
    )


def tx_profile(
    limit_w: Decimal | Schedule, transaction_id: int | None = None, *, profile_id: int = 1
) -> dict[str, Any]:
    """The profile of one charge, as payload: a limit in watt from its start, or a schedule.

    Without a transaction id it may only go along with RemoteStartTransaction, which must not
    name one (OCPP 1.6 §5.11).
    """
    schedule = (
        limit_w
        if isinstance(limit_w, Schedule)
        else Schedule(Unit.WATT, (Period(0, limited(limit_w)),))
    )
    return write_profile(
        ChargingProfile(
            id=profile_id,
            purpose=Purpose.TX,
            kind=Kind.ABSOLUTE if schedule.start_at else Kind.RELATIVE,
            schedule=schedule,
            transaction_id=transaction_id,
        )
    )


def limited(value: Decimal) -> Decimal:
    """Round a limit down to the one decimal that the wire has: never more than was allowed."""
    return value.quantize(TENTH, rounding=ROUND_FLOOR)


def _write_schedule(schedule: Schedule) -> dict[str, Any]:
    return _present(
        {
            "duration": schedule.duration_s,
            "startSchedule": _write_time(schedule.start_at),
            "chargingRateUnit": schedule.unit.value,
            "chargingSchedulePeriod": [_write_period(period) for period in schedule.periods],
            "minChargingRate": None if schedule.min_rate is None else _number(schedule.min_rate),
        }
    )


def _write_period(period: Period) -> dict[str, Any]:
    return _present(
        {
            "startPeriod": period.start_s,
            "limit": _number(period.limit),
            "numberPhases": period.phases,
        }
    )


def _read_period(payload: dict[str, Any]) -> Period:
    limit = Decimal(str(payload["limit"]))
    return Period(payload["startPeriod"], limit, payload.get("numberPhases"))


def _number(value: Decimal) -> int | float:
    if value != limited(value):
        raise ValueError(f"{value} has more than one decimal.")
    return int(value) if value == int(value) else float(value)


def _write_time(moment: dt.datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read_time(text: str | None) -> dt.datetime | None:
    """Read a time; one without a zone is UTC."""
    if text is None:
        return None
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
