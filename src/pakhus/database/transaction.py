"""The database and its unit of work.

A transaction is a function: `await database.write(work, …)` runs `work(tx, …)` in a thread, commits when it returns
and rolls back when it raises. It has no `await` inside, so that no transaction is ever held while something is waited
for. `read` does the same for reading, `glance` for the few indexed reads of the request path, which on SQLite cost less
than handing them to a thread.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
    Row,
    create_engine,
    event,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError, IntegrityError, OperationalError
from sqlalchemy.pool import QueuePool

from pakhus.database import narrowing, tables, trail
from pakhus.database.generation import Generation
from pakhus.database.writer import Writer
from pakhus.domain import initiator
from pakhus.domain.errors import StorageFull
from pakhus.domain.events import CONFIGURED
from pakhus.domain.initiator import SYSTEM, Initiator
from pakhus.domain.masking import recorded

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate["Transaction", P], T]

BUSY_TIMEOUT_MS = 30_000
EDITION = "configuration.edition"
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
    "PRAGMA mmap_size=268435456",
)

_EVENT = tables.event.insert()


@dataclass(slots=True)
class Transaction:
    """A connection in a transaction, and the moment that all its rows carry.

    `quiet` transactions change nothing that a client could see (counts, cursors, leases); those that `configure`
    change repositories, users, rights or rules. All that they record is in the name of the `initiator`.
    """

    connection: Connection
    now: datetime
    initiator: Initiator
    recorded: int = 0
    quiet: bool = False
    configures: bool = False

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        if (kind := trail.kind_of(statement)) is not None:
            return trail.executed(self, kind, statement, parameters)
        return self.connection.execute(statement, parameters)

    def rows(self, statement: Executable) -> list[Row[Any]]:
        return list(self.connection.execute(statement))

    def one(self, statement: Executable) -> Row[Any] | None:
        return self.connection.execute(statement).first()

    def value(self, statement: Executable) -> Any:
        return self.connection.execute(statement).scalar()

    def record(
        self,
        kind: str,
        repository: str = "",
        *,
        subject: str = "",
        before: Any = None,
        after: Any = None,
        **details: Any,
    ) -> None:
        """Write an event with the change that it tells of.

        `before` and `after` are what an object was and is (any JSON, dataclasses too); their secrets are masked here.
        """
        change = None if before is None and after is None else {"before": recorded(before), "after": recorded(after)}
        self.connection.execute(
            _EVENT,
            {
                "kind": kind,
                "repository": repository,
                "subject": subject,
                "details": details,
                "change": change,
                "initiator": self.initiator.as_mapping(),
                "created": self.now,
            },
        )
        self.recorded += 1

    def changed(
        self, kind: str, subject: str, before: Any, after: Any, *, repository: str = "", **details: Any
    ) -> None:
        """Record that an object of a kind was made (no `before`), changed, or removed (no `after`)."""
        verb = "created" if before is None else "deleted" if after is None else "updated"
        self.record(f"{kind}.{verb}", repository, subject=subject, before=before, after=after, **details)


def _done(tx: Transaction, work: Callable[..., Any]) -> None:
    """No change of the configuration goes by unseen: where nothing was told of one, at least who made it is."""
    if tx.configures and not tx.recorded:
        tx.record(CONFIGURED, subject=getattr(work, "__qualname__", ""))


class Database:
    """One database: SQLite in a file, or PostgreSQL."""

    def __init__(
        self,
        url: str,
        generation: Generation,
        *,
        connections: int = 10,
        kept: int = 2,
        idle_seconds: float = 300.0,
        now: Callable[[], datetime],
    ) -> None:
        """At most `connections` to the server, `kept` of them open for good, none used after `idle_seconds` of rest."""
        self._now = now
        self.generation = generation
        self.on_recorded: Callable[[], None] = lambda: None
        self._engine = _engine(url, connections, kept, idle_seconds)
        self.dialect = self._engine.dialect.name
        embedded = self._embedded = self.dialect == "sqlite"
        self._edition: str | None = None
        self._threads = ThreadPoolExecutor(max(2, connections // 2) if embedded else connections, "pakhus-database")
        self._writer = Writer(self._writing, lambda done: self._announce(done[0])) if embedded else None
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
        try:
            if self._writer is None:
                loop = asyncio.get_running_loop()
                run = copy_context().run
                tx, result = await loop.run_in_executor(
                    self._threads, lambda: run(lambda: self._attempt(work, *args, **kwargs))
                )
            else:
                tx, result = await self._submitted(work, *args, **kwargs)
        except OperationalError as error:
            if _has_no_room(error):
                raise StorageFull("The database has no room left.") from error
            raise
        if tx.recorded:
            self.on_recorded()
        return result

    async def _submitted(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[Transaction, T]:
        assert self._writer is not None
        who = initiator.current()

        def run(connection: Connection) -> tuple[Transaction, T]:
            tx = Transaction(connection, self._now(), who)
            result = work(tx, *args, **kwargs)
            _done(tx, work)
            return tx, result

        try:
            submitted: tuple[Transaction, T] = await self._writer.submit(run)
        except IntegrityError:
            submitted = await self._writer.submit(run)
        return submitted

    async def read(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a read transaction, in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: self.read_now(work, *args, **kwargs))

    async def glance(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a short indexed read: on SQLite at once, in the event loop; elsewhere in a thread."""
        if self._glancing is None:
            return await self.read(work, *args, **kwargs)
        with self._glancing.begin():
            return work(Transaction(self._glancing, self._now(), SYSTEM, quiet=True), *args, **kwargs)

    def write_now(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write`, in this thread."""
        return self._attempt(work, *args, **kwargs)[1]

    def _attempt(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[Transaction, T]:
        try:
            return self._write(work, *args, **kwargs)
        except IntegrityError:
            return self._write(work, *args, **kwargs)

    def _write(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[Transaction, T]:
        with self._writing() as connection, connection.begin():
            tx = Transaction(connection, self._now(), initiator.current())
            result = work(tx, *args, **kwargs)
            _done(tx, work)
            if tx.configures and not self._embedded:
                self._edition = _stamp(tx)
        self._announce(tx)
        return tx, result

    async def follow(self) -> None:
        """Notice what other machines have configured. An embedded database has none; its processes share memory."""
        if self._embedded:
            return
        try:
            edition = await self.read(_edition)
        except OperationalError:
            return  # whoever needs the database now says so; the next look follows
        if edition != self._edition:
            self._edition = edition
            self.generation.bump(configuration=True)

    def _writing(self) -> Connection:
        return self._engine.connect().execution_options(pakhus_write=True)

    def _announce(self, tx: Transaction) -> None:
        """Caches of every process on this machine see that something has changed."""
        if tx.configures or not tx.quiet:
            self.generation.bump(configuration=tx.configures)

    def read_now(self, work: Work[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with self._engine.connect() as connection, connection.begin():
            return work(Transaction(connection, self._now(), SYSTEM, quiet=True), *args, **kwargs)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._threads.shutdown(wait=True)
        if self._glancing is not None:
            self._glancing.close()
        self._engine.dispose()
        self.generation.close()


def _edition(tx: Transaction) -> str | None:
    """What the newest change of the configuration was stamped with."""
    found: str | None = tx.value(select(tables.setting.c.value).where(tables.setting.c.key == EDITION))
    return found


def _stamp(tx: Transaction) -> str:
    """Let every other machine see, with the commit, that the configuration has changed."""
    edition = secrets.token_hex(8)
    if not tx.execute(update(tables.setting).where(tables.setting.c.key == EDITION).values(value=edition)).rowcount:
        tx.execute(insert(tables.setting).values(key=EDITION, value=edition))
    return edition


def _engine(url: str, connections: int, kept: int, idle_seconds: float) -> Engine:
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
    kept = max(1, kept)
    engine = create_engine(parsed, pool_size=kept, max_overflow=max(0, connections - kept), pool_pre_ping=True)
    _retire_idle(engine, idle_seconds)
    return engine


def _retire_idle(engine: Engine, seconds: float) -> None:
    """A connection that rested too long is replaced when it is next asked for."""

    def rested(connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    def asked_for(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", time.monotonic()) > seconds:
            raise DisconnectionError

    event.listen(engine, "checkin", rested)
    event.listen(engine, "checkout", asked_for)


def _has_no_room(error: OperationalError) -> bool:
    """The disk is full, as SQLite (result code 13) and PostgreSQL (SQLSTATE 53100) say it."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == "53100"


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)
    narrowing.prepare(connection)


def _begin_sqlite(connection: Connection) -> None:
    """pysqlite's own BEGIN comes too late and is deferred: a read-then-write transaction would lose updates."""
    write = connection.get_execution_options().get("pakhus_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
