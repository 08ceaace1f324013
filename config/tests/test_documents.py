"""What the documents say to type, to open and to read is there."""

import re
import runpy
import shlex

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.urls import resolve

BASE = settings.BASE_DIR
README = (BASE / "README.md").read_text()
DOCUMENTS = [*BASE.glob("*.md"), *BASE.glob("docs/**/*.md")]
ADRS = sorted(BASE.glob("docs/adr/*.md"))
RUN = runpy.run_path(str(BASE / "run.py"))
MAX_ADR_LINES = 40
FOLDERS = (
    "benchmarks",
    "billing",
    "config",
    "docs",
    "locale",
    "sessions_app",
    "stations",
    "templates",
)
TEXTS = {"", ".py", ".md", ".html", ".toml", ".txt", ".yml", ".po", ".css", ".js", ".svg"}


def shell_lines(text):
    """The lines of all `sh` blocks."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()


COMMANDS = sorted(
    {
        line
        for document in DOCUMENTS
        for line in shell_lines(document.read_text())
        if re.search(r"(run|manage)\.py ", line)
    }
)


def is_text(file):
    return file.is_file() and file.suffix in TEXTS


def name_of(document):
    return str(document.relative_to(BASE))


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists_with_its_options(line):
    words = shlex.split(line, comments=True)
    start = next(index for index, word in enumerate(words) if word.endswith(".py"))
    command, *arguments = words[start + 1 :]
    if words[start] == "run.py":
        assert command in RUN["COMMANDS"]
        if command == "test":
            return
        if command == "manage":
            command, *arguments = arguments
    application = get_commands()[command]
    parser = load_command_class(application, command).create_parser("manage.py", command)
    parser.parse_args(arguments)


def test_the_readme_has_commands():
    assert "python3 run.py demo" in COMMANDS
    assert "python3 run.py test" in COMMANDS


@pytest.mark.parametrize("path", sorted(set(re.findall(r"(?<=[ `])/[a-z_]+/[a-z_/]+", README))))
def test_an_address_in_the_readme_exists(path):
    assert resolve(path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_files(document):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
        if not re.match(r"https?://", target):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_files_that_are_named_exist(document):
    named = re.findall(
        r"`((?:billing|stations|sessions_app|config|docs|benchmarks|templates)/[\w./-]+)`",
        document.read_text(),
    )
    assert [path for path in named if not (BASE / path).exists()] == []


def test_there_are_decisions_to_read():
    assert ADRS


@pytest.mark.parametrize("record", ADRS, ids=name_of)
def test_a_decision_is_short_and_numbered(record):
    lines = record.read_text().splitlines()
    assert len(lines) <= MAX_ADR_LINES
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", record.stem)
    assert re.match(rf"# {int(record.stem[:4])}\. \S", lines[0])
    assert {"## Decision"} <= set(lines)


def test_no_file_names_the_machine_that_it_was_made_on():
    # In brackets, so that this file does not find itself.
    place = re.compile(r"/[w]ork/|/[r]oot/|/[h]ome/|/tmp/[b]rief")
    files = [
        *BASE.glob("*.*"),
        *BASE.glob(".ci/*"),
        *(file for folder in FOLDERS for file in BASE.glob(f"{folder}/**/*.*")),
    ]
    texts = {file: file.read_text(errors="ignore") for file in files if is_text(file)}
    assert [name_of(file) for file, text in texts.items() if place.search(text)] == []
