"""How every error leaves the API: `{"code", "detail"}`, and `fields` with each 400.

The apps' own errors carry their code and status; this is the one place that renders them, and
what Django and REST framework raise by themselves. It knows no error by name beyond those.
"""

import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from ..errors import Forbidden, Invalid, KubatError, NotFound, TooManyAttempts

logger = logging.getLogger(__name__)

API_ROOTS = ("/api", "/auth", "/billing", "/ocpp", "/webhooks")
"""Where a client expects JSON even when no view answers."""

_OWN_CODES = {"permission_denied": Forbidden.code, "parse_error": "malformed"}
_RETRY_AFTER_S = 1


def render_error(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of a view into its answer; None leaves it to Django, as a 500."""
    if isinstance(exc, KubatError):
        return _render_own(exc)
    if isinstance(exc, Http404):
        return _render_own(NotFound())
    if isinstance(exc, PermissionDenied):
        return _render_own(Forbidden())
    if isinstance(exc, exceptions.APIException):
        return _render_framework(exc)
    if isinstance(exc, OperationalError):
        logger.error("The database did not answer: %s", exc)
        return _respond(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "unavailable",
            "The database does not answer; try again.",
            headers={"Retry-After": str(_RETRY_AFTER_S)},
        )
    return None


def _render_own(exc: KubatError) -> Response:
    fields = exc.fields if isinstance(exc, Invalid) else {}
    headers = {}
    if exc.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exc, TooManyAttempts):
        headers["Retry-After"] = str(exc.retry_after_s)
    return _respond(exc.status, exc.code, exc.detail, fields=fields, headers=headers)


def _render_framework(exc: exceptions.APIException) -> Response:
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(wait)
    if isinstance(exc, exceptions.ValidationError):
        fields = dict(_flatten(exc.detail))
        return _respond(exc.status_code, Invalid.code, _summarise(fields), fields=fields)
    code = str(exc.get_codes())
    detail = str(exc.detail)
    return _respond(exc.status_code, _OWN_CODES.get(code, code), detail, headers=headers)


def _respond(
    status: int,
    code: str,
    detail: str,
    *,
    fields: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {"code": code, "detail": detail}
    if status == HTTPStatus.BAD_REQUEST:
        body["fields"] = fields or {}
    return Response(body, status=status, headers=headers)


def _flatten(detail: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """Name what is wrong deep inside by its path: `elements.0.price`."""
    if isinstance(detail, dict):
        parts: list[tuple[Any, Any]] = list(detail.items())
    elif any(isinstance(item, dict | list) for item in detail):
        parts = [(index, item) for index, item in enumerate(detail) if item]
    else:
        yield name or "non_field_errors", [str(item) for item in detail]
        return
    for key, item in parts:
        yield from _flatten(item, f"{name}.{key}" if name else str(key))


def _summarise(fields: dict[str, list[str]]) -> str:
    return " ".join(
        messages[0] if name == "non_field_errors" else f"{name}: {messages[0]}"
        for name, messages in fields.items()
        if messages
    )


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(tuple(f"{root}/" for root in API_ROOTS)) or (
        request.path in API_ROOTS
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself refuses (a wrong Host, too many fields)."""
    return _page(request, HTTPStatus.BAD_REQUEST, Invalid(), defaults.bad_request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, HTTPStatus.FORBIDDEN, Forbidden(), defaults.permission_denied, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, HTTPStatus.NOT_FOUND, NotFound(), defaults.page_not_found, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after an exception that nobody expected; Django has logged it."""
    failed = KubatError("Kubat failed to carry this out; it is logged.")
    return _page(request, HTTPStatus.INTERNAL_SERVER_ERROR, failed, defaults.server_error)


def _page(
    request: HttpRequest,
    status: HTTPStatus,
    error: KubatError,
    page: Callable[..., HttpResponse],
    *args: Exception,
) -> HttpResponse:
    """JSON under the API's roots, Django's page elsewhere."""
    if not is_api(request):
        return page(request, *args)
    body: dict[str, Any] = {"code": error.code, "detail": error.detail}
    if status == HTTPStatus.BAD_REQUEST:
        body["fields"] = {}
    return JsonResponse(body, status=status)
