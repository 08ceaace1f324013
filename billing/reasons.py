"""Why staff did something: said each time, and kept with what was done (P10)."""

from .errors import Invalid

MAX_REASON_LENGTH = 200


def stated(reason: str) -> str:
    """Return a reason as it is kept. Raises Invalid when none was given, or a novel."""
    text = reason.strip()
    if not 0 < len(text) <= MAX_REASON_LENGTH:
        raise Invalid(fields={"reason": [f"Say why, in at most {MAX_REASON_LENGTH} characters."]})
    return text
