"""An outbox from before events had initiators and an order of transactions goes on where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from pakhus.database import events, schema
from pakhus.database.generation import Generation
from pakhus.database.tables import event
from pakhus.database.transaction import Database
from pakhus.domain.events import Place
from pakhus.domain.initiator import SYSTEM
from tests.peers import postgresql

OLD = "INSERT INTO event (kind, repository, details, created) VALUES ('asset.stored', 'files', '{}', 1)"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """One with the first schema."""
    if request.param == "sqlite":
        opened = Database.embedded(tmp_path)
        yield opened
        opened.close()
        return
    with postgresql.running() as dsn:
        opened = Database(dsn, Generation(tmp_path / "generation"), now=lambda: datetime.now(UTC))
        yield opened
        opened.close()


async def test_old_events_come_before_new_ones(database: Database) -> None:
    with database.engine.connect() as connection:
        command.upgrade(schema._config(connection.execution_options(pakhus_write=True)), "0001")
        for _ in range(3):
            connection.execute(text(OLD))
        connection.execute(text("INSERT INTO cursor (subscriber, position) VALUES ('sidecars', 1)"))
        connection.commit()
    schema.migrate(database)
    await database.write(lambda tx: tx.record("test.new", subject="new"))

    place = await database.read(events.position, "sidecars")
    found = await database.read(events.after, place, limit=10)

    assert place == Place(0, 1)
    assert [(each.id, each.kind, each.initiator) for each in found] == [
        (2, "asset.stored", SYSTEM), (3, "asset.stored", SYSTEM), (4, "test.new", SYSTEM),
    ]  # fmt: skip
    await database.write(events.advance, "sidecars", found[-1].place)
    assert await database.write(events.trim, ["sidecars", "never-ran"]) == 0
    assert await database.write(events.trim, ["sidecars"]) == 4


async def test_database_that_was_restored_on_another_server_tells_on(database: Database) -> None:
    """Its cursors name transactions that the new server has not had yet."""
    schema.migrate(database)
    far = Place(10**15, 5)
    await database.write(lambda tx: tx.record("test.old", subject="left over"))
    await database.write(lambda tx: tx.execute(event.update().values(transaction=far.transaction)))
    await database.write(events.advance, "audit", far)
    await database.write(lambda tx: tx.record("test.new", subject="new"))

    again = await database.write(events.rebase)

    place = await database.read(events.position, "audit")
    found = [each.kind for each in await database.read(events.after, place, limit=10)]
    if database.dialect == "postgresql":
        assert again
        assert found == ["test.old", "test.new"]
    assert not await database.write(events.rebase)
