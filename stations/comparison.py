"""Whether two spellings of a configuration value mean the same. Pure.

OCPP 1.6 carries every value as text (§9): stations write lists in another order, booleans in
another case or as 1 and 0, and numbers with zeros.
"""

import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_WORDS = {"true": True, "false": False}
_BOOLEANS = _WORDS | {"1": True, "0": False, "yes": True, "no": False, "on": True, "off": False}


def is_same(present: str | None, wanted: str) -> bool:
    """Whether a reported value means what is wanted; one that was not reported never does."""
    if present is None:
        return False
    if "," in present or "," in wanted:
        return items(present) == items(wanted)
    return _meaning(present, wanted) == _meaning(wanted, present)


def items(value: str | None) -> set[str]:
    """The items of a list, without their order and case."""
    return {item.strip().casefold() for item in (value or "").split(",") if item.strip()}


def _meaning(value: str, other: str) -> object:
    """A value as what it stands for; 1 is a boolean only where the other one is a word for it."""
    word = value.strip().casefold()
    if word in _BOOLEANS and {word, other.strip().casefold()} & _WORDS.keys():
        return _BOOLEANS[word]
    return Decimal(word) if _NUMBER.fullmatch(word) else word
