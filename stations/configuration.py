"""Set up a station, and learn from its answers how it is configured (design section 5).

A run reads the configuration and then changes what is not as it is wanted: a chain of commands in
lane OWN, each queued by the end of the one before it. The first accepted Boot begins one, a Boot
after a wish was changed another, and staff may (`apply`). What a station refuses is kept and
shown; it still charges.

`Station.configuration` maps a key to what it last reported or accepted: {"value", "readonly"}; and
to what came of our asking: "wanted" in the last run, "refused" and why, "before" (the value that
it had), "reboot" (accepted, counts from the next boot), "unknown" (it has no such key), "spelled"
(as the station writes the key, where the standard writes otherwise).
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.utils import timezone

from billing.models import User

from . import alerts, commands, key_report, key_table, rotation
from .commands import error_code
from .comparison import is_same
from .configuration_keys import is_standard, name_in, standard
from .errors import StationOffline
from .masking import MASK, SECRET_KEYS, mask
from .models import Command, ConfigurationWish, Station
from .models.configuration import scopes_of
from .wanted import reported, unmet, wanted

SETUP, APPLY, VERIFY = "setup", "apply", "verify"
RUNS = (SETUP, APPLY)
STEP_TIMEOUT_S = 3
READ, CHANGE = "GetConfiguration", rotation.CHANGE
NO_SUCH_CALL = frozenset({"NotImplemented", "NotSupported"})
_COUNT = re.compile("[1-9][0-9]{0,5}")
UNMET = "needs_unmet"
DISCONNECTED = "disconnected"
OF_A_RUN = frozenset({"wanted", "refused"})
"""What an entry says of the last run; the next one begins without it."""
MAX_KEYS = 500
"""Keys that are kept of one station, beside the standard's: no station needs more."""


def begin(stations: Sequence[Station]) -> None:
    """Take note of accepted Boots: what waited for one counts now, and the set-ups begin.

    One begins the first time, when it was cut off, or when a wish was changed since. The caller
    has locked the stations.
    """
    for station in stations:
        _note_boot(station)
    last = _last_steps(stations)
    wished_at = _wished_at(stations)
    due: dict[int, str] = {}
    for station in stations:
        step = last.get(station.pk)
        if step is None or _is_cut_off(step) or _has_news(station, step, wished_at):
            due[station.pk] = step.reference if step and _is_cut_off(step) else SETUP
    _read_all([station for station in stations if station.pk in due], due)


@transaction.atomic
def go_on(station_pk: int) -> None:
    """Go on with a run that was cut off, if there is one; asked when a station is back."""
    station = Station.objects.select_for_update(no_key=True).get(pk=station_pk)
    last = _last_steps([station]).get(station.pk)
    if last is not None and _is_cut_off(last):
        _read(station, last.reference)


@transaction.atomic
def apply(*, station: Station, by: User, reason: str = "") -> None:
    """Let staff make a connected station as it is wanted now, also one that Kubat leaves alone.

    Does nothing while a run is under way. Raises StationOffline.
    """
    station = (
        Station.objects.select_for_update(of=("self",), no_key=True)
        .select_related("owner")
        .get(pk=station.pk)
    )
    if not station.is_online:
        raise StationOffline
    _read(station, APPLY, by=by, reason=reason)


def absorb(command: Command) -> None:
    """Learn from a command that has just ended, in the transaction that ends it.

    Stores what the station reported or accepted, settles its key, queues the next step of a
    run, and counts what differs.
    """
    with transaction.atomic():
        station = Station.objects.select_for_update(no_key=True).get(pk=command.station_id)
        counted: dict[str, Any] = {}
        if command.action == READ:
            counted = _absorb_report(station, command)
        else:
            rotation.settle(station, command)
            _absorb_change(station, command)
        if command.reference not in RUNS:
            _tell_unmet(station)
        elif not _is_cut_off(command):
            _next_step(station, command)
        station.save(update_fields=["configuration"])
        key_table.refresh(station, **counted)


def _note_boot(station: Station) -> None:
    """Forget what waited for a boot, and ask for those keys: now they show what they are."""
    waited = [
        entry.get("spelled", key)
        for key, entry in station.configuration.items()
        if entry.pop("reboot", None)
    ]
    if not waited:
        return
    station.save(update_fields=["configuration"])
    key_table.refresh(station)
    if _may_run(station, SETUP):
        _send(station, READ, {"key": waited[: most_keys(station)]}, VERIFY)


def most_keys(station: Station) -> int:
    """How many keys a station may be asked for by name at once (§9.1.9)."""
    told = (reported(station, "GetConfigurationMaxKeys") or "").strip()
    return int(told) if _COUNT.fullmatch(told) else MAX_KEYS


def how_last_ended(station: OuterRef) -> Subquery:
    """The code of the error that the last run at a station of the outer query ended with."""
    return Subquery(_newest(station).annotate(code=KT("error__code")).values("code")[:1])


def _newest(station: OuterRef) -> QuerySet[Command]:
    """The steps of runs at a station of the outer query, the last of them first."""
    return Command.objects.filter(station=station, reference__in=RUNS).order_by("-created_at")


def _last_steps(stations: Sequence[Station]) -> dict[int, Command]:
    """The last step of a run at each of these stations; those that never had one are not there."""
    last = Subquery(_newest(OuterRef("pk")).values("pk")[:1])
    ours = Station.objects.filter(pk__in=[station.pk for station in stations])
    steps = Command.objects.filter(pk__in=ours.annotate(last=last).values("last"))
    told = steps.only("station_id", "reference", "status", "error", "created_at")
    return {step.station_id: step for step in told.order_by()}


def _wished_at(stations: Sequence[Station]) -> dict[str, dt.datetime]:
    """When a wish of each scope that reaches one of these stations was last changed."""
    scopes = {scope for station in stations for scope in scopes_of(station)}
    wishes = ConfigurationWish.objects.filter(scope__in=scopes).order_by("changed_at")
    return dict(wishes.values_list("scope", "changed_at"))


def _has_news(station: Station, last: Command, wished_at: Mapping[str, dt.datetime]) -> bool:
    return any(
        wished_at[scope] > last.created_at for scope in scopes_of(station) if scope in wished_at
    )


def _may_run(station: Station, reference: str) -> bool:
    """Kubat's own set-up can be switched off, what staff ask for cannot."""
    return reference == APPLY or (settings.CSMS_PROVISION and station.is_provisioned)


def _read(station: Station, reference: str, *, by: User | None = None, reason: str = "") -> None:
    if _may_run(station, reference) and not _running([station]):
        _forget_last_run(station)
        _send(station, READ, {}, reference, by=by, reason=reason)


def _read_all(stations: Sequence[Station], references: Mapping[int, str]) -> None:
    """Do as `_read` for many."""
    if not stations:
        return
    running = _running(stations)
    asked = [
        station
        for station in stations
        if _may_run(station, references[station.pk]) and station.pk not in running
    ]
    for station in asked:
        _forget_last_run(station)
    commands.send_all(_step(station, READ, {}, references[station.pk]) for station in asked)


def _forget_last_run(station: Station) -> None:
    told = [entry for entry in station.configuration.values() if entry.keys() & OF_A_RUN]
    for entry in told:
        for name in OF_A_RUN:
            entry.pop(name, None)
    if told:
        station.save(update_fields=["configuration"])


def _next_step(station: Station, last: Command) -> None:
    """Ask for the first key that differs and has not been asked for in this run."""
    is_hopeless = last.action == CHANGE and error_code(last) in NO_SUCH_CALL
    change = None
    if _may_run(station, last.reference) and not is_hopeless:
        change = _next_change(station)
    if change is not None:
        _send(station, CHANGE, change, last.reference)
    else:
        _tell_unmet(station)


def _next_change(station: Station) -> dict[str, str] | None:
    for key, want in wanted(station).items():
        entry = station.configuration.setdefault(key, {})
        if "wanted" in entry:
            continue
        entry["wanted"] = want.value
        if is_same(entry.get("value"), want.value):
            continue
        if entry.get("readonly"):
            entry["refused"] = "readonly"
            continue
        return {"key": entry.get("spelled", key), "value": want.value}
    return None


def _tell_unmet(station: Station) -> None:
    """Tell an operator of what Kubat cannot do without; during a run it may yet be mended."""
    missing = unmet(station)
    if missing:
        text = f"{station} does not report as Kubat needs: {', '.join(missing)}."
        alerts.open_alert(UNMET, str(station.pk), text, station=station)
    else:
        alerts.resolve_alert(UNMET, str(station.pk))


def _send(
    station: Station,
    action: str,
    payload: dict[str, Any],
    reference: str,
    *,
    by: User | None = None,
    reason: str = "",
) -> None:
    commands.send_all([_step(station, action, payload, reference, by=by, reason=reason)])


def _step(
    station: Station,
    action: str,
    payload: dict[str, Any],
    reference: str,
    *,
    by: User | None = None,
    reason: str = "",
) -> Command:
    return commands.prepare(
        station=station,
        action=action,
        payload=payload,
        lane=Command.Lane.OWN,
        reference=reference,
        timeout_s=STEP_TIMEOUT_S,
        is_bound=True,
        requested_by=by,
        reason=reason,
    )


def _running(stations: Sequence[Station]) -> set[int]:
    """Which of these stations have a run under way."""
    pks = [station.pk for station in stations]
    steps = Command.objects.filter(station__in=pks, reference__in=RUNS, status__in=Command.OPEN)
    return set(steps.values_list("station_id", flat=True).order_by())


def _is_cut_off(step: Command) -> bool:
    """Whether the socket closed before this step was answered."""
    return error_code(step) == DISCONNECTED


def _absorb_report(station: Station, command: Command) -> dict[str, Any]:
    """Store what GetConfiguration told (OCPP 1.6 §5.8); of a key that comes twice, the last.

    Returns when all keys were read and how many of them are not kept, where all were asked for.
    """
    if command.response is None:
        return {}
    answer = key_report.tidied(command.response)
    spellings = {name.casefold(): name for name in station.configuration}
    left_out = 0
    for item in answer.get("configurationKey") or []:
        entry = _entry(station, item["key"], spellings)
        if entry is None:
            left_out += 1
            continue
        value = MASK if item["key"].casefold() in SECRET_KEYS else item.get("value")
        entry |= {"value": value, "readonly": item.get("readonly", False)}
        entry.pop("unknown", None)
    for key in answer.get("unknownKey") or []:
        entry = _entry(station, key, spellings)
        if entry is not None:
            entry["unknown"] = True
            entry.pop("value", None)
    is_whole = not command.payload.get("key")
    return {"read_at": timezone.now(), "left_out": left_out} if is_whole else {}


def _entry(station: Station, key: str, spellings: dict[str, str]) -> dict[str, Any] | None:
    """What is kept of a key; None where there are more than can be kept."""
    name = spellings.get(key.casefold(), standard(key))
    if name.casefold() not in spellings and len(spellings) >= MAX_KEYS and not is_standard(name):
        return None
    spellings[name.casefold()] = name
    entry: dict[str, Any] = station.configuration.setdefault(name, {})
    entry.pop("spelled", None)
    if name != key:
        entry["spelled"] = key
    return entry


def _absorb_change(station: Station, command: Command) -> None:
    """Store how ChangeConfiguration ended (OCPP 1.6 §5.3); makers have secret keys of their own."""
    key, value = command.payload.get("key"), mask(command.payload).get("value")
    if not isinstance(key, str) or key.casefold() in SECRET_KEYS:
        return
    entry = station.configuration.setdefault(name_in(station.configuration, key), {})
    answer = (command.response or {}).get("status") or error_code(command)
    if answer in rotation.TAKEN:
        _take(entry, value, is_after_reboot=answer == "RebootRequired")
    elif answer != DISCONNECTED:
        entry["refused"] = answer


def _take(entry: dict[str, Any], value: Any, *, is_after_reboot: bool) -> None:
    if entry.get("value") not in (None, value):
        entry["before"] = entry["value"]
    entry["value"] = value
    for gone in ("refused", "unknown", "reboot"):
        entry.pop(gone, None)
    if is_after_reboot:
        entry["reboot"] = True
