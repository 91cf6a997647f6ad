"""Publishing document sets: all files of a set change together, in one transaction, and never while they are read.

A hosted repository's set is outdated by a change of what feeds it, a group's by a change of a member's. It is built
when its entry is asked for, or before, by the outbox. Coordination: a lease for each set; building twice is harmless.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import structlog

from pakhus.database import assets, leases
from pakhus.database.transaction import Database, Transaction
from pakhus.domain import events
from pakhus.domain.content import Asset
from pakhus.domain.errors import PakhusError
from pakhus.domain.events import Event
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Grant
from pakhus.engine.catalog import Catalog
from pakhus.engine.found import Edition, Found, Visit
from pakhus.engine.hosted import from_asset
from pakhus.engine.keeping import Safe, make_safe
from pakhus.engine.stores import Stores
from pakhus.kit.context import Context
from pakhus.kit.format import DocumentSet

log = structlog.get_logger()

SYSTEM = Visit(Actor("*system", (Grant.parse("*", privilege="system"),)))
"""A set is signed and the same for everybody: it tells of all that the repository has."""

LEASE_SECONDS = 120.0
PATIENCE_SECONDS = 20.0
PIECE_BYTES = 1 << 20
MOST_FILES = 100_000
EDITION = "edition"


class Editions(Protocol):
    """How the publisher learns what a set is to tell: through the engine."""

    async def edition(
        self, repository: Repository, derived: DocumentSet[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None: ...


@dataclass(frozen=True, slots=True)
class Shelf:
    """One set in one repository."""

    repository: Repository
    route: DocumentSet[Any]
    ctx: Context

    @property
    def folder(self) -> str:
        return self.route.folder(self.ctx.params)

    @property
    def entry(self) -> str:
        return self.route.entry(self.ctx.params)

    @property
    def key(self) -> tuple[int, str]:
        return self.repository.id, self.folder


class Publisher:
    def __init__(self, database: Database, catalog: Catalog, stores: Stores, editions: Editions) -> None:
        self._database = database
        self._catalog = catalog
        self._stores = stores
        self._editions = editions
        self._owner = secrets.token_hex(8)
        self._building: dict[tuple[int, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def found(self, repository: Repository, route: DocumentSet[Any], ctx: Context) -> Found | None:
        """A published file. Asking for the entry brings the set up to date first, as far as that is soon done."""
        shelf = self._shelf(repository, route, ctx.params)
        if ctx.path == shelf.entry:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self.publish(shelf)
            except TimeoutError:
                log.info("set_served_outdated", repository=repository.name, set=shelf.folder)
        asset = await self._asset(shelf, ctx.path)
        return None if asset is None else from_asset(asset, self._stores)

    async def __call__(self, batch: Sequence[Event]) -> None:
        """A subscriber: publishes what is outdated, so that no client has to wait for it."""
        outdated = {
            (event.repository, event.details["route"], tuple(sorted(event.details["params"].items())))
            for event in batch
            if event.kind == events.SET_OUTDATED
        }
        if outdated:
            await self._catalog.refresh()
        for name, path, params in sorted(outdated):
            repository = self._catalog.find(name)
            route = None if repository is None else self._route(repository, path)
            if repository is None or route is None:
                continue
            try:
                await self.publish(self._shelf(repository, route, dict(params)))
            except PakhusError as error:
                log.warning("set_not_published", repository=name, params=dict(params), reason=error.message)

    async def publish(self, shelf: Shelf) -> None:
        """Bring a set up to date; nothing to do when its edition stands."""
        async with self._building[shelf.key]:
            edition = await self._editions.edition(shelf.repository, shelf.route, shelf.ctx, SYSTEM)
            entry = await self._asset(shelf, shelf.entry)
            if (None if edition is None else edition.version) == _published(entry):
                return
            name = f"publish:{shelf.repository.id}:{shelf.folder}"
            if not await self._database.write(leases.take, name, self._owner, LEASE_SECONDS) and entry is not None:
                return  # another process builds it; what stands is whole
            try:
                await self._build(shelf, edition)
            finally:
                await self._database.write(leases.release, name, self._owner)

    async def _build(self, shelf: Shelf, edition: Edition[Any] | None) -> None:
        model = None if edition is None else await edition.model()
        files: list[tuple[str, Safe]] = []
        try:
            if model is not None:
                async for path, chunks in _files(shelf.route.dump(shelf.ctx, model)):
                    files.append((path, await self._keep(shelf, chunks)))
            version = "" if edition is None else edition.version
            await self._database.write(_swap, shelf, files, version)
        finally:
            for _, safe in files:
                await safe.done()
        log.info("set_published", repository=shelf.repository.name, set=shelf.folder, files=len(files))

    async def _keep(self, shelf: Shelf, chunks: Iterable[bytes]) -> Safe:
        store = self._stores.writable(shelf.repository.blob_store)
        draft = await store.begin()
        try:
            pieces = iter(chunks)
            while piece := await asyncio.to_thread(_piece, pieces):
                await draft.write(piece)
            return await make_safe(self._database, store, draft)
        except BaseException:
            await draft.cancel()
            raise

    async def _asset(self, shelf: Shelf, path: str) -> Asset | None:
        return await self._database.glance(assets.by_path, shelf.repository.id, shelf.repository.name, path)

    def _shelf(self, repository: Repository, route: DocumentSet[Any], params: Mapping[str, str]) -> Shelf:
        which = {name: value for name, value in params.items() if name != "file"}
        ctx = Context(
            repository=repository.name,
            path=route.entry(which),
            params=which,
            query={},
            accept="",
            settings=self._catalog.options(repository),
            link=lambda path: path,
        )
        return Shelf(repository, route, ctx)

    def _route(self, repository: Repository, path: str) -> DocumentSet[Any] | None:
        routes = self._catalog.format(repository).routes
        return next((each for each in routes if isinstance(each, DocumentSet) and each.path == path), None)


def _published(entry: Asset | None) -> str | None:
    return None if entry is None else str(entry.attributes.get(EDITION, ""))


async def _files(files: Iterator[tuple[str, Iterable[bytes]]]) -> AsyncIterator[tuple[str, Iterable[bytes]]]:
    while (found := await asyncio.to_thread(next, files, None)) is not None:
        yield found


def _piece(chunks: Iterator[bytes]) -> bytes:
    """The next bytes, gathered to a size that is worth a write."""
    piece = bytearray()
    for chunk in chunks:
        piece += chunk
        if len(piece) >= PIECE_BYTES:
            break
    return bytes(piece)


def _swap(tx: Transaction, shelf: Shelf, files: Sequence[tuple[str, Safe]], version: str) -> None:
    """All new files in, all superseded ones out, but for those that clients may still be about to ask for."""
    repository = shelf.repository
    known = {
        each.path: each for each in assets.below(tx, repository.id, repository.name, shelf.folder, limit=MOST_FILES)
    }
    for path, safe in files:
        attributes = {EDITION: version} if path == shelf.entry else {}
        entry = assets.Entry(path, safe.row(tx).id, shelf.route.content_type(path), None, attributes)
        assets.put(tx, repository.id, repository.name, entry, None, known=known.pop(path, None))
    since = tx.now - timedelta(seconds=shelf.route.lasting_seconds)
    for path, superseded in known.items():
        if not (shelf.route.lasting(path) and superseded.updated > since):
            assets.remove(tx, repository.name, superseded)
