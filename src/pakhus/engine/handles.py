"""What actions get to hold: a hosted repository to write to, or a view of a repository of any type."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pakhus.database import assets, components
from pakhus.domain.content import NO_FACTS, Asset, Component, Facts, Query
from pakhus.domain.errors import Invalid, NotFound, Unavailable
from pakhus.domain.security import Permission, may
from pakhus.engine.deposit import Place
from pakhus.engine.entrance import EntranceHandle
from pakhus.engine.found import Visit
from pakhus.engine.request import Request
from pakhus.kit.context import Change, Context, Deposit, Draft, Headers, Reply, Uploads
from pakhus.kit.format import Document, Drop, File
from pakhus.kit.paths import expand

if TYPE_CHECKING:
    from pakhus.engine.content import Engine

Model = TypeVar("Model")


class HostedHandle:
    """`kit.Hosted`, bound to one repository, one actor and (for an action) the request that brought it."""

    def __init__(self, engine: Engine, place: Place, ctx: Context, request: Request | None = None) -> None:
        self._engine = engine
        self._place = place
        self._ctx = ctx
        self._request = request

    @property
    def settings(self) -> Any:
        return self._ctx.settings

    @property
    def uploads(self) -> Uploads:
        return self._engine.uploads(self._place.repository)

    async def visible(self, path: str, *, outside: bool = False) -> Asset | None:
        addressed = self._place.repository if self._request is None else self._request.repository
        if outside:
            located = None if self._request is None else self._request.locate(path)
            found = None if located is None else self._engine.catalog.find(located[0])
            if located is None or found is None or found.format != addressed.format:
                return None
            addressed, path = found, located[1]
        return await self._engine.seen(addressed, path, self._ctx, self._place.actor)

    async def hold(self, asset: Asset) -> bool:
        return await self._engine.holding.hold(asset)

    async def draft(self, chunks: AsyncIterable[bytes], *, limit: int | None = None) -> Draft:
        return await self._engine.depositor.receive(self._place.repository, chunks, limit=limit)

    async def deposit(self, *changes: Change) -> None:
        await self._engine.depositor.apply(self._place, changes)

    async def drop(self, files: Mapping[str, Draft | bytes], *, content_type: str = "") -> None:
        deposits = [await self._identified(path, body, content_type) for path, body in files.items()]
        await self._engine.depositor.apply(self._place, deposits)

    async def find(self, query: Query) -> Sequence[Component]:
        repository = self._place.repository
        return await self._engine.database.read(components.find, repository.id, repository.name, query)

    async def asset(self, path: str) -> Asset | None:
        repository = self._place.repository
        return await self._engine.database.glance(assets.by_path, repository.id, repository.name, path)

    async def read(self, path: str, *, limit: int) -> bytes | None:
        asset = await self.asset(path)
        if asset is None:
            return None
        reader = await self._engine.stores.get(asset.blob.blob_store).open(asset.blob.key)
        try:
            return await asyncio.to_thread(reader.read, limit)
        finally:
            reader.close()

    async def _identified(self, path: str, body: Draft | bytes, content_type: str) -> Deposit:
        """The deposit that a PUT of this path makes."""
        format = self._place.format
        path = format.canonical(path)
        route, params = format.match("PUT", path)
        if not isinstance(route, Drop):
            raise Invalid(f"{path} is not a path that files are stored under")
        ctx = self._ctx.at(path, params)
        route.admit(ctx)
        draft = await self.draft(_once(body)) if isinstance(body, bytes) else body
        try:
            facts = await asyncio.to_thread(_inspect, route, ctx, draft) if inspects(route) else NO_FACTS
            route.verify(ctx, draft.digests)
        except BaseException:
            await draft.cancel()
            raise
        return Deposit(
            path=path,
            body=draft,
            coordinates=route.identify(ctx),
            facts=facts,
            content_type=route.content_type(ctx) or content_type,
            rewritable=route.rewritable(ctx),
        )


class ViewHandle(EntranceHandle):
    """`kit.View`, bound to one repository of any type, one request and its actor."""

    def __init__(self, engine: Engine, request: Request, ctx: Context) -> None:
        super().__init__(engine, engine.catalog.format(request.repository), request)
        self._repository = request.repository
        self._ctx = ctx
        self._visit = Visit(request.actor)

    async def has(self, path: str) -> bool:
        format = self._engine.catalog.format(self._repository)
        path = format.canonical(path)
        if not may(self._visit.actor, Permission.READ, self._repository, path).allowed:
            return False
        try:
            route, params = format.match("GET", path)
            ctx = self._ctx.at(path, params)
            return await self._engine.content(self._repository, route, ctx, self._visit) is not None
        except NotFound:
            return False

    async def model(self, document: Document[Model], **params: str) -> Model | None:
        format = self._engine.catalog.format(self._repository)
        path = format.canonical(expand(document.path, **params))
        ctx = replace(self._ctx.at(path, params), query={}, accept=document.media_types[0])
        edition = await self._engine.edition(self._repository, document, ctx, self._visit)
        return cast("Model | None", await self._engine.model(edition, document, ctx) if edition else None)

    async def relay(self, path: str, body: bytes, headers: Headers) -> Sequence[Reply]:
        asked = self._engine.upstreams_behind(self._repository, self._visit)
        answers = await asyncio.gather(
            *(self._engine.proxies.relay(each, path, body, headers) for each in asked), return_exceptions=True
        )
        replies = []
        for answer in answers:
            if isinstance(answer, bytes):
                replies.append(Reply(200, answer))
            elif not isinstance(answer, Unavailable):
                raise answer
        return replies

    async def login(self, username: str, password: str, *, label: str) -> str:
        where = {"address": self._visit.actor.address, "format": self._repository.format}
        return await self._engine.sessions.login(username, password, label=label, **where)

    async def logout(self, token: str) -> None:
        await self._engine.sessions.logout(token)


def inspects(route: File) -> bool:
    """Does the format look into this kind of file at all? A thread that would find nothing is spared."""
    return type(route).inspect is not File.inspect


def _inspect(route: Drop, ctx: Context, draft: Draft) -> Facts:
    with draft.open() as body:
        return route.inspect(ctx, body)


async def _once(body: bytes) -> Any:
    yield body
