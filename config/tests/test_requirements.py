"""What is installed is what pyproject.toml asks for."""

import re
import tomllib

import pytest
from django.conf import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
RUNTIME = [Requirement(text) for text in PROJECT["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["optional-dependencies"]["dev"]]
WANTED = {
    "requirements.txt": RUNTIME,
    "requirements-dev.txt": RUNTIME + DEVELOPMENT,
}


def text_of(file):
    return (settings.BASE_DIR / file).read_text()


def pins_of(file):
    found = re.findall(r"^([\w.-]+)==(\S+)$", text_of(file), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


@pytest.mark.parametrize("file", WANTED)
def test_the_lock_holds_what_is_asked_for(file):
    pins = pins_of(file)
    for requirement in WANTED[file]:
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not locked: run pip-compile"
        assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]} is not allowed"


@pytest.mark.parametrize("file", WANTED)
def test_the_lock_holds_nothing_that_is_no_longer_asked_for(file):
    ours = re.findall(
        r"^([\w.-]+)==\S+\n(?:    #.*\n)*?    # +(?:via )?kubat \(pyproject\.toml\)",
        text_of(file),
        re.MULTILINE,
    )
    wanted = {canonicalize_name(requirement.name) for requirement in WANTED[file]}
    assert {canonicalize_name(name) for name in ours} == wanted


def test_tests_run_on_what_is_shipped():
    development = pins_of("requirements-dev.txt")
    assert pins_of("requirements.txt").items() <= development.items()
