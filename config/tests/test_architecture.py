"""The rules on who imports whom hold, and each of them can be broken."""

import json
import subprocess
import sys
import tomllib

import pytest
from django.conf import settings

from .architecture import FAULTS, PYPROJECT

RULES = {
    rule["id"]: rule["name"]
    for rule in tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["contracts"]
}


@pytest.fixture(scope="module")
def verdicts():
    command = [sys.executable, "-m", "config.tests.architecture"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_kept(verdicts, rule):
    assert verdicts[rule]["is_kept"], f"broken: {RULES[rule]}. Run lint-imports to see where."


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_can_be_broken(verdicts, rule):
    assert FAULTS[rule]
    assert verdicts[rule]["unseen_faults"] == []
