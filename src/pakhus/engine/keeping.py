"""From a received draft to a blob with a row: the bytes first, the row second, and equal bytes only once."""

from __future__ import annotations

from dataclasses import dataclass

from pakhus.database import blobs
from pakhus.database.blobs import NewBlob
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import Blob, Digests
from pakhus.domain.errors import NotFound
from pakhus.storage.store import BlobStore, Draft


class BlobVanished(Exception):
    """The sweep took an equal blob between the look and the transaction: the bytes must be kept after all."""


@dataclass(slots=True)
class Safe:
    """Bytes that survive a crash: an equal blob that has a row, or new ones that still need theirs."""

    draft: Draft
    digests: Digests
    blob: Blob | NewBlob
    store: BlobStore

    def row(self, tx: Transaction) -> Blob:
        """The blob's row, made or touched within the transaction that uses it."""
        if isinstance(self.blob, NewBlob):
            return blobs.keep(tx, self.blob)
        if not blobs.touch(tx, self.blob.id):
            raise BlobVanished
        return self.blob

    async def insist(self) -> None:
        """Keep the bytes themselves, since an equal blob is no longer there."""
        if isinstance(self.blob, Blob):
            self.blob = await _commit(self.draft, self.store, self.digests)

    async def done(self) -> None:
        """The transaction is through: whoever follows the draft may have its end."""
        self.draft.settle()
        await self.draft.cancel()


@dataclass(frozen=True, slots=True)
class Shared:
    """The blob of an asset that there is already."""

    blob: Blob

    def row(self, tx: Transaction) -> Blob:
        if not blobs.touch(tx, self.blob.id):
            raise NotFound("what was to be shared has just been removed")
        return self.blob

    async def insist(self) -> None:
        """There are no bytes to insist on."""

    async def done(self) -> None:
        """Nobody waits for it."""


async def make_safe(database: Database, store: BlobStore, draft: Draft) -> Safe:
    """Make a finished draft durable, unless the store already has the same bytes."""
    digests = await draft.finish()
    blob: Blob | NewBlob | None = await database.glance(blobs.same, store.name, digests.sha256)
    if isinstance(blob, Blob) and await store.stat(blob.key) != blob.size:
        blob = None
    if blob is None:
        blob = await _commit(draft, store, digests)
    return Safe(draft, digests, blob, store)


async def _commit(draft: Draft, store: BlobStore, digests: Digests) -> NewBlob:
    return NewBlob(store.name, await draft.commit(), draft.size, digests)
