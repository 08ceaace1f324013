"""How FreedomPay (formerly PayBox) writes and signs: forms in, XML out, MD5 over sorted values.

Pure: it knows neither settings nor payments. MD5 is the protocol's choice; it says who wrote a
message and guards no replay, so nothing is credited on a signature alone.
"""

import hashlib
import hmac
import secrets
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "str | Sequence[Value] | Mapping[str, Value]"
Fields: TypeAlias = Mapping[str, Value]

SIGNATURE, SALT = "pg_sig", "pg_salt"
MAX_DEPTH = 8


def signature(script: str, fields: Fields, secret: str) -> str:
    """MD5 of `script;values sorted by key;secret`, nested values by the same rule.

    `script` is the last segment of the called address; a `pg_sig` among the fields is left out.
    """
    signed = {name: value for name, value in fields.items() if name != SIGNATURE}
    text = ";".join([script, *_values(signed), secret])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def signed(script: str, fields: Mapping[str, str], secret: str) -> dict[str, str]:
    """Add a new salt and the signature."""
    salted = {**fields, SALT: secrets.token_hex(8)}
    return {**salted, SIGNATURE: signature(script, salted, secret)}


def is_signed(script: str, fields: Fields, secret: str) -> bool:
    """Whether a message carries its right signature; without a secret none does."""
    given = fields.get(SIGNATURE)
    if not secret or not isinstance(given, str):
        return False
    return hmac.compare_digest(given.encode(), signature(script, fields, secret).encode())


def read_form(body: bytes) -> dict[str, Value]:
    """Read a form; a name that comes more than once has a list, in the order it came.

    Raises ValueError when it is none.
    """
    pairs = urllib.parse.parse_qs(
        body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=200
    )
    return {name: values[0] if len(values) == 1 else values for name, values in pairs.items()}


def read_xml(body: bytes) -> dict[str, Value]:
    """Read an answer. Raises ValueError when it is no XML, or is nested beyond reason."""
    try:
        root = ET.fromstring(body)
    except ET.ParseError as error:
        raise ValueError(f"no XML: {error}") from error
    read = _read(root, MAX_DEPTH)
    if not isinstance(read, dict):
        raise ValueError("an answer without fields")
    return read


def write_xml(fields: Mapping[str, str]) -> str:
    root = ET.Element("response")
    for name, value in fields.items():
        ET.SubElement(root, name).text = value
    return '<?xml version="1.0" encoding="utf-8"?>' + ET.tostring(root, encoding="unicode")


def _values(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from _values(value[name])
    else:
        for item in value:
            yield from _values(item)


def _read(element: ET.Element, depth: int) -> Value:
    if len(element) == 0:
        return element.text or ""
    if depth == 0:
        raise ValueError("nested too deep")
    found: dict[str, list[Value]] = {}
    for child in element:
        found.setdefault(child.tag, []).append(_read(child, depth - 1))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
