"""The one way in: whatever enters, changes or leaves a hosted repository does so here, in one transaction.

Permission, write policy, references and digests are checked for every change, whichever protocol brought it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, cast

from pakhus.database import assets, components, revisions
from pakhus.database.components import Version
from pakhus.database.transaction import Database, Transaction
from pakhus.domain import events
from pakhus.domain.content import Asset, Blob, Coordinates
from pakhus.domain.errors import (
    AssetNotFound,
    BadPath,
    ComponentNotFound,
    Forbidden,
    Frozen,
    MissingReference,
    Offline,
    PolicyViolation,
    StillInUse,
    TooLarge,
)
from pakhus.domain.policies import delete_refusal, write_refusal
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor, Permission, may, refusal
from pakhus.engine import content_types, outdating
from pakhus.engine.keeping import BlobVanished, Safe, Shared, make_safe
from pakhus.engine.stores import Stores
from pakhus.kit import context as kit
from pakhus.kit.context import Annotation, Change, Deposit, Removal
from pakhus.kit.format import Format
from pakhus.kit.paths import flaw
from pakhus.storage.store import Draft

READ_ONLY = "The server is in read-only mode"


@dataclass(frozen=True, slots=True)
class Place:
    """Where changes go, in whose name, and through which group, if through one."""

    repository: Repository
    format: Format
    actor: Actor
    group: Repository | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A deposit whose bytes are safe."""

    deposit: Deposit
    safe: Safe | Shared


class Depositor:
    """Receives bodies and applies changes."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        max_body: int | None = None,
        frozen: Callable[[], bool] = lambda: False,
    ) -> None:
        """While it is `frozen` nothing enters, changes or leaves."""
        self._database = database
        self._frozen = frozen
        self._stores = stores
        self._max_body = max_body

    def _check_frozen(self) -> None:
        if self._frozen():
            raise Frozen(READ_ONLY)

    async def receive(self, repository: Repository, chunks: AsyncIterable[bytes], *, limit: int | None = None) -> Draft:
        """A body on disk, hashed. Nothing is kept of one that is cut off or too large."""
        self._check_frozen()
        bound = min((each for each in (limit, self._max_body) if each is not None), default=None)
        draft = await self._stores.writable(repository.blob_store).begin()
        try:
            async for chunk in chunks:
                await draft.write(chunk)
                if bound is not None and draft.size > bound:
                    raise TooLarge(f"the body is larger than {bound} bytes")
            await draft.finish()
        except BaseException:
            await draft.cancel()
            raise
        return draft

    async def apply(self, place: Place, changes: Sequence[Change]) -> None:
        """All changes, or none. Drafts among them are used up either way."""
        if not place.repository.online:
            raise Offline("Repository offline")
        self._check_frozen()
        async with AsyncExitStack() as stack:
            drafts = await self._drafts(place.repository, changes, stack)
            for deposit, draft in drafts:
                await _check(place, deposit, draft)
            await self._database.glance(_precheck, place, changes)
            ready = [
                _Ready(deposit, Shared(draft) if isinstance(draft, Blob) else await self._safe(draft))
                for deposit, draft in drafts
            ]
            try:
                await self._database.write(_apply, place, changes, ready)
            except BlobVanished:
                for each in ready:
                    await each.safe.insist()
                await self._database.write(_apply, place, changes, ready)
            for each in ready:
                await each.safe.done()

    async def _safe(self, draft: Draft) -> Safe:
        return await make_safe(self._database, self._stores.get(draft.store), draft)

    async def _drafts(
        self, repository: Repository, changes: Sequence[Change], stack: AsyncExitStack
    ) -> list[tuple[Deposit, Draft | Blob]]:
        """The draft of each deposit, or the blob that it shares.

        All drafts are cancelled in the end, which spares those that were committed.
        """
        for change in changes:
            if isinstance(change, Deposit) and not isinstance(change.body, bytes | Asset):
                stack.push_async_callback(cast(Draft, change.body).cancel)
        deposits = [change for change in changes if isinstance(change, Deposit)]
        return [(each, await self._body(repository, each.body, stack)) for each in deposits]

    async def _body(
        self, repository: Repository, body: kit.Draft | bytes | Asset, stack: AsyncExitStack
    ) -> Draft | Blob:
        if isinstance(body, Asset):
            if body.blob.blob_store == repository.blob_store:
                return body.blob
            reader = await self._stores.get(body.blob.blob_store).open(body.blob.key)
            stack.callback(reader.close)
            draft = await self.receive(repository, reader.chunks())
        elif isinstance(body, bytes):
            draft = await self.receive(repository, _once(body))
        else:
            return cast(Draft, body)
        stack.push_async_callback(draft.cancel)
        return draft


async def _once(body: bytes) -> Any:
    yield body


async def _check(place: Place, deposit: Deposit, draft: kit.Draft | Blob) -> None:
    if problem := flaw(deposit.path):
        raise BadPath(f"{problem}: {deposit.path[:200]}")
    if place.repository.strict_content_type and not isinstance(draft, Blob):
        await asyncio.to_thread(_check_type, deposit.path, draft)


def _check_type(path: str, draft: kit.Draft) -> None:
    with draft.open() as body:
        content_types.check(path, body)


def _precheck(tx: Transaction, place: Place, changes: Sequence[Change]) -> None:
    """Refuse before bytes are made durable what the transaction would refuse anyway."""
    for change in changes:
        if isinstance(change, Deposit):
            known = assets.by_path(tx, place.repository.id, place.repository.name, change.path)
            _admit(place, change, known)


def _apply(tx: Transaction, place: Place, changes: Sequence[Change], ready: Sequence[_Ready]) -> None:
    safe = {id(each.deposit): each.safe for each in ready}
    depositing = {change.path for change in changes if isinstance(change, Deposit)}
    sets = outdating.sets_of(place.format)
    before = outdating.touched_by(tx, place.repository, changes) if sets else set()
    outdated = outdating.affected(tx, place.repository, sets, before)
    changed: set[Coordinates] = set()
    for change in changes:
        if isinstance(change, Deposit):
            _check_references(tx, place, change, depositing)
            changed |= _store(tx, place, change, safe[id(change)])
        elif isinstance(change, Annotation):
            changed.add(change.coordinates)
            _annotate(tx, place, change)
        else:
            changed |= _remove(tx, place, change)
    outdated |= outdating.affected(tx, place.repository, sets, changed) if sets else set()
    revisions.bump(tx, place.repository.id, changed, outdating.folders(sets, outdated))
    outdating.record(tx, place.repository, outdated)


def _store(tx: Transaction, place: Place, deposit: Deposit, safe: Safe | Shared) -> set[Coordinates]:
    repository, coordinates = place.repository, deposit.coordinates
    known = assets.by_path(tx, repository.id, repository.name, deposit.path)
    _admit(place, deposit, known)
    component_id = None
    if coordinates is not None:
        version = Version(place.format.prerelease(coordinates.version), deposit.facts.published)
        component_id = components.put(tx, repository.id, coordinates, deposit.facts.component, version)
    blob = safe.row(tx)
    entry = assets.Entry(
        path=deposit.path,
        blob_id=blob.id,
        content_type=deposit.content_type or "application/octet-stream",
        coordinates=coordinates,
        attributes=deposit.facts.asset,
        references=deposit.references,
        uploader=place.actor.user,
        uploader_ip=place.actor.address,
        sha256=blob.digests.sha256,
    )
    assets.put(tx, repository.id, repository.name, entry, component_id, known=known)
    changed = {each for each in (coordinates, known.coordinates if known else None) if each is not None}
    if known is not None and known.component_id is not None and known.component_id != component_id:
        components.prune(tx, known.component_id)
    return changed


def _admit(place: Place, deposit: Deposit, known: Asset | None) -> None:
    action = Permission.ADD if known is None else Permission.EDIT
    require(place, action, deposit.path)
    admit_write(place.repository, deposit.path, exists=known is not None, rewritable=deposit.rewritable)


def admit_write(repository: Repository, path: str, *, exists: bool, rewritable: bool) -> None:
    """Raise `PolicyViolation` where the write policy refuses the path."""
    refusal = write_refusal(repository, path, exists=exists, rewritable=rewritable)
    if refusal is not None:
        raise PolicyViolation(refusal)


def admit_removal(repository: Repository, path: str) -> None:
    """Raise `PolicyViolation` where nothing may be deleted."""
    if refusal := delete_refusal(repository, path):
        raise PolicyViolation(refusal)


def _check_references(tx: Transaction, place: Place, deposit: Deposit, depositing: set[str]) -> None:
    wanted = [path for path in deposit.references if path not in depositing]
    if not wanted:
        return
    missing = set(wanted) - assets.present(tx, place.repository.id, wanted, held=True)
    if missing:
        names = ", ".join(sorted(missing))
        raise MissingReference(f"{deposit.path} refers to what is not here: {names}", missing=tuple(sorted(missing)))


def _annotate(tx: Transaction, place: Place, change: Annotation) -> None:
    repository, coordinates = place.repository, change.coordinates
    action = Permission.EDIT if coordinates.version else Permission.ADD
    require(place, action, change.path or coordinates.name)
    known = components.attributes_of(tx, repository.id, coordinates)
    version = Version(place.format.prerelease(coordinates.version))
    components.annotate(tx, repository.id, coordinates, change.update(known), version)
    tx.record(
        events.COMPONENT_ANNOTATED,
        repository.name,
        subject=f"{coordinates.namespace} {coordinates.name} {coordinates.version}".strip(),
        namespace=coordinates.namespace,
        name=coordinates.name,
        version=coordinates.version,
    )


def _remove(tx: Transaction, place: Place, change: Removal) -> set[Coordinates]:
    found, emptied = _removed(tx, place, change)
    if change.unreferenced and (used := assets.referenced(tx, place.repository.id, [each.path for each in found])):
        raise StillInUse(f"{', '.join(sorted(used))} is still referred to")
    for asset in found:
        require(place, Permission.DELETE, asset.path)
        admit_removal(place.repository, asset.path)
        assets.remove(tx, place.repository.name, asset)
    for component_id in emptied:
        components.prune(tx, component_id)
    gone = {asset.coordinates for asset in found if asset.coordinates is not None}
    return gone if change.coordinates is None else gone | {change.coordinates}


def _removed(tx: Transaction, place: Place, change: Removal) -> tuple[Sequence[Asset], set[int]]:
    """The assets that go, and the components that may be empty then."""
    repository = place.repository
    if change.path is not None:
        asset = assets.by_path(tx, repository.id, repository.name, change.path)
        if asset is None:
            raise AssetNotFound(f"{change.path} is not in {repository.name}", path=change.path)
        return [asset], set() if asset.component_id is None else {asset.component_id}
    assert change.coordinates is not None
    found = components.exactly(tx, repository.id, repository.name, change.coordinates)
    if found is None:
        name = f"{change.coordinates.name} {change.coordinates.version}"
        raise ComponentNotFound(f"{name} is not in {repository.name}")
    if not found.assets:
        require(place, Permission.DELETE, change.coordinates.name)
    return found.assets, {found.id}


def require(place: Place, action: Permission, path: str) -> None:
    """Raise `Forbidden` unless the actor may: at the group that it addressed, and at the member behind it."""
    actor = place.actor
    if place.group is not None:
        _require_write(actor, action, place.group, path)
        actor = actor.behind()
    _require(actor, action, place.repository, path)


def require_any(place: Place, action: Permission, path: str) -> None:
    """Raise unless the actor may; for ADD, the right to EDIT lets a request pass to where its paths are known."""
    if action is Permission.ADD:
        try:
            require(place, Permission.EDIT, path)
        except Forbidden:
            require(place, action, path)
        return
    require(place, action, path)


def _require_write(actor: Actor, action: Permission, group: Repository, path: str) -> None:
    """At a group, adding and changing are one right: which of them it is only its member knows."""
    other = {Permission.ADD: Permission.EDIT, Permission.EDIT: Permission.ADD}.get(action)
    if other is None or not may(actor, other, group, path).allowed:
        _require(actor, action, group, path)


def _require(actor: Actor, action: Permission, repository: Repository, path: str) -> None:
    decision = may(actor, action, repository, path)
    if not decision.allowed:
        raise refusal(decision)
