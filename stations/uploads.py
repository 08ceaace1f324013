"""Ask stations for diagnostics and logs, follow them, and keep the files that they hand in."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing.models import User

from . import addresses, registry, storage
from .apart import apart
from .clock import wire_time
from .commands import error_code
from .errors import TooManyFiles, UploadNotFound
from .models import Command, LogRequest, ReceivedFile, Station
from .progress import Progress

Kind, Status = LogRequest.Kind, LogRequest.Status
FOLDER = "uploads"
GOOD_FOR = dt.timedelta(hours=24)
"""How long an address takes files."""
PATIENCE = dt.timedelta(hours=2)
"""How long a station may be silent before its request is given up."""
MAX_FILES = 20
RETRIES, RETRY_INTERVAL_S = 3, 60

STEPS = {
    "Uploading": (Status.UPLOADING, ""),
    "Uploaded": (Status.UPLOADED, ""),
    "UploadFailed": (Status.FAILED, "upload_failed"),
    "UploadFailure": (Status.FAILED, "upload_failed"),
    "BadMessage": (Status.FAILED, "bad_message"),
    "PermissionDenied": (Status.FAILED, "permission_denied"),
    "NotSupportedOperation": (Status.FAILED, "not_supported_operation"),
}
"""Where a status leads (OCPP 1.6 §7.24, whitepaper UploadLogStatusEnumType); Idle leads nowhere."""
NOTHING_THERE, SILENT = "nothing_there", "silent"


@transaction.atomic
def request_log(
    *,
    station: Station,
    kind: LogRequest.Kind,
    by: User,
    reason: str,
    oldest: dt.datetime | None = None,
    latest: dt.datetime | None = None,
) -> LogRequest:
    """Ask a station for its diagnostics or a log. Raises StationOffline, NoPublicAddress."""
    now = timezone.now()
    request = LogRequest.objects.create(
        station=station,
        kind=kind,
        oldest=oldest,
        latest=latest,
        is_external=bool(settings.CSMS_UPLOAD_URL),
        requested_by=by,
        reason=reason,
        expires_at=now + GOOD_FOR,
        due_at=now + PATIENCE,
    )
    is_plain = kind == Kind.DIAGNOSTICS
    request.command = registry.ask_station(
        station=station,
        action="GetDiagnostics" if is_plain else "GetLog",
        payload=_get_diagnostics(request) if is_plain else _get_log(request),
        by=by,
        reason=reason,
    )
    request.save(update_fields=["command"])
    return request


def hear(command: Command) -> None:
    """Act on the end of GetDiagnostics or GetLog, in the transaction that ends it."""
    request = LogRequest.objects.select_for_update(no_key=True).filter(command=command).first()
    if request is None:
        return
    answer = command.response or {}
    request.file_name = answer.get("fileName") or answer.get("filename") or request.file_name
    if request.status != Status.ASKED:
        request.save(update_fields=["file_name"])  # its progress was faster than its answer
    elif command.status != Command.Status.ANSWERED:
        move(request, Status.FAILED, timezone.now(), cause=error_code(command))
    elif answer.get("status") == "Rejected":
        move(request, Status.FAILED, timezone.now(), cause="rejected")
    elif request.kind == Kind.DIAGNOSTICS and not request.file_name:
        # No name: there is nothing to upload (OCPP 1.6 §5.9).
        move(request, Status.FAILED, timezone.now(), cause=NOTHING_THERE)
    else:
        move(request, Status.ACCEPTED, timezone.now())


@transaction.atomic
def record_diagnostics(*, station: Station, said: Progress) -> None:
    """DiagnosticsStatusNotification: it is about the last GetDiagnostics."""
    _record(LogRequest.objects.filter(station=station, kind=Kind.DIAGNOSTICS), said)


@transaction.atomic
def record_log(*, station: Station, said: Progress) -> None:
    """LogStatusNotification: about the request of its number, else about the last GetLog."""
    requests = LogRequest.objects.filter(station=station).exclude(kind=Kind.DIAGNOSTICS)
    if said.request_id is not None:
        requests = requests.filter(pk=said.request_id)
    _record(requests, said)


def find_open(token: str) -> LogRequest:
    """The request whose address this is, while it takes files. Raises UploadNotFound."""
    request_id = addresses.row_of(addresses.UPLOAD, token)
    request = LogRequest.objects.filter(pk=request_id, expires_at__gt=timezone.now()).first()
    if request is None:
        raise UploadNotFound
    return request


def receive(*, request: LogRequest, name: str, chunks: Iterable[bytes]) -> ReceivedFile:
    """Keep one file of a station. Raises FileTooLarge, StorageFailed, TooManyFiles.

    The file is on disk before its row is there, and gone again where there is no room for the row.
    """
    if request.files.count() >= MAX_FILES:
        raise TooManyFiles
    stored = storage.store(FOLDER, chunks, limit_mb=settings.CSMS_UPLOAD_MAX_MB)
    try:
        return _note_file(request.pk, name, stored)
    except BaseException:
        storage.remove(stored.path)
        raise


@transaction.atomic
def _note_file(request_id: int, name: str, stored: storage.Stored) -> ReceivedFile:
    request = LogRequest.objects.select_for_update(no_key=True).get(pk=request_id)
    if request.files.count() >= MAX_FILES:
        raise TooManyFiles
    if request.status in (Status.ASKED, Status.ACCEPTED):
        move(request, Status.UPLOADING, timezone.now())
    return ReceivedFile.objects.create(
        request=request,
        name=display_name(name) or request.file_name or "log",
        path=stored.path,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )


def run_due(now: dt.datetime, *, limit: int = 200) -> int:
    """End requests that have been silent for too long; called by the worker."""
    due = LogRequest.objects.filter(due_at__lte=now, status__in=LogRequest.OPEN)
    request_ids = list(due.order_by("due_at").values_list("pk", flat=True)[:limit])
    for request_id in request_ids:
        apart(_give_up, request_id, now)
    return len(request_ids)


def move(
    request: LogRequest, status: LogRequest.Status, now: dt.datetime, *, cause: str = ""
) -> None:
    """Move a request forward: what has been uploaded stays so, and answers may come last."""
    is_late = status == Status.ACCEPTED and request.status != Status.ASKED
    if request.status != Status.UPLOADED and not is_late:
        request.status, request.cause = status, cause[:40]
        is_open = status in LogRequest.OPEN
        request.due_at = now + PATIENCE if is_open else None
        request.ended_at = None if is_open else now
    request.save(update_fields=["status", "cause", "file_name", "due_at", "ended_at"])


def display_name(name: str) -> str:
    """A file name as staff may see it: its last part, without what cannot be printed."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return "".join(sign if sign.isprintable() else "_" for sign in last)[:255]


def _record(requests: Any, said: Progress) -> None:
    recent = requests.filter(expires_at__gt=said.received_at)
    request = recent.select_for_update(no_key=True).order_by("-pk").first()
    step = STEPS.get(said.status)
    if request is not None and step is not None:
        move(request, step[0], said.received_at, cause=step[1])


@transaction.atomic
def _give_up(request_id: int, now: dt.datetime) -> None:
    """Files that came count, even where the station never said that it was done."""
    rows = LogRequest.objects.select_for_update(no_key=True)
    request = rows.filter(pk=request_id, due_at__lte=now, status__in=LogRequest.OPEN).first()
    if request is None:
        return
    if request.files.exists():
        move(request, Status.UPLOADED, now)
    else:
        move(request, Status.TIMED_OUT, now, cause=SILENT)


def _get_diagnostics(request: LogRequest) -> dict[str, Any]:
    """GetDiagnostics.req (OCPP 1.6 §6.25)."""
    return {
        "location": _location(request),
        "retries": RETRIES,
        "retryInterval": RETRY_INTERVAL_S,
        **_span(request, "startTime", "stopTime"),
    }


def _get_log(request: LogRequest) -> dict[str, Any]:
    """GetLog.req (whitepaper 5.5)."""
    span = _span(request, "oldestTimestamp", "latestTimestamp")
    return {
        "logType": request.kind,
        "requestId": request.pk,
        "retries": RETRIES,
        "retryInterval": RETRY_INTERVAL_S,
        "log": {"remoteLocation": _location(request), **span},
    }


def _span(request: LogRequest, first: str, last: str) -> dict[str, str]:
    bounds = {first: request.oldest, last: request.latest}
    return {name: wire_time(at) for name, at in bounds.items() if at is not None}


def _location(request: LogRequest) -> str:
    """Where the station puts its file: it appends a name to it."""
    if request.is_external:
        return str(settings.CSMS_UPLOAD_URL)
    return addresses.address(addresses.UPLOAD, request.pk)
