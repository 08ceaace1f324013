"""Keep the lists of tags that stations hold in step with ours (OCPP 1.6 §3.5, §5.10, §5.15).

The worker looks every few seconds what differs, and sends it in lane OWN; the end of each command
asks for the next. What the station confirmed is the base of the next difference. Where that is not
known (a lost answer, a reboot, a call by hand) it is asked for its version first.
"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from billing.models import User
from stations import alerts, audit, commands, registry
from stations.apart import apart
from stations.commands import error_code
from stations.models import Command, Station

from ..models import LocalList
from .tag_list import Entries, Tags, after, differential_update, full_update, wanted_of

State, Status = LocalList.State, Command.Status
SEND, ASK, CHANGE = "SendLocalList", "GetLocalListVersion", "ChangeConfiguration"
SWITCH = "LocalAuthListEnabled"
STEP_TIMEOUT_S = 3
ASK_EVERY = dt.timedelta(hours=24)
RETRY_AFTER = dt.timedelta(seconds=30)
LONGEST_RETRY = dt.timedelta(hours=6)
ALERT, ALERT_AFTER = "local_list", 3
NO_SUCH_CALL = frozenset({"NotImplemented", "NotSupported"})
LOST = frozenset({"disconnected", "timeout", "invalid_response"})
"""Ends of a command that leave open whether the station has obeyed."""
NOT_SUPPORTED_VERSION = -1


def run_due(now: dt.datetime) -> int:
    """Bring each list that is behind one step on; return how many were looked at.

    Called by the worker; it may be called by several at once.
    """
    _make_rows()
    online = Station.objects.online().filter(booted_at__isnull=False)
    rows = LocalList.objects.filter(station__in=online).exclude(state=State.UNSUPPORTED)
    if not rows.exists():
        return 0
    tags = Tags.at(now)
    due = rows.exclude(_at_rest(tags.digest, now)).exclude(retry_at__gt=now)
    stations = list(due.values_list("station_id", flat=True))
    for station_pk in stations:
        apart(_look, station_pk, tags, now)
    return len(stations)


def choose(*, station: Station, choice: LocalList.Choice, actor: User, reason: str) -> LocalList:
    """Say whether a station has a list; one that is switched off is emptied there too."""
    with transaction.atomic():
        row = _locked(station.pk)
        row.choice = choice
        _forgive(row)
        _doubt(row)
        row.save()
        audit.record(actor, audit.CHANGE, row, f"choice: {choice.value}", reason=reason)
        return row


def send_in_full(*, station: Station, actor: User, reason: str) -> Command:
    """Replace a station's list by ours, now. Raises StationOffline."""
    with transaction.atomic():
        row = _locked(station.pk)
        now = timezone.now()
        entries = wanted_of(row, Tags.at(now)).entries
        return _replace(row, entries, actor=actor, reason=reason)


def clear(*, station: Station, actor: User, reason: str) -> Command:
    """Empty a station's list, and switch it off: else it would be filled again.

    Raises StationOffline.
    """
    with transaction.atomic():
        row = choose(station=station, choice=LocalList.Choice.OFF, actor=actor, reason=reason)
        return _replace(row, {}, actor=actor, reason=reason)


def ask_version(*, station: Station, actor: User, reason: str) -> Command:
    """Ask a station which version its list has. Raises StationOffline."""
    with transaction.atomic():
        _locked(station.pk)
        return registry.ask_station(
            station=station,
            action=ASK,
            payload={},
            by=actor,
            reason=reason,
            reference=LocalList.REFERENCE,
        )


def hear(command: Command) -> None:
    """Learn from the end of a command that sent a list or asked for its version.

    Also from one that staff sent by hand: then what the station has is not ours any more.
    """
    with transaction.atomic():
        row = _locked(command.station_id)
        row.last_result, row.last_result_at = _result(command)[:60], timezone.now()
        if command.action == ASK:
            _hear_version(row, command)
        else:
            _hear_sent(row, command)
        row.save()
        if command.reference == LocalList.REFERENCE and command.status == Status.ANSWERED:
            now = timezone.now()
            _go_on(row, Tags.at(now), now)


def _make_rows() -> None:
    """Where lists are the rule, each station that may keep one has a row."""
    if not settings.CSMS_LOCAL_LISTS:
        return
    without = Station.objects.filter(
        local_list=None, configuration__SupportedFeatureProfiles__isnull=False
    )
    LocalList.objects.bulk_create(
        [LocalList(station=station) for station in without], ignore_conflicts=True
    )


def _at_rest(digest: str, now: dt.datetime) -> Q:
    """Lists that need no look: in step with the tags, with a version that was asked for lately."""
    in_step = Q(
        state=State.IN_STEP,
        tags_digest=digest,
        version_asked_at__gte=F("station__booted_at"),
        version_asked_at__gt=now - ASK_EVERY,
    )
    return in_step | Q(state=State.NEW, choice=LocalList.Choice.OFF)


@transaction.atomic
def _look(station_pk: int, tags: Tags, now: dt.datetime) -> None:
    _go_on(_locked(station_pk), tags, now)


def _locked(station_pk: int) -> LocalList:
    """Lock a station and then its list; the list is made where there is none."""
    station = Station.objects.select_for_update(no_key=True).get(pk=station_pk)
    LocalList.objects.get_or_create(station=station)
    row = LocalList.objects.select_for_update(no_key=True).get(station=station)
    row.station = station
    return row


def _go_on(row: LocalList, tags: Tags, now: dt.datetime) -> None:
    """Ask the station for the next thing that its list needs, if anything."""
    if not _may_ask(row, now):
        return
    wanted = wanted_of(row, tags)
    row.wanted_count, row.cut_count = len(wanted.entries), wanted.cut_count
    is_asked = _ask_next(row, wanted.entries, now)
    if not is_asked:
        _forgive(row)
        row.state, row.tags_digest = State.IN_STEP, tags.digest
    elif not row.failures:
        row.state = State.BEHIND
    row.save()


def _may_ask(row: LocalList, now: dt.datetime) -> bool:
    """Whether it is our turn: nothing is under way, and no retry has to be waited for."""
    is_needed = row.is_on or bool(row.entries)
    is_waiting = row.retry_at is not None and row.retry_at > now
    if row.state == State.UNSUPPORTED or is_waiting or not is_needed:
        return False
    return not _sent(row).filter(status__in=Command.OPEN).exists()


def _ask_next(row: LocalList, wanted: Entries, now: dt.datetime) -> bool:
    if _must_ask_version(row, now):
        row.version_asked_at = now
        _send(row, ASK, {})
    elif _must_switch_on(row):
        _send(row, CHANGE, {"key": SWITCH, "value": "true"})
    elif not _is_known(row, wanted):
        _send(row, SEND, _update(row, "Full", full_update(row, wanted)))
    elif row.entries != wanted:
        _send(row, SEND, _update(row, "Differential", differential_update(row, wanted)))
    else:
        return False
    return True


def _must_ask_version(row: LocalList, now: dt.datetime) -> bool:
    """At first, once a boot, once a day, and after an answer that was lost."""
    asked_at = row.version_asked_at
    if asked_at is None or asked_at < now - ASK_EVERY:
        return True
    return row.station.booted_at is not None and asked_at < row.station.booted_at


def _must_switch_on(row: LocalList) -> bool:
    """Whether the station has lists switched off, and has not refused to switch them on (§9.2)."""
    entry = row.station.configuration.get(SWITCH, {})
    is_off = str(entry.get("value") or "").strip().casefold() == "false"
    return row.is_on and is_off and not entry.get("readonly") and "refused" not in entry


def _is_known(row: LocalList, wanted: Entries) -> bool:
    """Whether a difference can be told from what is there. To empty a list needs none."""
    if not wanted:
        return not row.entries and (row.has_base or row.version == 0)
    return row.has_base


def _update(row: LocalList, kind: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    version = max(row.version or 0, 0) + 1
    return {"listVersion": version, "updateType": kind, "localAuthorizationList": entries}


def _send(row: LocalList, action: str, payload: dict[str, Any]) -> None:
    commands.send(
        station=row.station,
        action=action,
        payload=payload,
        lane=Command.Lane.OWN,
        reference=LocalList.REFERENCE,
        timeout_s=STEP_TIMEOUT_S,
        is_bound=True,
    )


def _replace(row: LocalList, entries: Entries, *, actor: User, reason: str) -> Command:
    """Send a whole list because staff want it; what does not fit in one update follows."""
    _forgive(row)
    row.has_base = False
    row.version_asked_at = row.version_asked_at or timezone.now()
    row.save()
    return registry.ask_station(
        station=row.station,
        action=SEND,
        payload=_update(row, "Full", full_update(row, entries)),
        by=actor,
        reason=reason,
        reference=LocalList.REFERENCE,
    )


def _forgive(row: LocalList) -> None:
    """Try again what failed: staff have seen to it."""
    row.failures, row.retry_at = 0, None
    if row.state in (State.FAILED, State.UNSUPPORTED):
        row.state = State.BEHIND
    alerts.resolve_alert(ALERT, str(row.station_id))


def _doubt(row: LocalList) -> None:
    """Let the worker look at a list that was in step."""
    if row.state == State.IN_STEP:
        row.state = State.BEHIND


def _sent(row: LocalList) -> QuerySet[Command]:
    return Command.objects.filter(station=row.station, reference=LocalList.REFERENCE)


def _result(command: Command) -> str:
    """How a command ended, in the words of the wire."""
    answer = command.response or {}
    told = answer.get("status", answer.get("listVersion"))
    return str(told if told is not None else error_code(command))


def _hear_version(row: LocalList, command: Command) -> None:
    """§5.10: -1 says that there are no lists, 0 that there is none now."""
    if command.status != Status.ANSWERED:
        _fail(row, command)
        return
    version = int((command.response or {})["listVersion"])
    row.version_asked_at = timezone.now()
    if version <= NOT_SUPPORTED_VERSION:
        _give_up(row, version)
        return
    if version == 0:
        row.entries, row.has_base = {}, row.has_base and not row.entries
    elif version != row.version:
        _find_lost(row, version)
    row.version = version


def _find_lost(row: LocalList, version: int) -> None:
    """An update whose answer was lost may have arrived: then its version is there."""
    last = _sent(row).filter(action=SEND, resolved_at__isnull=False).order_by("-created_at").first()
    if last is not None and _may_have_made(last, version, row):
        row.entries, row.has_base = after(row.entries, last.payload), True
    else:
        row.has_base = False


def _may_have_made(sent: Command, version: int, row: LocalList) -> bool:
    is_lost = error_code(sent) in LOST
    has_ground = row.has_base or sent.payload["updateType"] == "Full"
    return is_lost and has_ground and sent.payload["listVersion"] == version


def _hear_sent(row: LocalList, command: Command) -> None:
    """§5.15: a station that took an update has its version; one that did not is sent all of it."""
    answer = _result(command)
    if command.status == Status.ANSWERED and answer == "Accepted":
        _take(row, command)
    elif command.reference != LocalList.REFERENCE:
        return
    elif answer in NO_SUCH_CALL:
        _give_up(row, row.version)
    elif answer == "VersionMismatch" and command.payload["updateType"] == "Differential":
        row.has_base, row.version_asked_at = False, None
    else:
        _fail(row, command)


def _take(row: LocalList, command: Command) -> None:
    row.version = command.payload["listVersion"]
    if command.reference != LocalList.REFERENCE:
        row.has_base = False
        _doubt(row)
        return
    row.entries, row.has_base = after(row.entries, command.payload), True
    _forgive(row)
    if not (row.is_on or row.entries):
        row.state = State.NEW


def _fail(row: LocalList, command: Command) -> None:
    """Try again later, later each time; a socket that closed is no failure of the station."""
    code = error_code(command)
    if command.reference != LocalList.REFERENCE:
        return
    row.version_asked_at = None  # what the station has now is its to say
    if code in ("disconnected", "expired"):
        return
    if command.action == ASK and code in NO_SUCH_CALL:
        _give_up(row, row.version)
        return
    if command.action == SEND and code not in LOST:
        row.has_base = False
    row.failures, row.state = row.failures + 1, State.FAILED
    delay = min(RETRY_AFTER * 2 ** min(row.failures - 1, 12), LONGEST_RETRY)
    row.retry_at = timezone.now() + delay
    if row.failures >= ALERT_AFTER:
        text = f"{row.station} does not take its list of tags: {row.last_result}."
        alerts.open_alert(ALERT, str(row.station_id), text, station=row.station)


def _give_up(row: LocalList, version: int | None) -> None:
    """The station keeps no lists; it is asked again when staff say so."""
    row.version, row.state = version, State.UNSUPPORTED
    row.entries, row.has_base = {}, False
    row.failures, row.retry_at = 0, None
    alerts.resolve_alert(ALERT, str(row.station_id))
