"""What a request body may be: JSON that can be stored."""

import io
import math
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import JSONParser

MAX_BODY_BYTES = 2**20
MAX_DEPTH = 50


class BodyTooLarge(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"A body has at most {MAX_BODY_BYTES} bytes."


class StoredJSONParser(JSONParser):
    """JSON within bounds, without what PostgreSQL cannot keep or no JSON can repeat.

    Free-form parts (a command's payload, a tariff's elements) reach the database as they are.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        try:
            parsed = super().parse(io.BytesIO(body), media_type, parser_context or {})
        except RecursionError:
            raise ParseError("This JSON is nested too deeply.") from None
        parts = parsed.items() if isinstance(parsed, dict) else [("non_field_errors", parsed)]
        if faults := {name: [fault] for name, part in parts if (fault := _fault(name, part))}:
            raise ValidationError(faults)
        return parsed


def _fault(*values: Any) -> str:
    """Say what cannot be stored anywhere in these; nothing when all can."""
    pending = [(value, 1) for value in values]
    while pending:
        value, depth = pending.pop()
        if depth > MAX_DEPTH:
            return "This is nested too deeply."
        if isinstance(value, dict):
            pending += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            pending += [(part, depth + 1) for part in value]
        elif isinstance(value, float) and not math.isfinite(value):
            return "This number is too large."
        elif isinstance(value, str) and not _is_text(value):
            return "This has characters that are no text."
    return ""


def _is_text(value: str) -> bool:
    """Whether it has neither NUL nor half a surrogate pair."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
