"""Each HTTP request gets an id, a line in the log where that is wanted, and a span where traced."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import LazyObject, empty

from billing import context, tracing

logger = logging.getLogger("kubat.access")

HEADER = "X-Request-Id"
NO_ROUTE = "-"
"""What stands for the path where nothing answers it: a path that is nobody's may hold anything."""
_SANE = re.compile(r"[A-Za-z0-9._:+/=@-]{1,64}", re.ASCII)

View = Callable[[HttpRequest], HttpResponseBase]


def identified(get_response: View) -> View:
    """Know a request by its id: the one that it came with, if that is sane, else a new one.

    A trace that the client is at is only linked: its mark must not decide what we keep.
    The id stays known when this returns: Django logs what it answered afterwards, and the context
    ends with the request.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        request_id = _id_of(request)
        context.begin({"request_id": request_id})
        began = time.perf_counter()
        told = request.headers.get("traceparent", "")
        with tracing.span(request.method or "", link=told, kind="server") as span:
            response = get_response(request)
            _describe(span, request, response)
        response[HEADER] = request_id
        if settings.CSMS_ACCESS_LOG:
            _write(request, response, time.perf_counter() - began)
        return response

    return answer


def _id_of(request: HttpRequest) -> str:
    told = request.headers.get(HEADER, "")
    return told if _SANE.fullmatch(told) else uuid.uuid4().hex


def _write(request: HttpRequest, response: HttpResponseBase, took_s: float) -> None:
    told = {
        "method": request.method,
        "path": _template_of(request),
        "status": response.status_code,
        "duration_ms": round(took_s * 1000, 1),
        "user_id": _user_id(request),
    }
    logger.info("%(method)s %(path)s %(status)s in %(duration_ms)s ms", told, extra=told)


def _describe(span: tracing.Span, request: HttpRequest, response: HttpResponseBase) -> None:
    if not tracing.is_on():
        return
    span.rename(f"{request.method} {_template_of(request)}")
    span.set(
        http__request__method=request.method,
        http__route=_template_of(request),
        http__response__status_code=response.status_code,
        request_id=str(context.ids().get("request_id", "")),
        user_id=_user_id(request) or None,
    )


def _template_of(request: HttpRequest) -> str:
    """The route and never the path, whose parts may be tokens."""
    found = request.resolver_match
    return f"/{found.route}" if found else NO_ROUTE


def _user_id(request: HttpRequest) -> str:
    """Who asked, as far as somebody has looked: nothing is asked of the database here."""
    user = request.__dict__.get("user")
    if user is None or (isinstance(user, LazyObject) and user._wrapped is empty):
        return ""
    return str(user.pk or "")
