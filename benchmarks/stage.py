"""What several scenarios set up: databases with stations and drivers, and servers on them."""

import contextlib
import shutil
import sqlite3
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from . import profiled, servers
from .figures import Figure, Goal
from .options import UVICORN, Options
from .rounds import Say
from .servers import Server, has_uvicorn
from .stores import Postgres

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Database:
    """One with all stations and drivers of a run, and nothing that happened yet."""

    url: str
    driver_ids: list[str]

    @property
    def engine(self) -> str:
        return SQLITE if self.url.startswith("sqlite") else POSTGRESQL

    def count(self, table: str) -> int:
        """How many rows a table has."""
        query = f"SELECT count(*) FROM {table}"
        if self.engine == SQLITE:
            with contextlib.closing(sqlite3.connect(urllib.parse.urlsplit(self.url).path)) as file:
                return int(file.execute(query).fetchone()[0])
        with psycopg.connect(self.url) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])


class Stage:
    """Where scenarios play. `postgres` and `redis_url` are None where there is none."""

    def __init__(
        self, options: Options, *, postgres: Postgres | None, redis_url: str | None, say: Say
    ) -> None:
        self.options, self.postgres, self.redis_url, self.say = options, postgres, redis_url, say
        self._models: dict[str, Database] = {}
        self._stack = contextlib.ExitStack()

    def close(self) -> None:
        self._stack.close()

    @property
    def directory(self) -> Path:
        return self.options.directory

    @property
    def engine(self) -> str:
        """What Kubat is measured on where only one engine is."""
        return POSTGRESQL if self.postgres else SQLITE

    @contextlib.contextmanager
    def database(self, engine: str = "") -> Iterator[Database]:
        """A new database, a copy of one that is filled once a run."""
        model = self._model(engine or self.engine)
        with self._copy(model.url) as url:
            yield Database(url, model.driver_ids)

    def _model(self, engine: str) -> Database:
        if engine not in self._models:
            sizes = self.options.sizes
            url = self._stack.enter_context(self._empty(engine))
            arguments = (str(sizes.known_stations), str(sizes.stations))
            printed = servers.run(
                "-m", "benchmarks.seed", *arguments, environment=servers.kubat_environment(url)
            )
            self._models[engine] = Database(url, printed.split())
        return self._models[engine]

    @contextlib.contextmanager
    def _empty(self, engine: str) -> Iterator[str]:
        if engine == SQLITE:
            yield f"sqlite:///{self.directory / 'model.sqlite3'}"
            return
        assert self.postgres is not None
        with self.postgres.database() as url:
            yield url

    @contextlib.contextmanager
    def _copy(self, url: str) -> Iterator[str]:
        place = urllib.parse.urlsplit(url)
        if place.scheme == "sqlite":
            copy = self.directory / f"{uuid.uuid4().hex}.sqlite3"
            shutil.copy(place.path, copy)
            yield f"sqlite:///{copy}"
            return
        assert self.postgres is not None
        with self.postgres.database(like=place.path.removeprefix("/")) as copied:
            yield copied

    @contextlib.contextmanager
    def kubat(self, database: Database, kind: str, *, redis_url: str = "") -> Iterator[Server]:
        """A `serve` with its defaults; its profile is told when it ends, where one is asked for."""
        profile = ""
        if self.options.is_profiled:
            profile = str(self.directory / f"{kind}-{uuid.uuid4().hex}.prof")
        server = servers.kubat(
            database_url=database.url,
            directory=self.directory,
            redis_url=redis_url,
            kind=kind,
            profile=profile,
        )
        with server:
            yield server
            if profile:
                server.end(is_graceful=True)
                self.say(f"--- {server.name}, {database.engine}\n{profiled.tell(profile)}")

    def without(self, place: str, name: str, unit: str, goal: Goal | None) -> Figure:
        """The row of something that cannot be measured here."""
        missing = "no PostgreSQL here"
        if not any(kind in place for kind in self.options.kinds):
            missing = "not asked for"
        elif UVICORN in place and not has_uvicorn():
            missing = "this Kubat cannot serve by uvicorn yet, or uvicorn is not installed"
        self.say(f"  {name}: skipped, {missing}")
        return Figure(name, unit, goal=goal, missing=f"skipped: {missing}")

    def kinds(self) -> list[str]:
        """What Kubat is asked to serve by, and can here."""
        return [kind for kind in self.options.kinds if kind != UVICORN or has_uvicorn()]
