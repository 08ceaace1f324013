"""What a station tells of its update: its answer, its statuses, and the version it boots with.

The version at boot is the truth: an update is installed when it is the image's. Statuses repeat,
come out of order and stay away, so each only moves a row that may move there.
"""

import datetime as dt
import re
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ..commands import INVALID_RESPONSE, error_code
from ..configuration import NO_SUCH_CALL
from ..models import Command, FirmwareCampaign, FirmwareReport, FirmwareUpdate, Station
from ..models.firmware import ACTIVE, UpdateStatus
from ..progress import Progress
from .campaigns import ALREADY, CANCELLED

_S = UpdateStatus
HOUR = dt.timedelta(hours=1)
PATIENCE: dict[UpdateStatus, dt.timedelta] = {
    _S.ASKED: HOUR,
    _S.DOWNLOADING: 3 * HOUR,
    _S.DOWNLOADED: 24 * HOUR,  # it may wait for the end of a charge
    _S.INSTALLING: 3 * HOUR,
}
"""How long a station may stay in a state without a word."""
BOOT_WITHIN = HOUR
"""After a station said Installed, until it must have booted with the version."""
ASK_AGAIN_AFTER = dt.timedelta(minutes=1)
MAX_ASKS = 5

INSTALLED = "Installed"
STEPS = {
    "Downloading": _S.DOWNLOADING,
    "DownloadPaused": _S.DOWNLOADING,
    "Downloaded": _S.DOWNLOADED,
    "SignatureVerified": _S.DOWNLOADED,
    "InstallScheduled": _S.DOWNLOADED,
    "Installing": _S.INSTALLING,
    "InstallRebooting": _S.INSTALLING,
    INSTALLED: _S.INSTALLING,
    "DownloadFailed": _S.FAILED,
    "InstallationFailed": _S.FAILED,
    "InstallVerificationFailed": _S.FAILED,
    "InvalidSignature": _S.FAILED,
}
"""Where a status leads (OCPP 1.6 §7.25, whitepaper FirmwareStatusEnumType); others lead nowhere."""
TAKEN = frozenset({"Accepted", "AcceptedCanceled"})
REPLACED, NO_ANSWER, SILENT = "replaced", "no_answer", "silent"
NOT_SUPPORTED, OTHER_VERSION, NOT_CONFIRMED = "not_supported", "other_version", "not_confirmed"

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def hear(command: Command) -> None:
    """Act on the end of UpdateFirmware or SignedUpdateFirmware, in the transaction that ends it.

    The answer to UpdateFirmware says nothing: that it came means yes (OCPP 1.6 §6.58).
    """
    update = _locked(Q(command=command))
    if update is None:
        _replace(command)
    elif update.status == _S.ASKED:
        _hear_answer(update, command)


@transaction.atomic
def record_status(*, station: Station, said: Progress) -> None:
    """Keep what a station says of its firmware, and move the update that it means, if any."""
    if not said.status:
        return
    FirmwareReport.objects.update_or_create(
        station=station,
        defaults={
            "status": said.status[:30],
            "request_id": said.request_id,
            "at": said.received_at,
        },
    )
    update = _meant(station, said)
    if update is not None:
        update.told = said.status[:30]
        _step(update, said, station)


def note_versions(stations: Iterable[Station], now: dt.datetime) -> None:
    """Compare the versions of boots with what is on its way; the caller has locked the stations."""
    booted = {station.pk: station for station in stations}
    ours = Q(station__in=booted) & (
        Q(status__in=(_S.QUEUED, *ACTIVE)) | Q(status=_S.FAILED, expires_at__gt=now)
    )
    for update in _rows(ours):
        version = booted[update.station_id].firmware_version
        has_it = version == update.campaign.image.version
        if has_it and update.asked_at is None:
            move(update, _S.SKIPPED, now, cause=ALREADY)
        elif has_it:
            move(update, _S.INSTALLED, now)
        elif update.told == INSTALLED and update.status == _S.INSTALLING:
            move(update, _S.FAILED, now, cause=OTHER_VERSION)


@transaction.atomic
def give_up(update_id: int, now: dt.datetime) -> None:
    """Fail an update whose station has been silent for too long; looks again under the lock."""
    update = _locked(Q(pk=update_id, due_at__lte=now, status__in=ACTIVE))
    if update is not None:
        cause = NOT_CONFIRMED if update.told == INSTALLED else SILENT
        move(update, _S.FAILED, now, cause=cause)


def move(
    update: FirmwareUpdate, status: UpdateStatus, now: dt.datetime, *, cause: str = ""
) -> None:
    """Move an update as the table allows, with the patience of its new state, and store it.

    A move that is not allowed, or to where it is, only stores what was told.
    """
    if update.may_become(status):
        update.status, update.cause, update.moved_at = status, cause, now
    if update.status == status:
        patience = PATIENCE.get(status)
        update.due_at = now + patience if patience else None
    update.save(update_fields=["status", "cause", "told", "moved_at", "due_at"])


def _hear_answer(update: FirmwareUpdate, command: Command) -> None:
    now = timezone.now()
    code = error_code(command)
    answer = (command.response or {}).get("status", "Accepted")
    if command.status == Command.Status.ANSWERED and answer not in TAKEN:
        move(update, _S.FAILED, now, cause=_snake(answer))
    elif command.status == Command.Status.ANSWERED or code == INVALID_RESPONSE:
        move(update, _S.ASKED, now)
    elif code in NO_SUCH_CALL:
        move(update, _S.SKIPPED, now, cause=NOT_SUPPORTED)
    elif command.status != Command.Status.FAILED or code == "disconnected":
        _ask_again(update, now)
    else:
        move(update, _S.FAILED, now, cause=_snake(code))


def _ask_again(update: FirmwareUpdate, now: dt.datetime) -> None:
    """No answer was got, and nothing was told: to ask again with the same address is safe."""
    if update.campaign.status == FirmwareCampaign.Status.CANCELLED:
        move(update, _S.SKIPPED, now, cause=CANCELLED)
    elif update.attempts >= MAX_ASKS:
        move(update, _S.FAILED, now, cause=NO_ANSWER)
    else:
        move(update, _S.QUEUED, now)
        update.due_at = now + ASK_AGAIN_AFTER
        update.save(update_fields=["due_at"])


def _replace(command: Command) -> None:
    """Staff asked by hand: a station does one update at a time, so ours is no more."""
    answer = (command.response or {}).get("status", "Accepted")
    if command.status != Command.Status.ANSWERED or answer not in TAKEN:
        return
    now = timezone.now()
    for update in _rows(Q(station_id=command.station_id, status__in=ACTIVE)):
        move(update, _S.FAILED, now, cause=REPLACED)
    ours = FirmwareUpdate.objects.filter(station_id=command.station_id, expires_at__gt=now)
    ours.update(expires_at=now)


def _meant(station: Station, said: Progress) -> FirmwareUpdate | None:
    """The update that a status is about: by its number, else the last one asked for."""
    ours = Q(station=station, asked_at__isnull=False, expires_at__gt=said.received_at)
    if said.request_id is not None:
        return _locked(ours & Q(pk=said.request_id))
    return _locked(ours)


def _step(update: FirmwareUpdate, said: Progress, station: Station) -> None:
    now = said.received_at
    step = STEPS.get(said.status)
    is_ours = not _is_another_active(update)
    if step is None or not is_ours:
        update.save(update_fields=["told"])
    elif said.status == INSTALLED and station.firmware_version == update.campaign.image.version:
        move(update, _S.INSTALLED, now)
    else:
        cause = _snake(said.status) if step == _S.FAILED else ""
        move(update, step, now, cause=cause)
        if said.status == INSTALLED and update.status == _S.INSTALLING:
            update.due_at = now + BOOT_WITHIN
            update.save(update_fields=["due_at"])


def _is_another_active(update: FirmwareUpdate) -> bool:
    others = FirmwareUpdate.objects.filter(station_id=update.station_id, status__in=ACTIVE)
    return others.exclude(pk=update.pk).exists()


def _rows(condition: Q) -> list[FirmwareUpdate]:
    rows = FirmwareUpdate.objects.select_for_update(of=("self",), no_key=True)
    return list(rows.filter(condition).select_related("campaign__image").order_by("pk"))


def _locked(condition: Q) -> FirmwareUpdate | None:
    """Lock the last asked of the updates that a condition finds."""
    rows = FirmwareUpdate.objects.select_for_update(of=("self",), no_key=True)
    found = rows.filter(condition).select_related("campaign__image")
    return found.order_by("-asked_at", "-pk").first()


def _snake(word: str) -> str:
    """A cause from a status or error code of the wire: InvalidSignature is invalid_signature."""
    return _HUMP.sub("_", word).lower()[:40]
