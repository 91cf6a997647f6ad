"""Publishing document sets: all files of a set change together, in one transaction, and never while they are read.

A hosted repository's set is outdated by a change of what feeds it, a group's by a change of a member's. It is built
when its entry is asked for, or before, by the outbox. Coordination: a lease for each set; building twice is harmless.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from pakhus.database import assets, leases
from pakhus.database.transaction import Database, Transaction
from pakhus.domain import events
from pakhus.domain.content import Asset
from pakhus.domain.errors import Busy, Unavailable
from pakhus.domain.events import Event
from pakhus.domain.initiator import SYSTEM as SERVER
from pakhus.domain.initiator import acting
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Grant
from pakhus.engine.catalog import Catalog
from pakhus.engine.companions import Companions
from pakhus.engine.found import Edition, Found, Visit
from pakhus.engine.hosted import from_asset
from pakhus.engine.keeping import Safe, make_safe
from pakhus.engine.keyring import Keyring, Keys
from pakhus.engine.stores import Stores
from pakhus.kit.context import Context
from pakhus.kit.derived import DocumentSet, Published
from pakhus.kit.paths import template

log = structlog.get_logger()

SYSTEM = Visit(Actor("*system", (Grant.parse("*", privilege="system"),)))
"""A set is signed and the same for everybody: it tells of all that the repository has."""

LEASE_SECONDS = 120.0
PATIENCE_SECONDS = 20.0
SHORT_SECONDS, REST = 1.0, 3.0
"""After a publication that took longer than short, so many times as long passes before the next one unasked."""
PIECE_BYTES = 1 << 20
MOST_FILES = 100_000
EDITION = "edition"
NO_KEYS = Keys(())


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
    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        stores: Stores,
        keyring: Keyring,
        editions: Editions,
        *,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._stores = stores
        self._keyring = keyring
        self._editions = editions
        self._now = now
        self._seconds = seconds
        self._companions = Companions(seconds)
        self._owner = secrets.token_hex(8)
        self._publishing: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._waiting: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._resting: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._took: dict[tuple[int, str], tuple[float, float]] = {}
        self._begun: set[asyncio.Task[None]] = set()

    async def found(self, repository: Repository, route: DocumentSet[Any], ctx: Context, visit: Visit) -> Found | None:
        """A published file. Beginning to read a set brings the set up to date first, as far as that is soon done."""
        shelf = self._shelf(repository, route, ctx.params)
        late: Unavailable | None = None
        if route.begins(ctx.path, shelf.ctx.params):
            late = await self._brought_up_to_date(shelf)
        companions = route.companions(shelf.ctx.params)
        asset = await self._given(shelf, companions, ctx.path, visit)
        if asset is None:
            asset = await self._asset(shelf, ctx.path)
        if asset is None:
            if late is not None:
                raise late
            return None
        found = from_asset(asset, self._stores)
        # What differs by reader is decided for each, never replayed.
        return replace(found, fresh_for=0.0) if ctx.path in (shelf.entry, *companions) and companions else found

    async def _given(self, shelf: Shelf, companions: Sequence[str], path: str, visit: Visit) -> Asset | None:
        """The entry, remembered with what vouches for it; or what vouches for the entry that this reader was given."""
        if path in companions:
            return self._companions.find(shelf.key, visit, path)
        if path != shelf.entry or not companions:
            return None
        paths = (shelf.entry, *companions)
        known = await self._database.glance(assets.by_paths, shelf.repository.id, shelf.repository.name, paths)
        entry = known.pop(shelf.entry, None)
        if entry is not None:
            self._companions.remember(shelf.key, visit, known)
        return entry

    async def _brought_up_to_date(self, shelf: Shelf) -> Unavailable | None:
        """Why the set is outdated still, if it is: a long publication goes on, whoever stops waiting for it."""
        late: Unavailable
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.publish(shelf)
        except TimeoutError:
            late = Busy(f"{shelf.folder} is being published: try again in a moment")
        except Unavailable as error:
            late = error
        else:
            return None
        log.info("set_served_outdated", repository=shelf.repository.name, set=shelf.folder, reason=late.message)
        return late

    async def __call__(self, batch: Sequence[Event]) -> None:
        """A subscriber: publishes what is outdated, so that no client has to wait for it.

        It goes on in the background: other subscribers do not wait, and a publication that is lost is made up for
        when a client asks.
        """
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
            shelf = self._shelf(repository, route, dict(params))
            if (rest := self._rest(shelf)) > 0:
                self._publish_later(shelf, rest)
                continue
            task = asyncio.create_task(self.publish(shelf))
            self._begun.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._begun.discard(task)
        _retrieved(task)

    def _rest(self, shelf: Shelf) -> float:
        """Seconds until the set is published again unasked: a stream of uploads must not build a large one all the
        time. Who asks for it meanwhile is not kept waiting."""
        ended, took = self._took.get(shelf.key, (0.0, 0.0))
        return ended + took * REST - self._seconds() if took > SHORT_SECONDS else 0.0

    def _publish_later(self, shelf: Shelf, seconds: float) -> None:
        if shelf.key not in self._resting:
            task = asyncio.create_task(self._rested(shelf, seconds))
            task.add_done_callback(_retrieved)
            self._resting[shelf.key] = task

    async def _rested(self, shelf: Shelf, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            del self._resting[shelf.key]
        await self.publish(shelf)

    async def publish(self, shelf: Shelf) -> None:
        """Bring a set up to date; nothing to do when its edition stands.

        A publication that has begun may have missed the last change: who comes then waits for the one after it,
        which all that come until it begins share.
        """
        if await self._stands(shelf):
            return
        waiting = self._waiting.get(shelf.key)
        if waiting is None:
            waiting = asyncio.create_task(self._publish_after(shelf, self._publishing.get(shelf.key)))
            waiting.add_done_callback(_retrieved)
            self._waiting[shelf.key] = waiting
        await asyncio.shield(waiting)

    async def close(self) -> None:
        """Stop what is being published: what stands is whole."""
        tasks = {*self._begun, *self._resting.values(), *self._waiting.values(), *self._publishing.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish_after(self, shelf: Shelf, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        me = self._publishing[shelf.key] = self._waiting.pop(shelf.key)
        try:
            await self._publish(shelf)
        finally:
            if self._publishing.get(shelf.key) is me:
                del self._publishing[shelf.key]

    async def _stands(self, shelf: Shelf) -> bool:
        """Does the published set tell what its edition does, signed by the keys of now?"""
        entry = await self._asset(shelf, shelf.entry)
        if entry is None or self._is_old(shelf, entry):
            return False
        edition = await self._edition(shelf)
        return _published(entry) == _version(shelf, edition, await self._known_keys(shelf))

    def _is_old(self, shelf: Shelf, entry: Asset) -> bool:
        lifetime = shelf.route.lifetime(shelf.ctx)
        return lifetime is not None and entry.updated + timedelta(seconds=lifetime) < self._now()

    async def _publish(self, shelf: Shelf) -> None:
        if await self._stands(shelf):
            return
        entry = await self._asset(shelf, shelf.entry)
        await self._second_after(entry)
        begun = self._seconds()
        edition = await self._edition(shelf)
        model = None if edition is None else await edition.model()
        if model is None and entry is None:
            return
        name = f"publish:{shelf.repository.id}:{shelf.folder}"
        if not await self._database.write(leases.take, name, self._owner, LEASE_SECONDS) and entry is not None:
            return  # another process builds it; what stands is whole
        try:
            await self._build(shelf, edition, model)
            self._took[shelf.key] = (self._seconds(), self._seconds() - begun)
        finally:
            await self._database.write(leases.release, name, self._owner)

    async def _second_after(self, entry: Asset | None) -> None:
        """Clients that ask by date (RFC 9110, section 8.8.2.2) tell publications apart by whole seconds."""
        now = self._now()
        if entry is not None and entry.updated.replace(microsecond=0) == now.replace(microsecond=0):
            await asyncio.sleep(1 - now.microsecond / 1_000_000)

    async def _build(self, shelf: Shelf, edition: Edition[Any] | None, model: Any) -> None:
        keys = NO_KEYS
        if shelf.route.signed and model is not None:
            keys = await self._keyring.keys(shelf.repository)
        files: list[tuple[Sequence[str], Safe]] = []
        try:
            if model is not None:
                dumped = shelf.route.dump(shelf.ctx, model, self._keyring.ring(keys))
                async for paths, chunks in _files(dumped):
                    files.append((paths, await self._keep(shelf, chunks)))
            with acting(SERVER):
                await self._database.write(_swap, shelf, files, _version(shelf, edition, keys))
        finally:
            for _, safe in files:
                await safe.done()
        log.info("set_published", repository=shelf.repository.name, set=shelf.folder, files=len(files))

    async def _edition(self, shelf: Shelf) -> Edition[Any] | None:
        return await self._editions.edition(shelf.repository, shelf.route, shelf.ctx, SYSTEM)

    async def _known_keys(self, shelf: Shelf) -> Keys:
        return Keys(await self._keyring.known(shelf.repository)) if shelf.route.signed else NO_KEYS

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


def _retrieved(task: asyncio.Task[None]) -> None:
    """Nobody may be left who waited for the task: its failure is told here, too."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("set_not_published", reason=str(error) or type(error).__name__)


def _version(shelf: Shelf, edition: Edition[Any] | None, keys: Keys) -> str:
    """What the edition of a set that tells this, with these settings and signed by these keys, is called."""
    if edition is None:
        return ""
    options = shelf.ctx.settings.model_dump_json()
    return f"{edition.version} {hashlib.sha256(options.encode()).hexdigest()[:16]} {keys.edition}".rstrip()


def _published(entry: Asset | None) -> str | None:
    return None if entry is None else str(entry.attributes.get(EDITION, ""))


async def _files(dumped: Iterator[Published]) -> AsyncIterator[tuple[Sequence[str], Iterable[bytes]]]:
    while (found := await asyncio.to_thread(next, dumped, None)) is not None:
        paths, chunks = found
        yield (paths,) if isinstance(paths, str) else paths, chunks


def _piece(chunks: Iterator[bytes]) -> bytes:
    """The next bytes, gathered to a size that is worth a write."""
    piece = bytearray()
    for chunk in chunks:
        piece += chunk
        if len(piece) >= PIECE_BYTES:
            break
    return bytes(piece)


def _swap(tx: Transaction, shelf: Shelf, files: Sequence[tuple[Sequence[str], Safe]], version: str) -> None:
    """All new files in, all superseded ones out, but for those that clients may still be about to ask for."""
    repository = shelf.repository
    below = assets.below(tx, repository.id, repository.name, shelf.folder, limit=MOST_FILES)
    known = {each.path: each for each in below if _is_of(shelf, each.path)}
    for paths, safe in files:
        blob = safe.row(tx)
        for path in paths:
            attributes = {EDITION: version} if path == shelf.entry else {}
            kind, sha256 = shelf.route.content_type(path), blob.digests.sha256
            entry = assets.Entry(path, blob.id, kind, None, attributes, sha256=sha256, derived=True)
            assets.put(tx, repository.id, repository.name, entry, None, known=known.pop(path, None))
    since = tx.now - timedelta(seconds=shelf.route.lasting_seconds)
    for path, superseded in known.items():
        if not (shelf.route.lasting(path) and superseded.updated > since):
            assets.remove(tx, repository.name, superseded, derived=True)


def _is_of(shelf: Shelf, path: str) -> bool:
    """Does the file belong to this set? Another one's may lie in the same folder, or below it."""
    found = template(shelf.route.path).match(path)
    return found is not None and {name: each for name, each in found.items() if name != "file"} == shelf.ctx.params
