"""Fetching from upstream: in a task of its own, for all who wait, streamed to them and kept in one go.

Nexus's rules for what upstream answers: 200 is kept and served, 304 confirms the kept copy; 401, 402, 407, 429 and 5xx
are errors, for which a stale copy may stand; anything else is "not found", and remembered.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

import structlog

from pakhus.database import assets, components, leases
from pakhus.database.components import Version
from pakhus.database.transaction import Database, Transaction
from pakhus.domain.content import NO_FACTS, Asset, Blob, Coordinates, Digests, Facts, Kept, Origin
from pakhus.domain.errors import Blocked, DigestMismatch, NotFound, PakhusError, UpstreamDown, UpstreamRefused
from pakhus.engine.fill import Confirmed, Fill, Missing
from pakhus.engine.found import Found, Growing, moment
from pakhus.engine.keeping import BlobVanished, Safe, make_safe
from pakhus.engine.memory import Memory
from pakhus.engine.negatives import Negatives
from pakhus.engine.stores import Stores
from pakhus.engine.wants import REFUSALS, Want, accepted, request_headers, with_query
from pakhus.kit.context import Context, Upstream
from pakhus.kit.format import BREAK, Document, File
from pakhus.remote.client import Response, Upstreams
from pakhus.storage.store import Draft

log = structlog.get_logger()

LEASE_SECONDS = 10.0
"""Renewed while a fill goes on, however long: short, since after a crash it is what the next client waits for."""
PATIENCE_SECONDS = 20.0
POLL_SECONDS = 0.05
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, LookupError)
"""What a format raises that meets something else than it expects."""


class Fetcher:
    """Brings what proxies want. `handle` gives a format's `origin` what it may ask."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        upstreams: Upstreams,
        negatives: Negatives,
        models: Memory[Any],
        *,
        handle: Callable[[Want], Upstream],
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._database = database
        self._stores = stores
        self._upstreams = upstreams
        self._negatives = negatives
        self._models = models
        self._handle = handle
        self._now = now
        self._seconds = seconds
        self._owner = secrets.token_hex(8)

    async def run(self, fill: Fill, want: Want) -> None:
        """Bring one thing, and tell the fill; raises what went wrong."""
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
            origin = await want.route.origin(want.ctx, self._handle(want))
        except NotFound:
            # What upstream's index does not list is not there. The index is kept, so asking it again costs nothing.
            fill.answer(Missing())
            fill.finish(None)
            return
        asks_itself = "?" in origin.location
        location = origin.location if asks_itself else with_query(want.route, want.ctx, origin.location)
        if await self._probed(fill, want, location):
            return
        *mirrors, location = (location, *origin.alternatives)
        for mirror in mirrors:
            if await self._mirrored(fill, want, origin, mirror):
                return
        if await self._answered(fill, want, origin, location, last=not origin.otherwise):
            return
        await self._answered(fill, want, origin, origin.otherwise, last=True)

    async def _mirrored(self, fill: Fill, want: Want, origin: Origin, location: str) -> bool:
        """Ask one of several places; false when it has nothing or cannot be asked, and another is to be."""
        async with AsyncExitStack() as stack:
            request = self._upstreams.request(want.remote, location, headers=request_headers(want))
            try:
                response = await stack.enter_async_context(request)
            except (UpstreamDown, Blocked) as error:
                log.info("mirror_skipped", repository=want.repository.name, path=want.key, reason=error.message)
                return False
            if response.status == 304 and want.kept is not None:
                await self._confirm(fill, want, response)
            elif response.status == 200:
                await self._receive(fill, want, origin, response)
            else:
                return False
            return True

    async def _probed(self, fill: Fill, want: Want, location: str) -> bool:
        """Ask by HEAD, where that is enough; true when the kept copy is confirmed."""
        if want.kept is None or not isinstance(want.route, File) or not want.route.probed:
            return False
        async with self._upstreams.request(
            want.remote, location, method="HEAD", headers=request_headers(want)
        ) as response:
            if response.status in REFUSALS or response.status >= 500:
                raise UpstreamRefused(f"the upstream of {want.repository.name} answered {response.status}")
            if response.status == 200 and not want.route.unchanged(want.ctx, response.headers, want.kept):
                return False
            if response.status not in (200, 304):
                return False
            await self._confirm(fill, want, response)
            return True

    async def _answered(self, fill: Fill, want: Want, origin: Origin, location: str, *, last: bool) -> bool:
        """False when there is nothing at the location, and another one is still to be asked."""
        async with self._upstreams.request(want.remote, location, headers=request_headers(want)) as response:
            if response.status == 304 and want.kept is not None:
                await self._confirm(fill, want, response)
            elif response.status == 200:
                await self._receive(fill, want, origin, response)
            elif response.status in REFUSALS or response.status >= 500:
                raise UpstreamRefused(f"the upstream of {want.repository.name} answered {response.status}")
            elif not last:
                return False
            else:
                self._negatives.remember(want.repository, want.key)
                fill.answer(Missing())
                fill.finish(None)
        return True

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
        store = self._stores.writable(want.repository.blob_store)
        draft = await store.begin()
        try:
            if isinstance(want.route, File):
                fill.answer(Found(Growing(draft, response.size), kind, kept.etag, moment(kept.last_modified)))
            await _pour(response, draft, want)
            if isinstance(want.route, Document) and want.route.pages > 1:
                kept = await self._pour_rest(draft, want, want.route, kept, response)
            _verify(want, origin, draft.size, await draft.finish())
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

    async def _pour_rest(
        self, draft: Draft, want: Want, document: Document[Any], kept: Kept, response: Response
    ) -> Kept:
        """The pages after the first one. A page's validators say nothing of the other pages: they are not kept."""
        source, headers, asked = kept.origin, response.headers, {kept.origin}
        while len(asked) < document.pages:
            ctx = replace(want.ctx, source=source)
            location = await asyncio.to_thread(_following, document, ctx, headers, draft)
            location = urljoin(source, location) if location else ""
            if not location or location in asked:
                break
            asked.add(location)
            await draft.write(BREAK)
            async with self._upstreams.request(want.remote, location, headers=accepted(want)) as more:
                if more.status != 200:
                    raise UpstreamRefused(f"the upstream of {want.repository.name} answered {more.status}")
                source, headers = more.url, more.headers
                await _pour(more, draft, want)
        return replace(kept, etag="", last_modified="") if len(asked) > 1 else kept

    async def _understand(self, want: Want, document: Document[Any], draft: Draft, source: str, kind: str) -> None:
        """Raise for a document that cannot be read: it must not take the place of one that could."""
        model = await asyncio.to_thread(
            parsed, document, want.ctx, await asyncio.to_thread(_whole, draft), source, kind
        )
        version = f"{want.repository.id}.{draft.digests.sha256}"
        self._models.put((version, document.path, want.ctx.path), model)

    async def _keep(self, want: Want, origin: Origin, safe: Safe, kind: str, kept: Kept) -> Asset:
        coordinates, facts = None, NO_FACTS
        if isinstance(want.route, File):
            coordinates = want.route.identify(want.ctx)
            facts = await asyncio.to_thread(_inspect, want, safe.draft)
        facts = replace(facts, published=facts.published or origin.published)
        others = await asyncio.to_thread(_aliases, want, safe)
        arguments = (want, safe, coordinates, facts, kind, kept, others)
        try:
            return await self._database.write(_store, *arguments)
        except BlobVanished:
            await safe.insist()
            return await self._database.write(_store, *arguments)


def _content_type(want: Want, response: Response) -> str:
    said = response.headers.get("content-type", "")
    guess = want.route.content_type(want.ctx) if isinstance(want.route, File) else ""
    return guess or said or "application/octet-stream"


async def _pour(response: Response, draft: Draft, want: Want) -> None:
    limit = want.route.limit
    async for chunk in response.chunks():
        await draft.write(chunk)
        if limit is not None and draft.size > limit:
            raise UpstreamRefused(f"{want.key} of the upstream is larger than {limit} bytes")


def _verify(want: Want, origin: Origin, size: int, digests: Digests) -> None:
    try:
        _check(want, origin, size, digests)
    except DigestMismatch as error:
        raise UpstreamDown(f"the upstream of {want.repository.name} sent a wrong body: {error.message}") from error


def _check(want: Want, origin: Origin, size: int, digests: Digests) -> None:
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


def _aliases(want: Want, safe: Safe) -> list[Want]:
    """The same bytes under their other paths, where those have routes."""
    if not isinstance(want.route, File):
        return []
    found = []
    for path in want.route.aliases(want.ctx, safe.digests):
        route, params = want.format.match("GET", path)
        if isinstance(route, File):
            found.append(replace(want, route=route, ctx=want.ctx.at(path, params), key=path))
    return found


def _store(
    tx: Transaction,
    want: Want,
    safe: Safe,
    coordinates: Coordinates | None,
    facts: Facts,
    kind: str,
    kept: Kept,
    others: Sequence[Want],
) -> Asset:
    repository = want.repository
    row = safe.row(tx)
    _put(tx, want, row, coordinates, facts, kind, kept)
    for each in others:
        assert isinstance(each.route, File)
        _put(tx, each, row, each.route.identify(each.ctx), facts, kind, kept)
    stored = assets.by_path(tx, repository.id, repository.name, want.key)
    assert stored is not None
    return stored


def _put(
    tx: Transaction, want: Want, row: Blob, coordinates: Coordinates | None, facts: Facts, kind: str, kept: Kept
) -> None:
    repository = want.repository
    component_id = None
    if coordinates is not None:
        version = Version(want.format.prerelease(coordinates.version), facts.published)
        component_id = components.put(tx, repository.id, coordinates, facts.component, version)
    entry = assets.Entry(want.key, row.id, kind, coordinates, facts.asset, kept=kept, sha256=row.digests.sha256)
    known = assets.by_path(tx, repository.id, repository.name, want.key)
    assets.put(tx, repository.id, repository.name, entry, component_id, known=known)


def _mark_verified(tx: Transaction, asset_id: int, kept: Kept) -> None:
    tx.quiet = True
    assets.verified(tx, asset_id, kept)


def _whole(draft: Draft) -> bytes:
    with draft.open() as body:
        return body.read()


def _following(document: Document[Any], ctx: Context, headers: Mapping[str, str], draft: Draft) -> str:
    try:
        return document.following(ctx, headers, lambda: _whole(draft))
    except (PakhusError, *MALFORMED) as error:
        raise UpstreamRefused(f"upstream's {ctx.path} is malformed: {error}") from error


def parsed(document: Document[Any], ctx: Context, body: bytes, source: str, content_type: str) -> Any:
    """An upstream document that cannot be read is an upstream that cannot be used, not a fault of the client's."""
    try:
        return document.parse(replace(ctx, source=source, accept=content_type), body)
    except (PakhusError, *MALFORMED) as error:
        raise UpstreamRefused(f"upstream's {ctx.path} is malformed: {error}") from error


def _as_upstream_error(error: BaseException, want: Want) -> Exception:
    if isinstance(error, PakhusError):
        return error
    return UpstreamDown(f"fetching {want.key} was interrupted")
