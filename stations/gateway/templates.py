"""What a call to a station may look like: the smallest payload that its schema lets through.

Pure: read from OCPP's own schemas, for forms that ask staff for any call.
"""

from typing import Any

from . import schemas

_PLACEHOLDERS: dict[str, Any] = {"integer": 0, "number": 0, "boolean": False, "string": ""}
_FORMATS = {"date-time": "2027-01-01T00:00:00Z", "uri": "https://example.org/"}


def template(action: str, *, subprotocol: str = schemas.DEFAULT) -> dict[str, Any]:
    """The required fields of a call, each with a placeholder; of a choice the first."""
    schema = schemas.schema_of(subprotocol, action)
    filled: dict[str, Any] = _fill(schema, schema.get("definitions", {}))
    return filled


def choices(action: str, field: str, *, subprotocol: str = schemas.DEFAULT) -> list[str]:
    """What a field of a call may be, in the order of the schema."""
    schema = schemas.schema_of(subprotocol, action)
    found = _resolve(schema["properties"][field], schema.get("definitions", {}))
    return list(found["enum"])


def _fill(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    schema = _resolve(schema, definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        fields = schema.get("properties", {})
        return {name: _fill(fields[name], definitions) for name in schema.get("required", [])}
    if schema["type"] == "array":
        return [_fill(schema["items"], definitions)]
    return _FORMATS.get(schema.get("format", ""), _PLACEHOLDERS[schema["type"]])


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/definitions/")
    return definitions[name] if name else schema
