"""The proxy source: a kept copy while it is fresh, else what upstream has, streamed and kept in one go.

Nexus's rules for what upstream answers: 200 is kept and served, 304 confirms the kept copy; 401, 402, 407, 429 and 5xx,
and no answer at all, give the stale copy if there is one, else an error; anything else is "not found", and remembered.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import structlog

from pakhus.database import assets, components, leases
from pakhus.database.components import Version
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import NO_FACTS, Asset, Coordinates, Digests, Facts, Kept, Origin
from pakhus.domain.errors import (
    DigestMismatch,
    NotFound,
    PakhusError,
    Unavailable,
    UpstreamDown,
    UpstreamRefused,
)
from pakhus.domain.policies import expired
from pakhus.domain.repository import Remote, Repository
from pakhus.engine.fill import Confirmed, Fill, Fills, Missing
from pakhus.engine.found import Edition, Found, Growing, Visit
from pakhus.engine.hosted import from_asset
from pakhus.engine.keeping import BlobVanished, Safe, make_safe
from pakhus.engine.memory import Memory
from pakhus.engine.negatives import Negatives
from pakhus.engine.stores import Stores
from pakhus.kit.context import Context, Headers
from pakhus.kit.format import Document, File, Format
from pakhus.kit.paths import expand
from pakhus.remote.client import Response, Upstreams
from pakhus.storage.store import Draft

log = structlog.get_logger()

REFUSALS = frozenset({401, 402, 407, 408, 425, 429})
LEASE_SECONDS = 10.0
"""Renewed while a fill goes on, however long: short, since after a crash it is what the next client waits for."""
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Want:
    """One thing that a proxy wants from its upstream. `key` is the path under which the copy is kept."""

    repository: Repository
    remote: Remote
    format: Format
    route: File | Document[Any]
    ctx: Context
    key: str
    visit: Visit
    kept: Asset | None


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
        self._owner = secrets.token_hex(8)
        self.fills = Fills()

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None:
        want = await self._want(repository, route, ctx, visit)
        immutable = route.immutable(ctx)
        if want.kept is not None and self._fresh(want, -1 if immutable else want.remote.content_max_age):
            return from_asset(want.kept, self._stores)
        if self._negatives.has(repository, want.key):
            return self._stale(want)
        fill = self.fills.join((repository.id, want.key), lambda fill: self._fetch(fill, want))
        try:
            head = await fill.head()
        except Unavailable as error:
            if want.kept is None:
                raise
            return self._stale(want, error)
        if isinstance(head, Missing):
            return self._stale(want)
        return from_asset(head.asset, self._stores) if isinstance(head, Confirmed) else head

    async def document(
        self, repository: Repository, document: Document[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None:
        if document.local:
            return Edition(f"{repository.id}.local", _immediately(document.build(ctx, ())))
        asset = await self._document_asset(await self._want(repository, document, ctx, visit))
        if asset is None:
            return None
        version = f"{repository.id}.{asset.blob.digests.sha256}"

        async def model() -> Any:
            key = (version, document.path, ctx.path)
            known = self._models.get(key)
            if known is None:
                body = await self._read(asset, document.limit)
                source = asset.kept.origin if asset.kept is not None else ""
                known = await asyncio.to_thread(_parse, document, ctx, body, source, asset.content_type)
                self._models.put(key, known)
            return known

        return Edition(version, model, asset.updated)

    async def _document_asset(self, want: Want) -> Asset | None:
        if want.kept is not None and self._fresh(want, want.remote.metadata_max_age):
            return want.kept
        if self._negatives.has(want.repository, want.key):
            return None
        fill = self.fills.join((want.repository.id, want.key), lambda fill: self._fetch(fill, want))
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
        kept = await self._database.glance(assets.by_path, repository.id, repository.name, key)
        return Want(repository, repository.remote, self._formats[repository.format], route, ctx, key, visit, kept)

    def _fresh(self, want: Want, max_age: int) -> bool:
        if want.kept is None or want.kept.kept is None:
            return want.kept is not None
        verified = want.kept.kept.verified
        return not expired(verified, max_age, now=self._now(), invalidated=want.repository.invalidated)

    def _stale(self, want: Want, error: Exception | None = None) -> Found | None:
        if want.kept is None:
            return None
        log.info("stale_served", repository=want.repository.name, path=want.key, reason=str(error or "not upstream"))
        return from_asset(want.kept, self._stores).with_headers({"warning": '110 - "Response is Stale"'})

    # -- fetching: in a task of its own, for all who wait ----------------------------------------------------------

    async def _fetch(self, fill: Fill, want: Want) -> None:
        name = f"fill:{want.repository.id}:{want.key}"
        if want.kept is None and not await self._lease(fill, want, name):
            return
        if want.kept is not None:
            await self._ask(fill, want)
            return
        renewing = asyncio.create_task(self._renew(name))
        try:
            await self._ask(fill, want)
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._database.write(leases.release, name, self._owner)

    async def _renew(self, lease: str) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            await self._database.write(leases.take, lease, self._owner, LEASE_SECONDS)

    async def _lease(self, fill: Fill, want: Want, name: str) -> bool:
        """True when it is ours to fetch; false when another process has brought the copy meanwhile."""
        deadline = self._seconds() + PATIENCE_SECONDS
        pause = POLL_SECONDS
        while not await self._database.write(leases.take, name, self._owner, LEASE_SECONDS):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 1.0)
            if self._seconds() > deadline:
                log.info("fill_lease_ignored", repository=want.repository.name, path=want.key)
                return True
        asset = await self._database.glance(assets.by_path, want.repository.id, want.repository.name, want.key)
        if asset is None:
            return True
        await self._database.write(leases.release, name, self._owner)
        fill.answer(Confirmed(asset))
        fill.finish(asset)
        return False

    async def _ask(self, fill: Fill, want: Want) -> None:
        try:
            origin = await want.route.origin(want.ctx, UpstreamHandle(self, want))
        except NotFound:
            # What upstream's index does not list is not there. The index is kept, so asking it again costs nothing.
            fill.answer(Missing())
            fill.finish(None)
            return
        asks_itself = "?" in origin.location
        location = origin.location if asks_itself else _with_query(want.route, want.ctx, origin.location)
        headers = _request_headers(want)
        async with self._upstreams.request(want.remote, location, headers=headers) as response:
            if response.status == 304 and want.kept is not None:
                await self._confirm(fill, want, response)
            elif response.status == 200:
                await self._receive(fill, want, origin, response)
            elif response.status in REFUSALS or response.status >= 500:
                raise UpstreamRefused(f"the upstream of {want.repository.name} answered {response.status}")
            else:
                self._negatives.remember(want.repository, want.key)
                fill.answer(Missing())
                fill.finish(None)

    async def _confirm(self, fill: Fill, want: Want, response: Response) -> None:
        asset = want.kept
        assert asset is not None
        before = asset.kept or Kept(self._now())
        kept = replace(before, verified=self._now(), etag=response.headers.get("etag", before.etag))
        await self._database.write(_mark_verified, asset.id, kept)
        asset = replace(asset, kept=kept)
        fill.answer(Confirmed(asset))
        fill.finish(asset)

    async def _receive(self, fill: Fill, want: Want, origin: Origin, response: Response) -> None:
        kept = Kept(
            self._now(),
            response.url,
            response.headers.get("etag", ""),
            response.headers.get("last-modified", ""),
        )
        kind = _content_type(want, response)
        store = self._stores.get(want.repository.blob_store)
        draft = await store.begin()
        try:
            if isinstance(want.route, File):
                fill.answer(Found(Growing(draft, response.size), kind, kept.etag, _moment(kept.last_modified)))
            await _pour(response, draft, want, origin)
            if isinstance(want.route, Document):
                await self._understand(want, want.route, draft, kept.origin, kind)
            safe = await make_safe(self._database, store, draft)
            asset = await self._keep(want, origin, safe, kind, kept)
        except BaseException as error:
            cause = _as_upstream_error(error, want)
            fill.fail(cause)  # before the clients learn of it: who asks again must not join this one
            await draft.cancel(cause)
            raise
        await safe.done()
        self._negatives.forget(want.repository, want.key)
        fill.finish(asset)

    async def _understand(self, want: Want, document: Document[Any], draft: Draft, source: str, kind: str) -> None:
        """Raise for a document that cannot be read: it must not take the place of one that could."""
        model = await asyncio.to_thread(
            _parse, document, want.ctx, await asyncio.to_thread(_whole, draft), source, kind
        )
        version = f"{want.repository.id}.{draft.digests.sha256}"
        self._models.put((version, document.path, want.ctx.path), model)

    async def _keep(self, want: Want, origin: Origin, safe: Safe, kind: str, kept: Kept) -> Asset:
        coordinates, facts = None, NO_FACTS
        if isinstance(want.route, File):
            coordinates = want.route.identify(want.ctx)
            facts = await asyncio.to_thread(_inspect, want, safe.draft)
        facts = replace(facts, published=facts.published or origin.published)
        arguments = (want, safe, coordinates, facts, kind, kept)
        try:
            return await self._database.write(_store, *arguments)
        except BlobVanished:
            await safe.insist()
            return await self._database.write(_store, *arguments)

    async def _read(self, asset: Asset, limit: int) -> bytes:
        reader = await self._stores.get(asset.blob.blob_store).open(asset.blob.key)
        try:
            return await asyncio.to_thread(reader.read, limit)
        finally:
            reader.close()

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

    async def fetch(self, path: str, *, limit: int) -> bytes | None:
        return await self._source.fetch(self._want.repository, path, limit)

    async def post(self, path: str, body: bytes, headers: Headers) -> bytes:
        return await self._source.post(self._want, path, body, headers)


def key_of(route: File | Document[Any], ctx: Context) -> str:
    """The path under which a proxy keeps a thing: with the parameters that change it."""
    return _with_query(route, ctx, ctx.path)


def _with_query(route: File | Document[Any], ctx: Context, location: str) -> str:
    if isinstance(route, File):
        return location
    asked = [(name, ctx.query[name]) for name in route.query if name in ctx.query]
    return f"{location}?{urlencode(asked)}" if asked else location


def _request_headers(want: Want) -> dict[str, str]:
    accept = ", ".join(want.route.accept) if isinstance(want.route, File) else want.route.upstream_accept
    headers = {"accept": accept} if accept else {}
    if want.kept is not None and want.kept.kept is not None:
        if want.kept.kept.etag:
            headers["if-none-match"] = want.kept.kept.etag
        elif want.kept.kept.last_modified:
            headers["if-modified-since"] = want.kept.kept.last_modified
    return headers


def _content_type(want: Want, response: Response) -> str:
    said = response.headers.get("content-type", "")
    guess = want.route.content_type(want.ctx) if isinstance(want.route, File) else ""
    return guess or said or "application/octet-stream"


async def _pour(response: Response, draft: Draft, want: Want, origin: Origin) -> None:
    limit = None if isinstance(want.route, File) else want.route.limit
    async for chunk in response.chunks():
        await draft.write(chunk)
        if limit is not None and draft.size > limit:
            raise UpstreamRefused(f"{want.key} of the upstream is larger than {limit} bytes")
    digests = await draft.finish()
    try:
        _verify(want, origin, draft.size, digests)
    except DigestMismatch as error:
        raise UpstreamDown(f"the upstream of {want.repository.name} sent a wrong body: {error.message}") from error


def _verify(want: Want, origin: Origin, size: int, digests: Digests) -> None:
    if isinstance(want.route, File):
        want.route.verify(want.ctx, digests)
    for algorithm, promised in origin.digests.items():
        if digests.get(algorithm) != promised.lower():
            raise DigestMismatch(f"upstream promised {algorithm} {promised} for {want.key}, and sent something else")
    if origin.size is not None and origin.size != size:
        raise DigestMismatch(f"upstream promised {origin.size} bytes for {want.key}, and sent {size}")


def _inspect(want: Want, draft: Draft) -> Facts:
    """What a file from upstream says of itself; one that cannot be read is relayed all the same."""
    assert isinstance(want.route, File)
    try:
        with draft.open() as body:
            return want.route.inspect(want.ctx, body)
    except PakhusError as error:
        log.info("not_inspected", repository=want.repository.name, path=want.key, reason=error.message)
        return NO_FACTS


def _store(
    tx: Transaction, want: Want, safe: Safe, coordinates: Coordinates | None, facts: Facts, kind: str, kept: Kept
) -> Asset:
    repository = want.repository
    component_id = None
    if coordinates is not None:
        version = Version(want.format.prerelease(coordinates.version), facts.published)
        component_id = components.put(tx, repository.id, coordinates, facts.component, version)
    row = safe.row(tx)
    entry = assets.Entry(want.key, row.id, kind, coordinates, facts.asset, kept=kept)
    assets.put(tx, repository.id, repository.name, entry, component_id)
    stored = assets.by_path(tx, repository.id, repository.name, want.key)
    assert stored is not None
    return stored


def _mark_verified(tx: Transaction, asset_id: int, kept: Kept) -> None:
    tx.quiet = True
    assets.verified(tx, asset_id, kept)


def _whole(draft: Draft) -> bytes:
    with draft.open() as body:
        return body.read()


def _parse(document: Document[Any], ctx: Context, body: bytes, source: str, content_type: str) -> Any:
    """An upstream document that cannot be read is an upstream that cannot be used, not a fault of the client's."""
    try:
        return document.parse(replace(ctx, source=source, accept=content_type), body)
    except (PakhusError, ValueError, KeyError, TypeError, AttributeError, LookupError) as error:
        raise UpstreamRefused(f"upstream's {ctx.path} is malformed: {error}") from error


def _as_upstream_error(error: BaseException, want: Want) -> Exception:
    if isinstance(error, PakhusError):
        return error
    return UpstreamDown(f"fetching {want.key} was interrupted")


def _moment(http_date: str) -> datetime | None:
    if not http_date:
        return None
    try:
        return parsedate_to_datetime(http_date).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _immediately(value: Any) -> Callable[[], Any]:
    async def model() -> Any:
        return value

    return model
