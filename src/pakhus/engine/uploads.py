"""Resumable uploads: bodies that come in several requests, to any node, before and after a restart.

Each request's bytes become a blob without an asset, and a row says where they belong. An upload of one part needs no
copy in the end; several are put together. What is given up expires with the sweep.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pakhus.database import uploads
from pakhus.database.transaction import Database
from pakhus.database.uploads import Part, Session
from pakhus.domain.errors import Conflict, Invalid, NoSuchUpload, TooLarge, UploadOutOfOrder
from pakhus.domain.repository import Repository
from pakhus.engine.stores import Stores
from pakhus.storage.kept import KeptDraft
from pakhus.storage.store import BlobStore, Draft


class Uploads:
    """`kit.context.Uploads`, bound to a repository; permission has been checked by the route."""

    def __init__(self, database: Database, stores: Stores, repository: Repository, *, max_body: int | None) -> None:
        self._database = database
        self._stores = stores
        self._repository = repository
        self._max_body = max_body

    async def begin(self, path: str) -> str:
        # All parts go to one store, also where the repository's is a group.
        store = self._stores.writable(self._repository.blob_store).name
        session = Session(secrets.token_hex(16), self._repository.id, path, store, 0)
        await self._database.write(uploads.begin, session)
        return session.id

    async def size(self, path: str, id: str) -> int:
        return (await self._session(path, id)).size

    async def append(self, path: str, id: str, chunks: AsyncIterable[bytes], *, start: int | None = None) -> int:
        """What has come of a body that is cut off is kept: the client can ask how much, and go on from there."""
        session = await self._session(path, id)
        if start is not None and start != session.size:
            raise UploadOutOfOrder(session.size)
        store = self._stores.get(session.blob_store)
        draft = await store.begin()
        cut: Invalid | None = None
        try:
            try:
                async for chunk in chunks:
                    await draft.write(chunk)
                    if self._max_body is not None and session.size + draft.size > self._max_body:
                        raise TooLarge(f"the body is larger than {self._max_body} bytes")
            except Invalid as error:
                cut = error
            if draft.size:
                await self._record(session, store, draft)
        finally:
            await draft.cancel()
        if cut is not None:
            raise cut
        return session.size + draft.size

    async def _record(self, session: Session, store: BlobStore, draft: Draft) -> None:
        digests = await draft.finish()
        key = await draft.commit()
        part = Part(session.size, store.name, key, draft.size, digests)
        if not await self._database.write(uploads.append, session.id, part):
            await store.delete(key)
            raise UploadOutOfOrder((await self._session(session.path, session.id)).size)
        draft.settle()

    @asynccontextmanager
    async def complete(self, path: str, id: str) -> AsyncIterator[Draft]:
        """The whole body, while it is being deposited; then the upload is over, whatever came of it."""
        session = await self._session(path, id)
        parts = await self._database.write(uploads.close, session.id)
        if parts is None:
            raise Conflict("the upload is being completed by another request")
        draft: Draft | None = None
        try:
            draft = await self._put_together(session, parts)
            yield draft
        finally:
            if draft is not None:
                await draft.cancel()
            await self._remove(id)

    async def cancel(self, path: str, id: str) -> None:
        await self._session(path, id)
        await self._remove(id)

    async def _put_together(self, session: Session, parts: Sequence[Part]) -> Draft:
        if len(parts) == 1:
            reader = await self._stores.get(parts[0].blob_store).open(parts[0].key)
            if reader.path is not None:
                return KeptDraft(parts[0].blob_store, parts[0].key, reader, parts[0].digests)
            reader.close()
        draft = await self._stores.get(session.blob_store).begin()
        try:
            for part in parts:
                reader = await self._stores.get(part.blob_store).open(part.key)
                try:
                    async for chunk in reader.chunks():
                        await draft.write(chunk)
                finally:
                    reader.close()
            await draft.finish()
        except BaseException:
            await draft.cancel()
            raise
        return draft

    async def _session(self, path: str, id: str) -> Session:
        session = await self._database.glance(uploads.find, self._repository.id, path, id)
        if session is None:
            raise NoSuchUpload(f"there is no upload {id} of {path}")
        return session

    async def _remove(self, id: str) -> None:
        for part in await self._database.write(uploads.remove, [id]):
            await self._stores.get(part.blob_store).delete(part.key)
