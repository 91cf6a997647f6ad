"""Audited tables tell of their changes, whoever writes them; and no change of the configuration goes by unseen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, insert, update

from pakhus.database import events, schema
from pakhus.database.generation import Generation
from pakhus.database.tables import privilege
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.initiator import Initiator, acting
from tests.peers import postgresql

ROW: dict[str, Any] = {
    "name": "p1",
    "type": "wildcard",
    "description": "d",
    "read_only": False,
    "properties": {"pattern": "a:*", "password": "secret"},
}
MASKED = {**ROW, "properties": {"pattern": "a:*", "password": "********"}}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database.embedded(tmp_path)
        schema.migrate(opened)
        yield opened
        opened.close()
        return
    with postgresql.running() as dsn:
        opened = Database(dsn, Generation(tmp_path / "generation"), now=lambda: datetime.now(UTC))
        schema.migrate(opened)
        yield opened
        opened.close()


async def told(database: Database) -> list[tuple[str, str, Any, Any]]:
    found = await database.read(events.after, events.START, limit=100)
    return [(each.kind, each.subject, each.before, each.after) for each in found]


async def test_rows_of_an_audited_table_tell_what_they_were_and_are(database: Database) -> None:
    by_name = privilege.c.name == bindparam("wanted")
    await database.write(lambda tx: tx.execute(insert(privilege).values(**ROW)))
    await database.write(
        lambda tx: tx.execute(update(privilege).where(by_name).values(description="e"), {"wanted": "p1"})
    )
    await database.write(
        lambda tx: tx.execute(update(privilege).where(by_name).values(description="e"), {"wanted": "p1"})
    )
    await database.write(lambda tx: tx.execute(insert(privilege), [{**ROW, "name": "p2"}, {**ROW, "name": "p3"}]))
    await database.write(lambda tx: tx.execute(delete(privilege).where(privilege.c.name > "p2")))

    assert await told(database) == [
        ("privilege.created", "p1", None, MASKED),
        ("privilege.updated", "p1", MASKED, {**MASKED, "description": "e"}),
        ("privilege.created", "p2", None, {**MASKED, "name": "p2"}),
        ("privilege.created", "p3", None, {**MASKED, "name": "p3"}),
        ("privilege.deleted", "p3", {**MASKED, "name": "p3"}, None),
    ]


async def test_configuration_that_tells_nothing_is_told_of_all_the_same(database: Database) -> None:
    def silent(tx: Transaction) -> None:
        tx.configures = True

    with acting(Initiator("ann")):
        await database.write(silent)

    (found,) = await database.read(events.after, events.START, limit=100)
    assert (found.kind, found.initiator.user) == ("configuration.changed", "ann")
    assert found.subject.endswith("silent")
