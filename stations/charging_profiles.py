"""Install and clear charging profiles, and keep what each station is believed to hold.

What staff send by hand counts as well: the state follows from every command that ends (OCPP 1.6
§5.5, §5.16).
"""

import dataclasses
import itertools
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing.errors import Invalid
from billing.models import User

from . import registry
from .models import Command, InstalledProfile, Station
from .smart_charging import Capability, ChargingProfile, Purpose, faults, write_profile

INSTALL, CLEAR = "SetChargingProfile", "ClearChargingProfile"
MAX_NUMBER = 2**31 - 1
State = InstalledProfile.State
GONE = ("Accepted", "Unknown")
"""Answers to ClearChargingProfile after which the station holds no such profile."""


@transaction.atomic
def install(
    *,
    station: Station,
    connector_id: int,
    profile: ChargingProfile,
    by: User,
    reason: str = "",
    running_transaction_id: int | None = None,
) -> Command:
    """Ask a station to hold a profile; its id is chosen here. Raises Invalid, StationOffline.

    One of the same connector, purpose and stack level is replaced, so it keeps its id.
    """
    station = Station.objects.select_for_update(no_key=True).get(pk=station.pk)
    rows = InstalledProfile.objects.filter(station=station)
    profile = dataclasses.replace(profile, id=_choose_id(rows, connector_id, profile))
    held = rows.filter(state__in=(*InstalledProfile.HELD, State.ASKED))
    found = faults(
        profile,
        connector_id,
        Capability.of(station.configuration),
        running_transaction_id=running_transaction_id,
        installed_ids=frozenset(held.values_list("profile_id", flat=True)),
    )
    if found:
        raise Invalid(fields={"profile": found})
    payload = {"connectorId": connector_id, "csChargingProfiles": write_profile(profile)}
    command = registry.ask_station(
        station=station, action=INSTALL, payload=payload, by=by, reason=reason
    )
    if not held.filter(profile_id=profile.id).exists():
        _note(station.pk, payload, State.ASKED)
    return command


def clear(
    *,
    station: Station,
    profile_id: int | None = None,
    connector_id: int | None = None,
    purpose: Purpose | None = None,
    stack_level: int | None = None,
    by: User,
    reason: str = "",
) -> Command:
    """Ask a station to forget profiles: the one with an id, or all that match the rest.

    Raises StationOffline, and Invalid when an id comes with other criteria: it would be ignored
    or not, as the station likes.
    """
    criteria = {
        "id": profile_id,
        "connectorId": connector_id,
        "chargingProfilePurpose": purpose.value if purpose else None,
        "stackLevel": stack_level,
    }
    payload = {name: value for name, value in criteria.items() if value is not None}
    if "id" in payload and len(payload) > 1:
        raise Invalid(fields={"id": ["Name an id, or what the profiles have in common."]})
    return registry.ask_station(
        station=station, action=CLEAR, payload=payload, by=by, reason=reason
    )


def absorb_installing(command: Command) -> None:
    """Learn from a SetChargingProfile that has just ended (OCPP 1.6 §5.16).

    Numbers that no row can hold pass the schema of a call by hand; it is not kept.
    """
    if not _fits(command.payload):
        return
    with transaction.atomic():
        Station.objects.select_for_update(no_key=True).get(pk=command.station_id)
        answer = _answer(command)
        if answer == "Accepted":
            _replace_likes(command)
            _note(command.station_id, command.payload, State.INSTALLED)
        elif _is_open(command):
            _note(command.station_id, command.payload, State.UNKNOWN, answer)
        else:
            _refuse(command, answer)


def absorb_clearing(command: Command) -> None:
    """Learn from a ClearChargingProfile that has just ended (OCPP 1.6 §5.5)."""
    with transaction.atomic():
        Station.objects.select_for_update(no_key=True).get(pk=command.station_id)
        held = _matching(command).filter(state__in=InstalledProfile.HELD)
        answer = _answer(command)
        if answer in GONE:
            _move(held, State.CLEARED, "" if answer == "Accepted" else answer)
        elif _is_open(command):
            _move(held, State.UNKNOWN, answer)


def end_transaction(*, station_pk: int, transaction_id: int | None) -> None:
    """Forget the TxProfiles of a transaction that the station has ended (OCPP 1.6 §3.13.1).

    Only those that name it: a late stop of an older transaction must not end a newer one's.
    """
    if transaction_id is None:
        return
    own = InstalledProfile.objects.filter(
        station_id=station_pk,
        purpose=Purpose.TX.value,
        profile__transactionId=transaction_id,
        state__in=InstalledProfile.HELD,
    )
    _move(own, State.CLEARED, "transaction ended")


def _fits(payload: dict[str, Any]) -> bool:
    profile = payload["csChargingProfiles"]
    numbers = (payload["connectorId"], profile["chargingProfileId"], profile["stackLevel"])
    return all(abs(number) <= MAX_NUMBER for number in numbers)


def _choose_id(
    rows: QuerySet[InstalledProfile], connector_id: int, profile: ChargingProfile
) -> int:
    like = rows.filter(
        connector_id=connector_id,
        purpose=profile.purpose.value,
        stack_level=profile.stack_level,
    )
    known = like.order_by("-changed_at").values_list("profile_id", flat=True).first()
    if known is not None:
        return known
    taken = set(rows.values_list("profile_id", flat=True))
    return next(number for number in itertools.count(1) if number not in taken)


def _note(station_pk: int, payload: dict[str, Any], state: State, cause: str = "") -> None:
    """Write down a profile of a request and its state."""
    profile = payload["csChargingProfiles"]
    InstalledProfile.objects.update_or_create(
        station_id=station_pk,
        profile_id=profile["chargingProfileId"],
        defaults={
            "connector_id": payload["connectorId"],
            "purpose": profile["chargingProfilePurpose"],
            "stack_level": profile["stackLevel"],
            "profile": profile,
            "state": state,
            "cause": cause[:50],
            "changed_at": timezone.now(),
        },
    )


def _refuse(command: Command, answer: str) -> None:
    """A refusal leaves what the station holds under this id as it is."""
    profile_id = command.payload["csChargingProfiles"]["chargingProfileId"]
    rows = InstalledProfile.objects.filter(station_id=command.station_id, profile_id=profile_id)
    if not rows.exists():
        _note(command.station_id, command.payload, State.REFUSED, answer)
    _move(rows.filter(state=State.ASKED), State.REFUSED, answer)


def _replace_likes(command: Command) -> None:
    """The same purpose and stack level at a connector replaces, whatever its id (§5.16)."""
    profile = command.payload["csChargingProfiles"]
    likes = InstalledProfile.objects.filter(
        station_id=command.station_id,
        connector_id=command.payload["connectorId"],
        purpose=profile["chargingProfilePurpose"],
        stack_level=profile["stackLevel"],
        state__in=InstalledProfile.HELD,
    )
    _move(likes.exclude(profile_id=profile["chargingProfileId"]), State.CLEARED, "replaced")


def _matching(command: Command) -> QuerySet[InstalledProfile]:
    """The profiles that a ClearChargingProfile names; an id alone decides when there is one."""
    rows = InstalledProfile.objects.filter(station_id=command.station_id)
    columns = {
        "connectorId": "connector_id",
        "chargingProfilePurpose": "purpose",
        "stackLevel": "stack_level",
    }
    if "id" in command.payload:
        columns = {"id": "profile_id"}
    return rows.filter(
        **{
            column: command.payload[name]
            for name, column in columns.items()
            if name in command.payload
        }
    )


def _move(rows: QuerySet[InstalledProfile], state: State, cause: str) -> None:
    rows.update(state=state, cause=cause[:50], changed_at=timezone.now())


def _answer(command: Command) -> str:
    """The status that the station answered, or the code of what came instead."""
    told = (command.response or {}).get("status") or (command.error or {}).get("code", "")
    return str(told)


def _is_open(command: Command) -> bool:
    """Whether it was sent and nobody knows what the station made of it."""
    is_silent = command.status == Command.Status.TIMED_OUT
    is_unclear = _answer(command) in ("disconnected", "invalid_response")
    return command.sent_at is not None and (is_silent or is_unclear)
