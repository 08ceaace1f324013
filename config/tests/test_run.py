"""`run.py` in a small checkout of its own: a real environment, real processes."""

import ast
import os
import runpy
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run

SOURCE = Path(run.__file__)

MANAGE = """\
import os, sqlite3, sys, time
name, *rest = sys.argv[1:]
print("manage", name, *rest)
if name == "migrate":
    path = os.environ["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE migrated (n)")
if name == "leave":
    sys.exit(int(rest[0]))
if name == "wait":
    open(rest[0], "w").close()
    time.sleep(60)
"""


class Checkout:
    """A directory with run.py, an empty list of requirements and a tiny manage.py."""

    def __init__(self, directory):
        self.directory = directory
        self.database = directory / "test.sqlite3"
        shutil.copy(SOURCE, directory / "run.py")
        (directory / "manage.py").write_text(MANAGE)
        (directory / "requirements.txt").touch()
        (directory / "requirements-dev.txt").touch()
        (directory / "house" / "migrations").mkdir(parents=True)
        (directory / "house" / "migrations" / "0001_initial.py").touch()

    def command(self, *arguments):
        return [sys.executable, str(self.directory / "run.py"), *arguments]

    @property
    def environment(self):
        return {**os.environ, "DATABASE_URL": f"sqlite:///{self.database}"}

    def run(self, *arguments):
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments):
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkout whose environment is made; tests leave it usable."""
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    assert checkout.run("manage", "version").returncode == 0
    return checkout


@pytest.fixture
def checkout(made):
    made.database.unlink(missing_ok=True)
    return made


def test_stdout_belongs_to_the_command_on_the_very_first_run(tmp_path):
    done = Checkout(tmp_path).run("manage", "show", "--all")
    assert done.stdout == "manage show --all\n"
    assert "making the virtual environment" in done.stderr
    assert "bringing" in done.stderr


def test_a_second_start_prepares_nothing(checkout):
    checkout.run("manage", "show")
    done = checkout.run("manage", "show")
    assert (done.stdout, done.stderr) == ("manage show\n", "")


def test_exit_codes_pass_through(checkout):
    assert checkout.run("manage", "leave", "7").returncode == 7


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_to_run_py_reaches_the_command(checkout, tmp_path):
    begun = tmp_path / "begun"
    process = checkout.start("manage", "wait", str(begun))
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM


def test_changed_requirements_are_installed_once(checkout):
    file = checkout.directory / "requirements.txt"
    file.write_text("# another list\n")
    assert "installing requirements.txt" in checkout.run("manage", "version").stderr
    assert checkout.run("manage", "version").stderr == ""


def test_an_interrupted_installation_is_made_again_from_scratch(checkout):
    (checkout.directory / ".venv.unfinished").touch()
    rubble = checkout.directory / ".venv" / "rubble"
    rubble.touch()
    done = checkout.run("manage", "version")
    assert done.returncode == 0
    assert "making the virtual environment" in done.stderr
    assert not rubble.exists()
    assert checkout.run("manage", "version").stderr == ""


def test_requirements_that_cannot_be_installed_are_a_clear_failure(checkout):
    file = checkout.directory / "requirements.txt"
    whole = file.read_text()
    file.write_text("./no-such-directory\n")
    done = checkout.run("manage", "version")
    assert done.returncode == 1
    assert "run.py: pip could not install requirements.txt" in done.stderr
    assert done.stdout == ""
    file.write_text(whole)
    assert checkout.run("manage", "version").returncode == 0


def test_two_at_once_install_and_migrate_once(tmp_path):
    checkout = Checkout(tmp_path)
    both = [checkout.start("manage", "show") for _ in range(2)]
    results = [(*process.communicate(timeout=120), process.returncode) for process in both]
    assert [(out, code) for out, _, code in results] == [("manage show\n", 0)] * 2
    said = "".join(errors for _, errors, _ in results)
    assert said.count("making the virtual environment") == 1
    assert said.count("up to date") == 1


def test_the_database_is_migrated_again_when_a_migration_is_new(checkout):
    checkout.run("manage", "show")
    assert user_version(checkout.database) > 0
    with sqlite3.connect(checkout.database) as connection:
        connection.execute("DROP TABLE migrated")
    migration = checkout.directory / "house" / "migrations" / "0002_more.py"
    migration.touch()
    assert "up to date" in checkout.run("manage", "show").stderr
    assert checkout.run("manage", "show").stderr == ""
    migration.unlink()


@pytest.mark.parametrize("command", ["migrate", "makemigrations", "simulate", "--help"])
def test_what_makes_or_needs_no_schema_finds_none(checkout, command):
    assert "up to date" not in checkout.run("manage", command).stderr


def test_a_failed_migration_runs_nothing(checkout):
    with sqlite3.connect(checkout.database) as connection:
        connection.execute("CREATE TABLE migrated (n)")
    done = checkout.run("manage", "show")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "could not be migrated" in done.stderr


def test_without_a_command_it_shows_its_usage(checkout):
    assert checkout.run().returncode == 2
    for name in ("demo", "test", "serve", "worker", "manage"):
        assert f"  {name} " in checkout.run("--help").stdout


def test_an_unknown_command_is_named(checkout):
    done = checkout.run("sevre")
    assert done.returncode == 2
    assert "there is no command 'sevre'" in done.stderr


def test_a_python_without_venv_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(run.Failure, match="python3-venv"):
        run._make_environment()


def test_an_older_python_can_read_run_py_and_is_told_what_it_needs(monkeypatch):
    ast.parse(SOURCE.read_text(), feature_version=(3, 7))
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        runpy.run_path(str(SOURCE))


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////srv/kubat/data.sqlite3", Path("/srv/kubat/data.sqlite3")),
        ("sqlite:///data.sqlite3", Path("data.sqlite3")),
        ("sqlite:///C:/kubat/data.sqlite3", Path("C:/kubat/data.sqlite3")),
        ("sqlite:////srv/my%20data.sqlite3", Path("/srv/my data.sqlite3")),
        ("sqlite://:memory:", None),
        ("sqlite:///:memory:", None),
        ("postgres://user@host/name", None),
        ("", None),
    ],
)
def test_only_sqlite_in_a_file_is_migrated(url, file):
    assert run.sqlite_file(url) == file


@pytest.mark.parametrize("name", ["/srv/a b/x.sqlite3", "/srv/c++/100%/x.sqlite3", "/x#y.sqlite3"])
def test_any_path_makes_a_round_trip_through_its_address(name):
    assert run.sqlite_file(run.sqlite_url(Path(name))) == Path(name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("DATABASE_URL=sqlite:////a\n", "sqlite:////a"),
        ("# DATABASE_URL=no\nexport DATABASE_URL='sqlite:////b c'\n", "sqlite:////b c"),
        ('X=1\nDATABASE_URL="sqlite:////d" # ours\n', "sqlite:////d"),
        ("MY_DATABASE_URL=no\n", ""),
    ],
)
def test_the_database_may_be_named_in_dotenv(tmp_path, monkeypatch, text, value):
    (tmp_path / ".env").write_text(text)
    monkeypatch.setattr(run, "BASE", tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert run.database_url() == (value or run.sqlite_url(tmp_path / "kubat.sqlite3"))


def test_the_environment_goes_before_dotenv(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:////from-file\n")
    monkeypatch.setattr(run, "BASE", tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:////from-environment")
    assert run.database_url() == "sqlite:////from-environment"


def user_version(file):
    with sqlite3.connect(file) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]
