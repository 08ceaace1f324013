"""docs/ocpp-support.md says what the code does: each action, its direction, place and test."""

import ast
import inspect
import re

import pytest
from django.conf import settings

from stations.gateway import schemas
from stations.gateway.v16.charge_point import ChargePoint
from stations.gateway.v16.exchange import SUBPROTOCOL

BASE = settings.BASE_DIR
ROW = re.compile(r"^\| (\w+) \| ([\w ]+) \| ([←→ ]+) \| (.+) \| (.+) \|$", re.MULTILINE)
FROM, TO, BOTH = "←", "→", "← →"
ROWS = ROW.findall((BASE / "docs/ocpp-support.md").read_text())
SUPPORTED = {action: row for action, *row in ROWS}


def handled():
    """The actions that a station may send, by python-ocpp's own marks."""
    methods = inspect.getmembers(ChargePoint, lambda member: hasattr(member, "_on_action"))
    return {method._on_action.value for _, method in methods}


def named_in(cell):
    return re.findall(r"`([^`]+)`", cell)


def names_in(path):
    tree = ast.parse((BASE / path).read_text())
    return {node.name for node in ast.walk(tree) if hasattr(node, "name")}


def test_every_action_of_ocpp_16_has_one_row():
    assert len(ROWS) == len(SUPPORTED)
    assert set(SUPPORTED) == schemas.actions(SUBPROTOCOL)


def test_the_direction_is_that_of_the_code():
    told = {action: row[1].strip() for action, row in SUPPORTED.items()}
    told_to_us, asked = handled(), schemas.CALLS[SUBPROTOCOL]
    directions = dict.fromkeys(asked, TO) | dict.fromkeys(told_to_us, FROM)
    assert told == directions | dict.fromkeys(told_to_us & asked, BOTH)


@pytest.mark.parametrize("action", SUPPORTED)
def test_the_place_exists_and_knows_the_action(action):
    _, _, where, _ = SUPPORTED[action]
    paths = named_in(where)
    assert paths
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
    texts = [(BASE / path).read_text() for path in paths]
    assert any(action in text or snake in text for text in texts)


@pytest.mark.parametrize("action", SUPPORTED)
def test_the_test_exists(action):
    _, _, _, shown = SUPPORTED[action]
    named = named_in(shown)
    assert named
    for name in named:
        path, _, test = name.partition("::")
        assert test in names_in(path), name


@pytest.mark.parametrize("action", SUPPORTED)
def test_the_test_is_about_the_action(action):
    _, _, _, shown = SUPPORTED[action]
    texts = [(BASE / name.partition("::")[0]).read_text() for name in named_in(shown)]
    assert any(action in text for text in texts)
