"""Health for load balancers and people: does this process serve, and what does it lack.

Both answers are open to everyone, so they name parts and never addresses or versions.
"""

import functools
from collections.abc import Callable

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

from .models import WorkerProcess

OK, UNKNOWN = "ok", "unknown"
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
    parts = _database_parts() | _redis_part()
    is_ready = all(state == OK for state in parts.values())
    return JsonResponse(
        {"status": "ready" if is_ready else "not ready", "parts": parts},
        status=200 if is_ready else 503,
    )


def _database_parts() -> dict[str, str]:
    """What the database tells: that it answers, is up to date, and is visited by a worker."""
    try:
        applied = set(MigrationRecorder(connection).applied_migrations())
        if not _newest_migrations() <= applied:
            return {"database": OK, "migrations": "not applied", "worker": UNKNOWN}
        worker = OK if WorkerProcess.objects.alive().exists() else "none has passed lately"
    except DatabaseError:
        return {"database": "away", "migrations": UNKNOWN, "worker": UNKNOWN}
    return {"database": OK, "migrations": OK, "worker": worker}


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
        return {"redis": "away"}
    return {"redis": OK}
