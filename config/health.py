"""Health for load balancers and people: does this process serve, and what does it lack.

Both answers are open to everyone, so they name parts and never addresses or versions.
"""

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.urls import resolve
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from stations.gateway import writer

from . import worker
from .models import WorkerProcess

OK, AWAY, UNKNOWN = "ok", "away", "unknown"
UNMIGRATED, NO_WORKER, WORKER_ENDED = "not applied", "none has passed lately", "has ended here"
STUCK, UNWRITABLE, FULL = "stuck", "cannot be written", "nearly full"
ADVICE = {
    ("database", AWAY): "Start the database, or see that DATABASE_URL leads to it. Stations keep "
    "what they cannot deliver.",
    ("migrations", UNMIGRATED): "Run `manage.py migrate` with the version that serves.",
    ("redis", AWAY): "Start Redis, or see that REDIS_URL leads to it. Until then commands go out "
    "a moment later.",
    ("worker", NO_WORKER): "Start `manage.py worker`, or look at its log. Until then no time-out "
    "ends, no payment is asked for and nothing is delivered.",
    ("worker", WORKER_ENDED): "Look at the log of this process, in which the worker has died, and "
    "restart it.",
    ("writer", STUCK): "What stations send here is not stored. Look at what the database waits "
    "for; where it waits for nothing, restart this process.",
    ("disk", UNWRITABLE): "Make what the database and CSMS_MEDIA_DIR lie in directories that this "
    "process may write.",
    ("disk", FULL): "Free the disk of the database or of CSMS_MEDIA_DIR: less than "
    "CSMS_DISK_MIN_MB is left.",
}
MEGABYTE = 1024 * 1024
PROBES = {"/healthz", "/readyz", "/metrics"}

View = Callable[[HttpRequest], HttpResponseBase]


def probes_first(get_response: View) -> View:
    """Answer probes before the other middleware: they call by IP, which is no ALLOWED_HOSTS."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.removesuffix("/") in PROBES:
            view: View = resolve(request.path_info).func
            return view(request)
        return get_response(request)

    return answer


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 once this process can serve; nothing else is asked."""
    return JsonResponse({"status": OK})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when all parts are there, else 503 and which of them is missing."""
    parts = _database_parts() | _redis_part() | _parts_here()
    missing = {name: _advice(name, state) for name, state in parts.items() if state != OK}
    return JsonResponse(
        {"status": "not ready" if missing else "ready", "parts": parts, "missing": missing},
        status=503 if missing else 200,
    )


def _advice(part: str, state: str) -> str:
    """What someone may do about a part that is missing."""
    if state == UNKNOWN:
        return "It cannot be told before the database answers and is migrated."
    return ADVICE[part, state]


def _database_parts() -> dict[str, str]:
    """What the database tells: that it answers, is up to date, and is visited by a worker."""
    try:
        applied = set(MigrationRecorder(connection).applied_migrations())
        if not _newest_migrations() <= applied:
            return {"database": OK, "migrations": UNMIGRATED, "worker": UNKNOWN}
        state = _worker()
    except DatabaseError:
        return {"database": AWAY, "migrations": UNKNOWN, "worker": UNKNOWN}
    return {"database": OK, "migrations": OK, "worker": state}


def _worker() -> str:
    if not WorkerProcess.objects.alive().exists():
        return NO_WORKER
    return OK if worker.is_well_here() else WORKER_ENDED


def _parts_here() -> dict[str, str]:
    """What this process and its machine tell: the writers of its sockets, and its disks."""
    return {"writer": STUCK if writer.ailing() else OK, "disk": _disk()}


def _disk() -> str:
    """Whether what is written here finds room: a SQLite database, and uploaded files."""
    places = [Path(settings.CSMS_MEDIA_DIR)]
    if settings.IS_SQLITE:
        places.append(Path(connection.settings_dict["NAME"]).parent)
    for place in places:
        try:
            is_directory = not place.exists() or place.is_dir()
            nearest = next(each for each in (place, *place.parents) if each.exists())
            free_bytes = shutil.disk_usage(nearest).free
        except OSError:
            return UNWRITABLE
        if not (is_directory and nearest.is_dir() and os.access(nearest, os.W_OK)):
            return UNWRITABLE
        if free_bytes < settings.CSMS_DISK_MIN_MB * MEGABYTE:
            return FULL
    return OK


@functools.cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    """The last migration of each app; the code of a running process does not change."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _redis_part() -> dict[str, str]:
    """Redis carries the channel layer and the cache; one process does without it."""
    if not settings.REDIS_URL:
        return {}
    try:
        cache.get("readyz")
    except (RedisError, OSError):
        return {"redis": AWAY}
    return {"redis": OK}
