"""Migrated databases without rows, made once a run and copied: to migrate takes seconds."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent


def copy_sqlite(path: Path) -> None:
    """Put a migrated SQLite database where there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        shutil.copy(_sqlite(), path)


def create_postgres(server: str, *, is_migrated: bool) -> str:
    """Create a database on a server, empty or migrated; return its address."""
    name = f"kubat_{uuid.uuid4().hex[:12]}"
    template = f" TEMPLATE {_postgres(server)}" if is_migrated else ""
    _execute(server, f"CREATE DATABASE {name}{template}")
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def drop_postgres(server: str, url: str) -> None:
    _execute(server, f"DROP DATABASE {urlsplit(url).path.removeprefix('/')} WITH (FORCE)")


@functools.cache
def _sqlite() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="kubat-blank-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    _migrate(f"sqlite:///{directory / 'blank.sqlite3'}")
    return directory / "blank.sqlite3"


@functools.cache
def _postgres(server: str) -> str:
    url = create_postgres(server, is_migrated=False)
    atexit.register(drop_postgres, server, url)
    _migrate(url)
    return urlsplit(url).path.removeprefix("/")


def _migrate(url: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "SECRET_KEY": "a key of the tests"}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True
    )


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
