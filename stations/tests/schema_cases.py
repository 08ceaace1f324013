"""Payloads for tests: such as keep one of OCPP's JSON schemas, and such with one more fault."""

import copy

from hypothesis import strategies as st

ANYTHING = st.sampled_from(
    [None, True, 0, -1, 1.0, 2.5, 4.11, 21.4, 10**20, "", "x", "7", "é" * 30, [], [1], {}, {"a": 1}]
)


def payloads(schema):
    """A strategy for payloads that keep a schema."""
    return _payloads(schema, schema.get("definitions", {}))


def _payloads(schema, definitions):
    if "$ref" in schema:
        return _payloads(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _OF_TYPE[schema["type"]](schema, definitions)


def _objects(schema, definitions):
    needed = set(schema.get("required", []))
    fields = {
        key: _payloads(value, definitions) for key, value in schema.get("properties", {}).items()
    }
    return st.fixed_dictionaries(
        {key: value for key, value in fields.items() if key in needed},
        optional={key: value for key, value in fields.items() if key not in needed},
    )


def _arrays(schema, definitions):
    least = schema.get("minItems", 0)
    return st.lists(_payloads(schema["items"], definitions), min_size=least, max_size=max(least, 2))


def _strings(schema, _definitions):
    longest = schema.get("maxLength", 30)
    return st.sampled_from(["", "x", "Ж", "2026-11-24T13:00:00Z", "x" * longest]).map(
        lambda text: text[:longest]
    )


def _numbers(schema, _definitions):
    return st.integers(-(10**9), 10**9).map(lambda tenths: tenths / 10)


_OF_TYPE = {
    "object": _objects,
    "array": _arrays,
    "string": _strings,
    "integer": lambda _schema, _definitions: st.sampled_from([0, 1, -1, 7, 2**31 - 1, 2**40]),
    "number": _numbers,
    "boolean": lambda _schema, _definitions: st.booleans(),
}


@st.composite
def mutated(draw, value):
    """The value with one change somewhere in it: taken away, added, replaced or made longer."""
    value = copy.deepcopy(value)
    parents = list(_parents(value))
    if not parents:
        return draw(ANYTHING)
    parent = draw(st.sampled_from(parents))
    keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
    kind = draw(st.sampled_from(["replace", "replace", "lengthen", "drop", "add"]))
    if kind == "add" or not keys:
        _add(parent, draw(st.sampled_from(["more", "status", "idTag", "limit"])), draw(ANYTHING))
        return value
    key = draw(st.sampled_from(keys))
    if kind == "drop":
        del parent[key]
    elif kind == "lengthen" and isinstance(parent[key], str):
        parent[key] += "y" * draw(st.sampled_from([1, 20, 300, 6000]))
    else:
        parent[key] = draw(ANYTHING)
    return value


def _add(parent, key, value):
    if isinstance(parent, dict):
        parent[key] = value
    else:
        parent.append(value)


def _parents(value):
    """Every object and list in a value."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _parents(inner)
