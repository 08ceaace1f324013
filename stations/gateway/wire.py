"""OCPP-J messages as text (OCPP-J 1.6 §4): read without ever failing, written exactly.

A call is an array that begins with 2 and a string id of 1-36 characters; it is owed an answer
whatever else is wrong with it (P5). Anything else that is no answer to us is None.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

CALL, RESULT, ERROR = 2, 3, 4
MAX_ID_LENGTH = 36

_STRING = r'"(?:[^"\\\x00-\x1f]|\\.)*"'
_PREFIX = re.compile(rf"\s*\[\s*2\s*,\s*({_STRING})\s*(?:,\s*({_STRING})\s*)?[,\]]")
"""What shows that a text that no parser takes was meant as a call, and as which."""


@dataclass(slots=True)
class Call:
    """A request of the station. `fault` says what is wrong with its frame, empty when nothing.

    With a fault, `payload` is the object that was found, or empty.
    """

    id: str
    action: str
    payload: dict[str, Any]
    text: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The station's answer to a call of ours."""

    id: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The station's CALLERROR to a call of ours."""

    id: str
    code: str
    description: str


Message = Call | Result | Refusal


def parse(text: str) -> Message | None:
    """Read one text frame; None when it is neither a call nor an answer."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _salvage_call(text)
    if _is_plain_call(frame):
        return Call(frame[1], frame[2], frame[3], text)
    if not isinstance(frame, list) or len(frame) < 2:
        return None
    kind, message_id = frame[0], frame[1]
    if not is_id(message_id) or isinstance(kind, bool):
        return None
    if kind == CALL:
        return _read_call(message_id, frame, text)
    if kind == RESULT and len(frame) == 3 and isinstance(frame[2], dict):
        return Result(message_id, frame[2])
    if kind == ERROR and len(frame) >= 3:
        code, description = frame[2], frame[3] if len(frame) > 3 else ""
        return Refusal(message_id, _short(code, 50), _short(description, 255))
    return None


def is_id(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH


def call(message_id: str, action: str, payload: dict[str, Any]) -> str:
    return _write([CALL, message_id, action, payload])


def result(message_id: str, payload: dict[str, Any]) -> str:
    if not payload and _is_plain(message_id):
        return f'[3,"{message_id}",{{}}]'
    return _write([RESULT, message_id, payload])


def error(message_id: str, code: str, description: str) -> str:
    return _write([ERROR, message_id, code, description, {}])


def _is_plain_call(frame: Any) -> bool:
    """Whether a frame is a call with which nothing is wrong: nearly all frames are."""
    return (
        type(frame) is list
        and len(frame) == 4
        and frame[0] == CALL
        and type(frame[0]) is int
        and type(frame[1]) is str
        and 1 <= len(frame[1]) <= MAX_ID_LENGTH
        and type(frame[2]) is str
        and type(frame[3]) is dict
    )


def _read_call(message_id: str, frame: list[Any], text: str) -> Call:
    action = frame[2] if len(frame) > 2 and isinstance(frame[2], str) else ""
    payload = frame[3] if len(frame) > 3 and isinstance(frame[3], dict) else {}
    if len(frame) != 4:
        fault = f"A call has 4 elements, this one {len(frame)}."
    elif not isinstance(frame[2], str):
        fault = "The action is not a string."
    elif not isinstance(frame[3], dict):
        fault = "The payload is not an object."
    else:
        fault = ""
    return Call(message_id, action, payload, text, fault)


def _salvage_call(text: str) -> Call | None:
    """Find the id in a text that no parser takes: nested too deep, NaN, a number too long."""
    found = _PREFIX.match(text)
    if found is None:
        return None
    message_id, action = _unquote(found[1]), _unquote(found[2] or '""')
    if not is_id(message_id):
        return None
    return Call(message_id, action, {}, text, "The frame is not readable JSON.")


def _unquote(literal: str) -> str:
    try:
        value = json.loads(literal)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


def _short(value: Any, length: int) -> str:
    return value[:length] if isinstance(value, str) else ""


def _is_plain(text: str) -> bool:
    """Whether a text stands in JSON as it is."""
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def _write(frame: list[Any]) -> str:
    """ASCII only: an id may hold half a surrogate pair, which no UTF-8 can carry."""
    try:
        text = orjson.dumps(frame).decode()
    except TypeError:  # that half, or a number that is too long
        return json.dumps(frame, separators=(",", ":"))
    return text if text.isascii() else json.dumps(frame, separators=(",", ":"))
