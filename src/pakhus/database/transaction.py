"""The database and its unit of work.

A transaction is a function: `await database.write(work, …)` runs `work(tx, …)` in a thread, commits when it returns
and rolls back when it raises. It has no `await` inside, so that no transaction is ever held while something is waited
for. `read` does the same for reading, `glance` for the few indexed reads of the request path, which on SQLite cost less
than handing them to a thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, Row, create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.pool import QueuePool

from pakhus.database import tables
from pakhus.database.generation import Generation
from pakhus.domain.errors import StorageFull

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate["Transaction", P], T]

BUSY_TIMEOUT_MS = 30_000
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
    "PRAGMA mmap_size=268435456",
)


@dataclass(slots=True)
class Transaction:
    """A connection in a transaction, and the moment that all its rows carry.

    `quiet` transactions change nothing that a client could see (counts, cursors, leases); those that `configure`
    change repositories, users, rights or rules.
    """

    connection: Connection
    now: datetime
    recorded: int = 0
    quiet: bool = False
    configures: bool = False

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return self.connection.execute(statement, parameters)

    def rows(self, statement: Executable) -> list[Row[Any]]:
        return list(self.connection.execute(statement))

    def one(self, statement: Executable) -> Row[Any] | None:
        return self.connection.execute(statement).first()

    def value(self, statement: Executable) -> Any:
        return self.connection.execute(statement).scalar()

    def record(self, kind: str, repository: str = "", **details: Any) -> None:
        """Write an event with the change that it tells of."""
        self.connection.execute(
            tables.event.insert(),
            {"kind": kind, "repository": repository, "details": details, "created": self.now},
        )
        self.recorded += 1


class Database:
    """One database: SQLite in a file, or PostgreSQL."""

    def __init__(self, url: str, generation: Generation, *, connections: int = 10, now: Callable[[], datetime]) -> None:
        self._now = now
        self.generation = generation
        self.on_recorded: Callable[[], None] = lambda: None
        self._engine = _engine(url, connections)
        self.dialect = self._engine.dialect.name
        embedded = self.dialect == "sqlite"
        self._writers = ThreadPoolExecutor(1 if embedded else connections, "pakhus-write")
        self._readers = ThreadPoolExecutor(max(2, connections // 2), "pakhus-read") if embedded else self._writers
        self._glancing = self._engine.connect() if embedded else None

    @classmethod
    def embedded(cls, folder: Path, *, now: Callable[[], datetime] | None = None) -> Database:
        """The SQLite database of a data directory."""
        folder.mkdir(parents=True, exist_ok=True)
        clock = now or (lambda: datetime.now(UTC))
        return cls(f"sqlite:///{folder / 'pakhus.db'}", Generation(folder / "generation"), now=clock)

    @property
    def engine(self) -> Engine:
        return self._engine

    async def write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a write transaction. A lost race for a unique key is tried once more."""
        loop = asyncio.get_running_loop()
        result, recorded = await loop.run_in_executor(self._writers, lambda: self._attempt(work, *args, **kwargs))
        if recorded:
            self.on_recorded()
        return result

    async def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a read transaction, in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.read_now(work, *args, **kwargs))

    async def glance(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short indexed read: on SQLite at once, in the event loop; elsewhere in a thread."""
        if self._glancing is None:
            return await self.read(work, *args, **kwargs)
        with self._glancing.begin():
            return work(Transaction(self._glancing, self._now(), quiet=True), *args, **kwargs)

    def write_now(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write`, in this thread."""
        return self._attempt(work, *args, **kwargs)[0]

    def _attempt(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, int]:
        try:
            return self._write(work, *args, **kwargs)
        except IntegrityError:
            return self._write(work, *args, **kwargs)
        except OperationalError as error:
            if _has_no_room(error):
                raise StorageFull("The database has no room left.") from error
            raise

    def _write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, int]:
        """The result of `work`, and how many events it recorded."""
        with self._engine.connect() as connection:
            connection = connection.execution_options(pakhus_write=True)
            with connection.begin():
                tx = Transaction(connection, self._now())
                result = work(tx, *args, **kwargs)
        if tx.configures or not tx.quiet:
            self.generation.bump(configuration=tx.configures)
        return result, tx.recorded

    def read_now(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._engine.connect() as connection, connection.begin():
            return work(Transaction(connection, self._now(), quiet=True), *args, **kwargs)

    def close(self) -> None:
        self._writers.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        if self._glancing is not None:
            self._glancing.close()
        self._engine.dispose()
        self.generation.close()


def _engine(url: str, connections: int) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed,
            poolclass=QueuePool,
            pool_size=connections + 4,
            max_overflow=4,
            connect_args={"check_same_thread": False, "isolation_level": None, "cached_statements": 512},
        )
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(parsed, pool_size=connections, max_overflow=2, pool_pre_ping=True)


def _has_no_room(error: OperationalError) -> bool:
    """The disk is full, as SQLite (result code 13) and PostgreSQL (SQLSTATE 53100) say it."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == "53100"


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: Connection) -> None:
    """pysqlite's own BEGIN comes too late and is deferred: a read-then-write transaction would lose updates."""
    write = connection.get_execution_options().get("pakhus_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
