"""What a confirmation is on the wire: python-ocpp's dataclass in OCPP's spelling, and no None.

As python-ocpp does it, with what depends on names and types alone found out once.
"""

import dataclasses
import functools
from typing import Any

from ocpp.charge_point import snake_to_camel_case

EMPTY: dict[str, Any] = {}


def payload_of(confirmation: Any) -> dict[str, Any]:
    """The payload of a confirmation."""
    kind: Any = type(confirmation)
    fields = _fields_of(kind)
    return _object((key, getattr(confirmation, name)) for name, key in fields) if fields else EMPTY


def _object(items: Any) -> dict[str, Any]:
    return {key: _value(value) for key, value in items if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return _object((_spelled(key), inner) for key, inner in value.items())
    if isinstance(value, list):
        return [_value(inner) for inner in value if inner is not None]
    return payload_of(value) if dataclasses.is_dataclass(value) else value


@functools.lru_cache(maxsize=256)
def _fields_of(kind: Any) -> tuple[tuple[str, str], ...]:
    return tuple((field.name, _spelled(field.name)) for field in dataclasses.fields(kind))


@functools.lru_cache(maxsize=1024)
def _spelled(key: str) -> str:
    (spelled,) = snake_to_camel_case({key: None})
    return str(spelled)
