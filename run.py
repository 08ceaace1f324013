#!/usr/bin/env python3
"""Run Kubat from a bare checkout: the one file that works before anything is installed.

It needs the standard library only, keeps a virtual environment in `.venv`, brings a SQLite
database up to date, and then becomes the command that was asked for. It says what it does on
stderr, so that stdout belongs to that command.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.parse
import zlib
from collections.abc import Iterator
from pathlib import Path

# Users of an older Python are told so, instead of being shown a traceback.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"Kubat needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

BASE = Path(__file__).resolve().parent
VENV = BASE / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
LOCK = BASE / ".venv.lock"
UNFINISHED = BASE / ".venv.unfinished"
MANAGE = str(BASE / "manage.py")

RUNTIME = BASE / "requirements.txt"
DEVELOPMENT = BASE / "requirements-dev.txt"

# What makes, changes or never touches the schema must not find it changed under its hands.
WITHOUT_DATABASE = {"chaos", "migrate", "makemigrations", "simulate", "help", "version"}

USAGE = """\
usage: python3 run.py COMMAND [ARGUMENTS]

  demo [--once] [--port 8180]                 set everything up and show one paid charge
  serve [--port 8180] [--host 0.0.0.0]        serve stations, drivers and staff
  worker                                      do what is due (serve does it too on SQLite)
  manage COMMAND ...                          Django's and Kubat's commands; see `manage help`
  test [pytest arguments]                     run the tests
"""


class Failure(Exception):
    """Something that the user has to put right; its text is all that they are shown."""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(USAGE, end="")
        return 0 if arguments else 2
    name, *rest = arguments
    command = COMMANDS.get(name)
    if command is None:
        print(f"run.py: there is no command {name!r}\n\n{USAGE}", end="", file=sys.stderr)
        return 2
    # An installation that is told to end must end its pip too: subprocess.run does, on exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return become(command(rest))
    except Failure as failure:
        print(f"run.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


# --- The commands: each prepares what it needs and returns what to run -------------------------


def demo(arguments: list[str]) -> list[str]:
    url = os.environ.get("DATABASE_URL", "")
    if sqlite_file(url) is None:
        if url:
            say("the demo keeps to a SQLite database of its own; DATABASE_URL is left alone")
        os.environ["DATABASE_URL"] = sqlite_url(BASE / "demo.sqlite3")
    return _django(["demo", *arguments])


def serve(arguments: list[str]) -> list[str]:
    return _django(["serve", *arguments])


def worker(arguments: list[str]) -> list[str]:
    return _django(["worker", *arguments])


def manage(arguments: list[str]) -> list[str]:
    return _django(arguments)


def test(arguments: list[str]) -> list[str]:
    install([RUNTIME, DEVELOPMENT])
    os.chdir(BASE)
    return [str(PYTHON), "-m", "pytest", *arguments]


COMMANDS = {"demo": demo, "serve": serve, "worker": worker, "manage": manage, "test": test}


def _django(arguments: list[str]) -> list[str]:
    install([RUNTIME])
    is_about_data = bool(arguments) and not arguments[0].startswith("-")
    if is_about_data and arguments[0] not in WITHOUT_DATABASE:
        migrate(database_url())
    return [str(PYTHON), MANAGE, *arguments]


# --- The virtual environment -------------------------------------------------------------------


def install(files: list[Path]) -> None:
    """Make the environment and install what these requirement files name, unless it is there."""
    if all(is_installed(file) for file in files):
        return
    with lock("another run.py is installing; waiting for it"):
        if UNFINISHED.exists() or not _has_pip():
            _make_environment()
        for file in files:
            if not is_installed(file):
                _install(file)


def is_installed(file: Path) -> bool:
    """Whether the environment holds what this file names now."""
    stamp = _stamp(file)
    if UNFINISHED.exists() or not (PYTHON.exists() and stamp.exists()):
        return False
    return stamp.read_text() == _digest(file)


def _stamp(file: Path) -> Path:
    return VENV / f"{file.stem}.installed"


def _digest(file: Path) -> str:
    """Stand for the file's content and for the Python behind the environment.

    When the system's Python is replaced, the packages of the old one are of no use.
    """
    return hashlib.sha256(file.read_bytes() + os.fsencode(PYTHON.resolve())).hexdigest()


def _has_pip() -> bool:
    """Whether the environment works: not when its Python was replaced by another version."""
    if not PYTHON.exists():
        return False
    question = [str(PYTHON), "-c", "import pip"]
    return subprocess.run(question, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _make_environment() -> None:
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        raise Failure(
            "this Python cannot make a virtual environment. "
            "On Debian and Ubuntu: sudo apt install python3-venv"
        )
    say("making the virtual environment .venv")
    UNFINISHED.touch()
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    _run(command, "the virtual environment could not be made")
    UNFINISHED.unlink()


def _install(file: Path) -> None:
    say(f"installing {file.name}; the first time takes about a minute")
    UNFINISHED.touch()
    _run(
        [
            *(str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"),
            *("--requirement", str(file)),
        ],
        f"pip could not install {file.name}",
    )
    _stamp(file).write_text(_digest(file))
    UNFINISHED.unlink()


# --- The database ------------------------------------------------------------------------------


def database_url() -> str:
    """Return the database that the settings will use: the environment's, `.env`'s, or ours."""
    given = os.environ.get("DATABASE_URL") or _from_dotenv("DATABASE_URL")
    return given or sqlite_url(BASE / "kubat.sqlite3")


def _from_dotenv(name: str) -> str:
    file = BASE / ".env"
    text = file.read_text() if file.exists() else ""
    value = r"""(?:'([^']*)'|"([^"]*)"|(\S*))"""
    found = re.search(rf"^(?:export )?{name}={value}", text, re.MULTILINE)
    return next(filter(None, found.groups()), "") if found else ""


def sqlite_url(file: Path) -> str:
    return "sqlite:///" + urllib.parse.quote(file.as_posix())


def sqlite_file(url: str) -> Path | None:
    """Return the file behind a database address; None when it is not SQLite in a file."""
    parts = urllib.parse.urlsplit(url)
    name = urllib.parse.unquote_plus(parts.path[1:])
    return Path(name) if parts.scheme == "sqlite" and name not in {"", ":memory:"} else None


def migrate(url: str) -> None:
    """Bring a SQLite database up to date; other databases are migrated when their owner says so.

    The file carries the version that it was migrated to, so a second start costs nothing.
    """
    file = sqlite_file(url)
    if file is None or schema_version(file) == wanted_version():
        return
    with lock("another run.py is preparing the database; waiting for it"):
        if schema_version(file) == wanted_version():
            return
        say(f"bringing {file} up to date")
        _run(
            [str(PYTHON), MANAGE, "migrate", "--verbosity", "0"],
            f"the database {file} could not be migrated",
        )
        with contextlib.closing(sqlite3.connect(file, timeout=20)) as connection:
            connection.execute(f"PRAGMA user_version = {wanted_version()}")


def schema_version(file: Path) -> int:
    """Return SQLite's `user_version`, which Django leaves alone; 0 is a new database."""
    if not file.exists():
        return 0
    with contextlib.closing(sqlite3.connect(file, timeout=20)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def wanted_version() -> int:
    """Stand for our migrations, and for the packages that bring theirs, as a number above 0."""
    names = sorted(file.relative_to(BASE).as_posix() for file in BASE.glob("*/migrations/*.py"))
    digest = zlib.crc32("\n".join(names).encode() + RUNTIME.read_bytes())
    return digest % 0x7FFFFFFF + 1  # the field is a signed 32-bit integer


# --- Small things, and what differs between systems ---------------------------------------------


def say(text: str) -> None:
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def _run(command: list[str], complaint: str) -> None:
    """Run a step of the preparation; what it prints goes to stderr."""
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        raise Failure(f"{complaint}, for the reason above")


@contextlib.contextmanager
def lock(notice: str) -> Iterator[None]:
    """Let one run.py at a time change this checkout. A process that dies lets go of it."""
    with LOCK.open("a") as file:
        if not _try_lock(file.fileno()):
            say(notice)
            _wait_lock(file.fileno())
        yield  # closing the file lets go


if sys.platform == "win32":
    import msvcrt
    import time

    def become(command: list[str]) -> int:
        """Run `command` as a child, for want of an exec that keeps the process."""
        child = subprocess.Popen(command)
        while True:
            # Ctrl-C reaches the child as well, which ends in its own way.
            with contextlib.suppress(KeyboardInterrupt):
                return child.wait()

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _wait_lock(handle: int) -> None:
        while not _try_lock(handle):
            time.sleep(0.2)
else:
    import fcntl

    def become(command: list[str]) -> int:
        """Turn into `command`, so that signals and the exit code are its own."""
        sys.stdout.flush()
        os.execv(command[0], command)

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _wait_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
