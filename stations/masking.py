"""What is nobody's to read in OCPP messages: keys, passwords, tokens of addresses. Pure."""

import json
import re
from typing import Any

MASK = "***"
SECRET_KEYS = frozenset({"authorizationkey"})
"""Configuration keys whose value is a password (OCPP 1.6 security whitepaper, 2.1)."""

_SECRET_NAME = re.compile("authorizationkey|password|passwd|secret", re.IGNORECASE)
"""Names of configuration keys whose value is nobody's to read, makers' own keys among them."""
_HINT = re.compile(_SECRET_NAME.pattern + r"|\\u00[2-7]", re.IGNORECASE)
"""What shows that a text may hold a secret: its name, or letters that are escaped for no reason."""
_USER_IN_ADDRESS = re.compile(r"(:(?:\\?/){2})[^\s\"]*@")
_QUERY_IN_ADDRESS = re.compile(r"(:(?:\\?/){2}[^\s\"?#]*\?)[^\s\"#]+")
_TOKEN_IN_ADDRESS = re.compile(r"(?<=/)(?:\d+\.)?[A-Za-z0-9_=-]{20,}(?=[/\"\\\s?#]|$)")
"""A long word, or a number and a long word: an address of ours (`addresses`) has the latter."""
_ADDRESS = re.compile(r"\w:(?:\\?/){2}[^\s\"]+")
_KEY = "authorizationkey"


def mask_text(text: str) -> str:
    """Hide the secrets in the text of a message: keys, passwords, tokens of addresses."""
    if _may_tell_secret(text):
        try:
            return json.dumps(mask(json.loads(text)), separators=(",", ":"))
        except (ValueError, RecursionError):
            return "(not kept: it names a secret and cannot be read)"
    return mask_addresses(text)


def _may_tell_secret(text: str) -> bool:
    """Whether `_HINT` finds something; most texts show cheaply that it does not.

    Only among ASCII are lower and upper case pairs: a long s is an s to a pattern.
    """
    if text.isascii() and "\\" not in text:
        lowered = text.lower()
        if not ("passw" in lowered or "secret" in lowered or _KEY in lowered):
            return False
    return _HINT.search(text) is not None


def mask(value: Any) -> Any:
    """Return the JSON value with its secrets hidden."""
    if isinstance(value, list):
        return [mask(item) for item in value]
    if isinstance(value, str):
        return _mask_string(value)
    if not isinstance(value, dict):
        return value
    hidden = {key: mask(item) for key, item in value.items()}
    if _SECRET_NAME.search(str(value.get("key", ""))) and value.get("value"):
        hidden["value"] = MASK
    return hidden | {key: MASK for key in value if _SECRET_NAME.search(key) and value[key]}


def mask_addresses(text: str) -> str:
    """Hide who logs in, queries and tokens in the addresses of a text (GetDiagnostics, GetLog)."""
    if "/" not in text or (":/" not in text and ":\\/" not in text):
        return text
    return _ADDRESS.sub(lambda found: _mask_address(found[0]), text)


def _mask_address(address: str) -> str:
    address = _USER_IN_ADDRESS.sub(rf"\1{MASK}@", address)
    address = _QUERY_IN_ADDRESS.sub(rf"\1{MASK}", address)
    return _TOKEN_IN_ADDRESS.sub(MASK, address)


def _mask_string(text: str) -> str:
    """A string that tells of a secret may tell it: JSON in a DataTransfer does. Names may stay."""
    if _SECRET_NAME.search(text) and not text.isidentifier():
        return MASK
    return mask_addresses(text)
