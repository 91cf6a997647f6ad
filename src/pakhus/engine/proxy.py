"""The proxy source: a kept copy while it is fresh, else what upstream has, else (upstream is down) the stale copy."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from pakhus.database import assets, components
from pakhus.database.transaction import Database
from pakhus.domain.content import Asset, Component, Query
from pakhus.domain.errors import (
    NotFound,
    PakhusError,
    Unavailable,
    UpstreamRefused,
)
from pakhus.domain.policies import fresh_for
from pakhus.domain.repository import Repository
from pakhus.engine.fetching import Fetcher, parsed
from pakhus.engine.fill import Confirmed, Fills, Missing
from pakhus.engine.found import Edition, Found, Visit
from pakhus.engine.hosted import from_asset
from pakhus.engine.memory import Memory
from pakhus.engine.negatives import Negatives
from pakhus.engine.relayed import Relayed
from pakhus.engine.stores import Stores
from pakhus.engine.wants import REFUSALS, Want, document_age, key_of
from pakhus.kit.context import Context, Headers
from pakhus.kit.format import Derived, Document, DocumentSet, File, Format
from pakhus.kit.paths import expand
from pakhus.remote.client import Upstreams

log = structlog.get_logger()


class ProxySource:
    def __init__(
        self,
        database: Database,
        stores: Stores,
        upstreams: Upstreams,
        models: Memory[Any],
        *,
        formats: Mapping[str, Format],
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._stores = stores
        self._upstreams = upstreams
        self._models = models
        self._formats = formats
        self._now = now
        self._seconds = seconds
        self._negatives = Negatives(seconds)
        self._fetcher = Fetcher(
            database,
            stores,
            upstreams,
            self._negatives,
            models,
            handle=lambda want: UpstreamHandle(self, want),
            now=now,
            seconds=seconds,
        )
        self.fills = Fills()

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None:
        want = await self._want(repository, route, ctx, visit)
        max_age = -1 if route.immutable(ctx) else want.remote.content_max_age
        if want.kept is not None and self._fresh_for(want, want.kept, max_age):
            return self._found(want, want.kept, max_age)
        if route.limit is None:
            return await self._brought(want, max_age)
        asset = await self._brought_asset(want)
        return self._stale(want) if asset is None else self._found(want, asset, max_age)

    async def published(
        self, repository: Repository, route: DocumentSet[Any], ctx: Context, visit: Visit
    ) -> Found | None:
        """A file of upstream's set, as upstream has it."""
        want = await self._want(repository, Relayed(route), ctx, visit)
        max_age = -1 if route.immutable(ctx) else want.remote.metadata_max_age
        if want.kept is not None and await self._is_current(want, want.kept, route):
            return self._found(want, want.kept, max_age)
        return await self._brought(want, max_age)

    async def _is_current(self, want: Want, asset: Asset, route: DocumentSet[Any]) -> bool:
        """Is the kept file fresh, and not older than the entry that vouches for it?"""
        if route.immutable(want.ctx):
            return bool(self._fresh_for(want, asset, -1))
        if not self._fresh_for(want, asset, want.remote.metadata_max_age):
            return False
        entry = await self._kept(want.repository, route.entry(want.ctx.params))
        if entry is None or asset.kept is None or entry.path == want.key:
            return True
        return asset.kept.verified >= entry.updated

    async def _brought(self, want: Want, max_age: int) -> Found | None:
        """What upstream has; a stale copy where it cannot be asked, or has it no more."""
        repository = want.repository
        if self._negatives.has(repository, want.key):
            return self._stale(want)
        fill = self.fills.join((repository.id, want.key), lambda fill: self._fetcher.run(fill, want))
        try:
            head = await fill.head()
        except Unavailable as error:
            if want.kept is None:
                raise
            return self._stale(want, error)
        if isinstance(head, Missing):
            return self._stale(want)
        return self._found(want, head.asset, max_age) if isinstance(head, Confirmed) else head

    async def document(
        self, repository: Repository, document: Derived[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None:
        if isinstance(document, DocumentSet):
            return await self._set_edition(repository, document, ctx, visit)
        assert isinstance(document, Document)
        if document.local:
            return Edition(f"{repository.id}.local", _immediately(document.build(ctx, ())))
        want = await self._want(repository, document, ctx, visit)
        asset = await self._document_asset(want)
        if asset is None:
            return None
        version = f"{repository.id}.{asset.blob.digests.sha256}"

        async def model() -> Any:
            key = (version, document.path, ctx.path)
            known = self._models.get(key)
            if known is None:
                body = await self._read(asset, document.limit)
                source = asset.kept.origin if asset.kept is not None else ""
                known = await asyncio.to_thread(parsed, document, ctx, body, source, asset.content_type)
                self._models.put(key, known)
            return known

        return Edition(version, model, asset.updated, self._fresh_for(want, asset, document_age(want)))

    async def _set_edition(
        self, repository: Repository, route: DocumentSet[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None:
        entry = await self._set_asset(repository, route, ctx.at(route.entry(ctx.params), ctx.params), visit)
        if entry is None:
            return None

        async def model() -> Any:
            files = {entry.path: await self._read(entry, Document.limit)}
            for path in route.listed(ctx, files[entry.path]):
                asset = await self._set_asset(repository, route, ctx.at(path, ctx.params), visit)
                if asset is not None:
                    files[path] = await self._read(asset, Document.limit)
            return await asyncio.to_thread(_parsed_set, route, ctx, files)

        version = f"{repository.id}.{entry.blob.digests.sha256}"
        return Edition(version, model, entry.updated)

    async def _set_asset(
        self, repository: Repository, route: DocumentSet[Any], ctx: Context, visit: Visit
    ) -> Asset | None:
        """A file of upstream's set, once it is kept whole."""
        want = await self._want(repository, Relayed(route), ctx, visit)
        if want.kept is not None and await self._is_current(want, want.kept, route):
            return want.kept
        return await self._brought_asset(want)

    async def _document_asset(self, want: Want) -> Asset | None:
        if want.kept is not None and self._fresh_for(want, want.kept, document_age(want)):
            return want.kept
        return await self._brought_asset(want)

    async def _brought_asset(self, want: Want) -> Asset | None:
        if self._negatives.has(want.repository, want.key):
            return None
        fill = self.fills.join((want.repository.id, want.key), lambda fill: self._fetcher.run(fill, want))
        try:
            return await fill.end()
        except Unavailable as error:
            if want.kept is None:
                raise
            self._stale(want, error)
            return want.kept

    async def _want(self, repository: Repository, route: File | Document[Any], ctx: Context, visit: Visit) -> Want:
        assert repository.remote is not None
        key = key_of(route, ctx)
        kept = await self._kept(repository, key)
        return Want(repository, repository.remote, self._formats[repository.format], route, ctx, key, visit, kept)

    async def _kept(self, repository: Repository, key: str) -> Asset | None:
        return await self._database.glance(assets.by_path, repository.id, repository.name, key)

    def _fresh_for(self, want: Want, asset: Asset, max_age: float) -> float:
        if asset.kept is None:
            return math.inf
        return fresh_for(asset.kept.verified, max_age, now=self._now(), invalidated=want.repository.invalidated)

    def _found(self, want: Want, asset: Asset, max_age: int) -> Found:
        return replace(from_asset(asset, self._stores), fresh_for=self._fresh_for(want, asset, max_age))

    def _stale(self, want: Want, error: Exception | None = None) -> Found | None:
        if want.kept is None:
            return None
        log.info("stale_served", repository=want.repository.name, path=want.key, reason=str(error or "not upstream"))
        return from_asset(want.kept, self._stores).with_headers({"warning": '110 - "Response is Stale"'})

    async def _read(self, asset: Asset, limit: int) -> bytes:
        reader = await self._stores.get(asset.blob.blob_store).open(asset.blob.key)
        try:
            return await asyncio.to_thread(reader.read, limit)
        finally:
            reader.close()

    async def find(self, repository: Repository, query: Query) -> Sequence[Component]:
        return await self._database.read(components.find, repository.id, repository.name, query)

    async def fetch(self, repository: Repository, path: str, limit: int) -> bytes | None:
        """GET a small thing that is not kept; `None` when upstream has none, or more than `limit` bytes of it."""
        assert repository.remote is not None
        async with self._upstreams.request(repository.remote, path) as response:
            if response.status in REFUSALS or response.status >= 500:
                raise UpstreamRefused(f"the upstream of {repository.name} answered {response.status}")
            body = bytearray()
            async for chunk in response.chunks():
                body += chunk
                if len(body) > limit:
                    return None
            return bytes(body) if response.status == 200 else None

    async def post(self, want: Want, path: str, body: bytes, headers: Headers) -> bytes:
        return await self.relay(want.repository, path, body, headers)

    async def relay(self, repository: Repository, path: str, body: bytes, headers: Headers) -> bytes:
        """POST to the upstream and give its answer, up to the size of a document."""
        assert repository.remote is not None
        async with self._upstreams.request(
            repository.remote, path, method="POST", headers=headers, body=body
        ) as response:
            if response.status != 200:
                raise UpstreamRefused(f"the upstream of {repository.name} answered {response.status} to {path}")
            answer = bytearray()
            async for chunk in response.chunks():
                answer += chunk
                if len(answer) > Document.limit:
                    raise UpstreamRefused(f"the upstream of {repository.name} answered too much to {path}")
            return bytes(answer)


class UpstreamHandle:
    """What a format's `origin` may ask."""

    def __init__(self, source: ProxySource, want: Want) -> None:
        self._source = source
        self._want = want

    @property
    def url(self) -> str:
        return self._want.remote.url

    async def model(self, document: Document[Any], **params: str) -> Any:
        want = self._want
        path = want.format.canonical(expand(document.path, **params))
        ctx = replace(want.ctx, path=path, params=params, query={}, accept=document.media_types[0])
        edition = await self._source.document(want.repository, document, ctx, want.visit)
        model = await edition.model() if edition is not None else None
        if model is None:
            raise NotFound(f"{path} is not in the upstream of {want.repository.name}")
        return model

    async def find(self, query: Query) -> Sequence[Component]:
        return await self._source.find(self._want.repository, query)

    async def fetch(self, path: str, *, limit: int) -> bytes | None:
        return await self._source.fetch(self._want.repository, path, limit)

    async def post(self, path: str, body: bytes, headers: Headers) -> bytes:
        return await self._source.post(self._want, path, body, headers)


def _immediately(value: Any) -> Callable[[], Any]:
    async def model() -> Any:
        return value

    return model


def _parsed_set(route: DocumentSet[Any], ctx: Context, files: Mapping[str, bytes]) -> Any:
    """A set that cannot be read is an upstream that cannot be used."""
    try:
        return route.parse(ctx, files)
    except (PakhusError, ValueError, KeyError, TypeError, AttributeError, LookupError) as error:
        raise UpstreamRefused(f"upstream's {route.folder(ctx.params)} is malformed: {error}") from error
