"""What a station meant by an answer to GetConfiguration that breaks the schema a little. Pure.

Without it one empty value costs all keys, what the station supports among them. Seen of stations:
null for an empty value, numbers and booleans for their text, texts longer than 500 characters,
`readonly` as a text or left out.
"""

from typing import Any

MAX_VALUE = 500
_TRUE = frozenset({"true", "1", "yes"})


def tidied(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with each key's value as a text and its `readonly` as a boolean.

    What is no key at all stays as it is, for the schema to refuse.
    """
    said = {name: value for name, value in answer.items() if value is not None}
    if isinstance(keys := said.get("configurationKey"), list):
        said["configurationKey"] = [_tidied_key(key) for key in keys]
    return said


def _tidied_key(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    key = {name: value for name, value in item.items() if name not in {"value", "readonly"}}
    key["readonly"] = str(item.get("readonly")).strip().casefold() in _TRUE
    value = item.get("value")
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, int | float):
        value = str(value)
    if value is not None:
        key["value"] = value[:MAX_VALUE] if isinstance(value, str) else value
    return key
