"""Looking at a database without changing it: what `pakhus doctor` says of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

WAIT_SECONDS = 5
FOLDER = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`problem` says why it cannot be used; `found` and `wanted` are schema revisions (`found` None: no schema yet)."""

    kind: str
    found: str | None = None
    wanted: str | None = None
    problem: str = ""

    @property
    def is_current(self) -> bool:
        return not self.problem and self.found == self.wanted


def diagnose(dsn: str) -> Diagnosis:
    """The state of the database at a DSN (`sqlite:///path` or `postgresql://…`); a missing SQLite file is not made."""
    wanted = ScriptDirectory(str(FOLDER)).get_current_head()
    try:
        url = make_url(dsn)
        kind = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql"
        if kind == "sqlite":
            return of_file(Path(url.database or ""), wanted)
        url = url.set(drivername="postgresql+psycopg").update_query_dict({"connect_timeout": str(WAIT_SECONDS)})
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
        finally:
            engine.dispose()
    except ArgumentError as error:
        return Diagnosis("unknown", problem=str(error))
    except SQLAlchemyError as error:
        # The driver's own words; SQLAlchemy adds the statement and a link.
        return Diagnosis("postgresql", wanted=wanted, problem=str(getattr(error, "orig", None) or error).strip())
    return Diagnosis(kind, found, wanted)


def of_file(file: Path, wanted: str | None) -> Diagnosis:
    if not file.exists():
        return Diagnosis("sqlite", wanted=wanted)
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=WAIT_SECONDS)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return Diagnosis("sqlite", wanted=wanted)
        return Diagnosis("sqlite", wanted=wanted, problem=str(error))
    except sqlite3.DatabaseError as error:
        return Diagnosis("sqlite", wanted=wanted, problem=str(error))
    return Diagnosis("sqlite", row[0] if row else None, wanted)
