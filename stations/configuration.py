"""Set up a station, and learn from its answers how it is configured (design section 5).

The set-up is a chain of commands in lane OWN, each queued by the end of the one before it. What
a station refuses is kept and shown; it still charges.

`Station.configuration` maps a key to {"value", "readonly", "wanted", "refused"}: what it last
reported or accepted, whether it can be changed, what we asked for, and why that was refused.
"""

from typing import Any

from django.conf import settings
from django.db import transaction

from . import commands, keys
from .frames import MASK, SECRET_KEYS, mask
from .models import Command, Station

REFERENCE = "setup"
STEP_TIMEOUT_S = 3
READ, CHANGE = "GetConfiguration", "ChangeConfiguration"
TAKEN = ("Accepted", "RebootRequired")
ENERGY, POWER, SOC = "Energy.Active.Import.Register", "Power.Active.Import", "SoC"
NO_SUCH_CALL = frozenset({"NotImplemented", "NotSupported"})
INVALID_RESPONSE = "invalid_response"
UNKNOWN_OUTCOME = frozenset({"disconnected", INVALID_RESPONSE})
"""Ends of a command that leave open whether the station has obeyed."""


def wanted(station: Station) -> dict[str, str]:
    """What Kubat needs of a station, in the order in which it is asked for."""
    sampled = f"{ENERGY},{POWER}"
    if SOC in _items(_value(station, "MeterValuesSampledData")):
        sampled += f",{SOC}"
    return {
        "MeterValueSampleInterval": str(settings.CSMS_METER_INTERVAL_S),
        "MeterValuesSampledData": sampled,
        "ConnectionTimeOut": str(settings.CSMS_CONNECTION_TIMEOUT_S),
        "StopTransactionOnInvalidId": "true",
        "AllowOfflineTxForUnknownId": "false",
    }


def begin(station: Station) -> None:
    """Begin the set-up after an accepted Boot, the first time or when it was cut off."""
    last = _last_step(station)
    if last is None or _is_cut_off(last):
        _read(station)


@transaction.atomic
def go_on(station_pk: int) -> None:
    """Go on with a set-up that was cut off, if there is one; asked when a station is back."""
    station = Station.objects.select_for_update(no_key=True).get(pk=station_pk)
    last = _last_step(station)
    if last is not None and _is_cut_off(last):
        _read(station)


def prepare(command: Command) -> None:
    """Before a command goes out: a new key is good from the moment that it may arrive."""
    key = _new_key(command)
    if key is not None:
        Station.objects.filter(pk=command.station_id).update(pending_key_digest=keys.digest(key))


def absorb(command: Command) -> None:
    """Learn from a command that has just ended, in the transaction that ends it.

    Stores what the station reported or accepted, settles its key, and queues the next step of
    the set-up.
    """
    with transaction.atomic():
        station = Station.objects.select_for_update(no_key=True).get(pk=command.station_id)
        if command.action == READ:
            _absorb_report(station, command)
        else:
            _settle_key(station, command)
            _absorb_change(station, command)
        station.save(update_fields=["configuration", "key_digest", "pending_key_digest"])
        if command.reference == REFERENCE and not _is_cut_off(command):
            _next_step(station, command)


def _read(station: Station) -> None:
    if settings.CSMS_PROVISION and station.is_provisioned and not _is_running(station):
        for entry in station.configuration.values():
            entry.pop("wanted", None)
            entry.pop("refused", None)
        station.save(update_fields=["configuration"])
        _send(station, READ, {})


def _next_step(station: Station, last: Command) -> None:
    """Ask for the first key that differs and has not been asked for in this run."""
    if not (settings.CSMS_PROVISION and station.is_provisioned):
        return
    if last.action == CHANGE and _error_code(last) in NO_SUCH_CALL:
        return
    for key, value in wanted(station).items():
        entry = station.configuration.setdefault(key, {})
        if "wanted" in entry:
            continue
        entry["wanted"] = value
        if _is_same(key, entry.get("value"), value):
            continue
        if entry.get("readonly"):
            entry["refused"] = "readonly"
            continue
        station.save(update_fields=["configuration"])
        _send(station, CHANGE, {"key": key, "value": value})
        return
    station.save(update_fields=["configuration"])


def _send(station: Station, action: str, payload: dict[str, Any]) -> None:
    commands.send(
        station=station,
        action=action,
        payload=payload,
        lane=Command.Lane.OWN,
        reference=REFERENCE,
        timeout_s=STEP_TIMEOUT_S,
        is_bound=True,
    )


def _steps(station: Station) -> Any:
    return Command.objects.filter(station=station, reference=REFERENCE)


def _last_step(station: Station) -> Command | None:
    step: Command | None = _steps(station).order_by("-created_at").first()
    return step


def _is_running(station: Station) -> bool:
    return bool(_steps(station).filter(status__in=Command.OPEN).exists())


def _is_cut_off(step: Command) -> bool:
    """Whether the socket closed before this step was answered."""
    return _error_code(step) == "disconnected"


def _error_code(command: Command) -> str:
    return str((command.error or {}).get("code", ""))


def _absorb_report(station: Station, command: Command) -> None:
    """Store what GetConfiguration told (OCPP 1.6 §5.8)."""
    for item in (command.response or {}).get("configurationKey") or []:
        value = MASK if item["key"].casefold() in SECRET_KEYS else item.get("value")
        entry = station.configuration.setdefault(item["key"], {})
        entry |= {"value": value, "readonly": item.get("readonly", False)}


def _absorb_change(station: Station, command: Command) -> None:
    """Store how ChangeConfiguration ended (OCPP 1.6 §5.3)."""
    key, value = command.payload.get("key"), command.payload.get("value")
    if not isinstance(key, str) or key.casefold() in SECRET_KEYS:
        return
    entry = station.configuration.setdefault(key, {})
    answer = (command.response or {}).get("status") or _error_code(command)
    if answer in TAKEN:
        entry["value"] = value
        entry.pop("refused", None)
    elif answer != "disconnected":
        entry["refused"] = answer


def _settle_key(station: Station, command: Command) -> None:
    """The rule of the station's key: taken, it is the key; refused, it never was.

    While it is open whether the station took it, the old and the new key are both good. The row
    of the command forgets the key, which nothing needs any more.
    """
    key = _new_key(command)
    if key is None:
        return
    status = (command.response or {}).get("status")
    if status in TAKEN:
        station.key_digest, station.pending_key_digest = keys.digest(key), ""
    elif status is not None or _is_refused(command):
        station.pending_key_digest = ""
    Command.objects.filter(pk=command.pk).update(payload=mask(command.payload))


def _is_refused(command: Command) -> bool:
    is_known = _error_code(command) not in UNKNOWN_OUTCOME
    return command.status == Command.Status.FAILED and is_known


def _new_key(command: Command) -> str | None:
    """The key that a command gives to the station, if it is one that does."""
    name, value = command.payload.get("key"), command.payload.get("value")
    is_key = isinstance(name, str) and name.casefold() in SECRET_KEYS
    is_change = command.action == CHANGE and is_key and isinstance(value, str)
    return value if is_change else None


def _value(station: Station, key: str) -> str | None:
    value: str | None = station.configuration.get(key, {}).get("value")
    return value


def _items(value: str | None) -> set[str]:
    return {item.strip() for item in (value or "").split(",")}


def _is_same(key: str, present: str | None, value: str) -> bool:
    """Whether a reported value means what is wanted: lists in any order, words in any case."""
    if present is None:
        return False
    if key == "MeterValuesSampledData":
        return _items(present) == _items(value)
    return present.strip().casefold() == value.casefold()
