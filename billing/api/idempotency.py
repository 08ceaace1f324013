"""Idempotency-Key: a POST that is sent again has one effect and gets the first answer (P3).

A request first claims its key in a commit of its own, so that a concurrent one sees it. Then one
transaction holds the view's work and the storing of its answer: a process that dies between any
two lines leaves both or neither. A claim whose process died is taken over; whoever lost its claim
cannot store its answer, so its work is rolled back.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..errors import IdempotencyMismatch, IdempotencyRunning, InsufficientFunds, Invalid, NotFound
from ..models import IdempotentRequest
from .scope import caller

KEPT_FOR = dt.timedelta(hours=24)
"""How long an answer is repeated."""
RUNS_AT_MOST = dt.timedelta(seconds=60)
"""A claim older than this, without an answer, is that of a process that died."""
MAX_KEY_LENGTH = 255
MAX_PATH_LENGTH = 200

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=(
        "A request that repeats the key of an earlier one to this path within 24 hours has no "
        "second effect and gets the first answer. Another body under the key is refused (422)."
    ),
)

Post = Callable[..., Response]


class IdempotentPost(APIView):
    """Make a view's POST honour Idempotency-Key; it goes first among the bases."""

    post: Callable[..., HttpResponse]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the request in, then put the key around the handler, which is looked up next."""
        super().initial(request, *args, **kwargs)
        key = request.headers.get("Idempotency-Key")
        if request.method == "POST" and key is not None:
            post = getattr(self, "post", self.http_method_not_allowed)
            self.post = partial(self._post_once, post, _claim(request, key))

    def _post_once(
        self,
        post: Post,
        row: IdempotentRequest,
        request: Request,
        *args: Any,
        **kwargs: Any,
    ) -> HttpResponse:
        """Repeat the stored answer, or carry the request out and store what it answered."""
        if row.status_code is not None:
            return _answer(row)
        try:
            with transaction.atomic():
                _store(row, post(request, *args, **kwargs))
        except InsufficientFunds as refusal:
            # Raised, not returned: the work is undone, and the refusal is an answer like others.
            _store(row, self.handle_exception(refusal))
        except _NotKept as outcome:
            return outcome.response
        finally:
            _release(row)
        return _answer(row)


class _NotKept(Exception):
    """The view answered something that is not repeated: undo its work, then say it."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _claim(request: Request, key: str) -> IdempotentRequest:
    """Return the claimed row of a key, or its answered one.

    Raises Invalid for a key that is none, IdempotencyMismatch and IdempotencyRunning.
    """
    if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise Invalid(fields={"Idempotency-Key": [f"Send 1 to {MAX_KEY_LENGTH} characters."]})
    path = request.path.rstrip("/")
    if len(path) > MAX_PATH_LENGTH or not path.isprintable():
        raise NotFound  # whatever a route takes as a name, nothing is named so
    mine = IdempotentRequest(
        user=caller(request),
        path=path,
        key=key,
        body_digest=_digest(request.data),
    )
    IdempotentRequest.objects.bulk_create([mine], ignore_conflicts=True)
    row = IdempotentRequest.objects.get(user=mine.user, path=mine.path, key=mine.key)
    return row if row.claim == mine.claim else _join(row, mine)


def _join(row: IdempotentRequest, mine: IdempotentRequest) -> IdempotentRequest:
    """Meet an earlier request with the same key: repeat it, refuse, or take over its claim."""
    age = timezone.now() - row.claimed_at
    if age <= KEPT_FOR and row.body_digest != mine.body_digest:
        raise IdempotencyMismatch
    if age <= KEPT_FOR and row.status_code is not None:
        return row
    if age <= RUNS_AT_MOST or not _take_over(row, mine):
        raise IdempotencyRunning
    row.refresh_from_db()
    return row


def _take_over(row: IdempotentRequest, mine: IdempotentRequest) -> bool:
    """Replace the claim that was seen; of two who try, one does."""
    same = IdempotentRequest.objects.filter(pk=row.pk, claim=row.claim, status_code=row.status_code)
    return bool(
        same.update(
            claim=mine.claim,
            claimed_at=mine.claimed_at,
            body_digest=mine.body_digest,
            status_code=None,
            answer="",
        )
    )


def _store(row: IdempotentRequest, response: Response) -> None:
    """Store a 2xx or 402 in the view's own transaction; raise for anything else.

    Raises IdempotencyRunning when the claim was lost to another request meanwhile.
    """
    if not (200 <= response.status_code < 300 or response.status_code == 402):
        raise _NotKept(response)
    row.status_code = response.status_code
    row.answer = JSONRenderer().render(response.data).decode()
    stored = IdempotentRequest.objects.filter(pk=row.pk, claim=row.claim, status_code=None).update(
        status_code=row.status_code, answer=row.answer
    )
    if not stored:
        raise IdempotencyRunning


def _release(row: IdempotentRequest) -> None:
    """Free a key whose request came to nothing; an answered or lost one stays."""
    IdempotentRequest.objects.filter(pk=row.pk, claim=row.claim, status_code=None).delete()


def _answer(row: IdempotentRequest) -> HttpResponse:
    return HttpResponse(row.answer, status=row.status_code, content_type="application/json")


def _digest(body: Any) -> str:
    """Hash the parsed JSON: spaces and the order of names do not make another body."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
