"""How a line of the log is written: for people or for machines, with its ids, without secrets.

Nothing here runs for a line that the level leaves out.
"""

import datetime as dt
import functools
import logging
import re
from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings

from billing import context, tracing
from stations.masking import MASK, mask_addresses

FORMATS = ("text", "json")
LEAST_SECRET = 8
"""A shorter value of a setting is found by chance in what is no secret."""

_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
_FOREIGN = {"request", "server_time"}
"""What Django adds to a line for its own pages: an object, and a time that we write ourselves."""
_NAMES = r"authorization|cookie|csrf\w*|passw(?:or)?d|secret\w*|token|sessionid|api[_-]?key|pg_sig"
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest|Token)(\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
_PAIR = re.compile(
    rf"""(\b(?:{_NAMES})["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s"',;&)}}\]]+)""", re.IGNORECASE
)
_CONFIGURED = re.compile(
    r"""(["']key["']:\s*["'][^"']*(?:authorizationkey|passw|secret)[^"']*["'],\s*"""
    r"""(?:["']readonly["']:\s*\w+,\s*)?["']value["']:\s*)(?:"[^"]*"|'[^']*')""",
    re.IGNORECASE,
)
"""A configuration key and its value, as OCPP writes it and as Python shows it."""
_SECRET_FIELD = re.compile(_NAMES, re.IGNORECASE)
_TOKEN_IN_PATH = re.compile(r"(?<=/)\d+\.[\w-]{20,}(?=[/\s?#]|$)")
"""The signed part of an address of ours (stations/addresses), where no scheme tells that it is."""
_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), 127, 0x85]} | {
    9: "\\t",
    10: "\\n",
    13: "\\r",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


class Text(logging.Formatter):
    """One line for people; what it is about stands at its end as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        said = record.args if isinstance(record.args, Mapping) else {}
        extra = {name: value for name, value in _extra(record).items() if name not in said}
        told = {**_ids(), **extra}
        line = f"{self.formatTime(record)} {record.levelname} {record.name} {_message(record)}"
        if told:
            line += f" [{' '.join(f'{name}={_shown(value)}' for name, value in told.items())}]"
        return "\n".join([line, *_trouble(self, record)])


class Json(logging.Formatter):
    """One object a line (orjson): time, level, logger, message, ids, extras, exception."""

    def format(self, record: logging.LogRecord) -> str:
        at = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": hidden(record.getMessage()),
            **{name: _plain(value) for name, value in {**_ids(), **_extra(record)}.items()},
        }
        if trouble := _trouble(self, record):
            line["exception"] = "\n".join(trouble)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode(
            "utf-8", "replace"
        )


def hidden(text: str) -> str:
    """Hide what is nobody's to read: credentials, keys, tokens of addresses, our own secrets."""
    for secret in _own_secrets():
        text = text.replace(secret, MASK)
    text = _SCHEME.sub(rf"\1\2{MASK}", text)
    text = _CONFIGURED.sub(rf"\1{MASK}", _PAIR.sub(rf"\1{MASK}", text))
    return _TOKEN_IN_PATH.sub(MASK, mask_addresses(text))


def _ids() -> Mapping[str, object]:
    trace_id = tracing.trace_id()
    return {**context.ids(), "trace_id": trace_id} if trace_id else context.ids()


def _message(record: logging.LogRecord) -> str:
    """The message in one line: what a client sends cannot write a line of its own."""
    return hidden(record.getMessage()).translate(_CONTROL)


def _extra(record: logging.LogRecord) -> dict[str, object]:
    """What the line was given beside its message."""
    names = record.__dict__.keys() - _STANDARD - _FOREIGN
    return {
        name: MASK if _SECRET_FIELD.search(name) else record.__dict__[name]
        for name in sorted(names)
    }


def _shown(value: object) -> str:
    text = hidden(str(value)).translate(_CONTROL)
    return f'"{text}"' if " " in text or not text else text


def _plain(value: object) -> object:
    if isinstance(value, int | float | bool | None):
        return value
    return hidden(str(value))


def _trouble(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """The traceback, as far as there is one; what an exception says may be a secret too."""
    told = []
    if record.exc_info:
        told.append(_traceback(formatter.formatException(record.exc_info)))
    if record.stack_info:
        told.append(_traceback(formatter.formatStack(record.stack_info)))
    return told


def _traceback(text: str) -> str:
    return "\n".join(hidden(line) for line in text.splitlines())


@functools.cache
def _own_secrets() -> tuple[str, ...]:
    """The values of our settings that are secrets, longest first."""
    named = (settings.SECRET_KEY, settings.CSMS_FREEDOMPAY_SECRET, settings.CSMS_OSMP_KEY)
    values = {*named, str(settings.DATABASE.get("PASSWORD") or "")}
    return tuple(sorted((v for v in values if len(v) >= LEAST_SECRET), key=len, reverse=True))
