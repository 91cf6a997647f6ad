"""The one way out: a route becomes content, in whatever type of repository, and an action gets what it may hold.

This is the only code that knows which repository type is served by which source.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol, cast

from pakhus.database.transaction import Database
from pakhus.domain.content import EMPTY, Asset
from pakhus.domain.errors import Blocked, Invalid, NotAllowed, NotFound, Offline, Unavailable
from pakhus.domain.freeze import is_frozen
from pakhus.domain.policies import routed
from pakhus.domain.repository import ANY, Repository, RepositoryType
from pakhus.domain.security import Actor, Permission, may
from pakhus.engine.catalog import Catalog
from pakhus.engine.deposit import Depositor, Place, require_any
from pakhus.engine.entrance import EntranceHandle, Sessions
from pakhus.engine.found import Edition, Found, Rendered, Visit
from pakhus.engine.group import GroupSource
from pakhus.engine.handles import HostedHandle, ViewHandle
from pakhus.engine.holding import Holding
from pakhus.engine.hosted import HostedSource
from pakhus.engine.keyring import Keyring
from pakhus.engine.memory import Memory
from pakhus.engine.negotiation import choose
from pakhus.engine.proxy import ProxySource
from pakhus.engine.publish import Publisher
from pakhus.engine.request import Entering, Request
from pakhus.engine.stores import Stores
from pakhus.engine.uploads import Uploads
from pakhus.kit.context import Call, Context, Entrance, Headers, Hosted, Removal, Reply, View
from pakhus.kit.format import Action, Checksum, Derived, Document, DocumentSet, Drop, File, Format, PublicKey, Route
from pakhus.kit.paths import template
from pakhus.remote.client import Upstreams

MODELS = 256
RENDERED_BYTES = 128 << 20
BLOCKED = "Routing rules block the requested item from this repository"


class Source(Protocol):
    """One for each repository type, none for a format."""

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None: ...
    async def document(
        self, repository: Repository, document: Derived[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None: ...


class Engine:
    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        stores: Stores,
        upstreams: Upstreams,
        sessions: Sessions,
        keyring: Keyring,
        *,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
        max_body: int | None = None,
    ) -> None:
        self.database = database
        self.catalog = catalog
        self.stores = stores
        self.sessions = sessions
        self._max_body = max_body
        self.depositor = Depositor(database, stores, max_body=max_body, frozen=lambda: is_frozen(catalog.values))
        self._models: Memory[Any] = Memory(MODELS)
        self._rendered: Memory[tuple[bytes, Headers]] = Memory(RENDERED_BYTES)
        self.holding = Holding(database, seconds)
        self.proxies = ProxySource(
            database, stores, upstreams, self._models, formats=catalog.formats, now=now, seconds=seconds
        )
        self._sources: Mapping[RepositoryType, Source] = {
            RepositoryType.HOSTED: HostedSource(database, stores),
            RepositoryType.PROXY: self.proxies,
            RepositoryType.GROUP: GroupSource(self),
        }
        self.keyring = keyring
        self.publisher = Publisher(database, catalog, stores, keyring, self, now=now, seconds=seconds)

    async def close(self) -> None:
        """End what goes on in the background."""
        await self.publisher.close()
        await self.keyring.close()
        await self.proxies.fills.close()

    async def handle(self, request: Request) -> Found | Reply:
        """Answer a request whose actor is known; every permission is checked in here."""
        format = self.catalog.format(request.repository)
        if not request.repository.online:
            raise Offline("Repository offline")
        route, params = format.match(request.method, request.path)
        ctx = self._context(request, route, params)
        if isinstance(route, Action):
            return await self._act(request, format, route, ctx)
        if request.method in ("PUT", "DELETE"):
            return await self._write(request, format, cast(Drop, route), ctx)
        visit = Visit(request.actor)
        self._require(request, Permission.READ)
        found = await self.content(request.repository, route, ctx, visit)
        if found is None or (request.method == "HEAD" and not await self._held(route, ctx, found)):
            raise NotFound(f"{request.path} is not in {request.repository.name}", path=request.path)
        return found

    async def enter(self, request: Entering, format: Format) -> Reply:
        """Answer what can be asked before a repository is named."""
        for action in format.entrance:
            params = template(action.path).match(request.path) if action.method == request.method else None
            if params is not None:
                ctx = Context(
                    "",
                    request.path,
                    params,
                    request.query,
                    "",
                    None,
                    request.link,
                    method=request.method,
                    pairs=request.pairs,
                )
                call = Call(request.method, ctx, request.headers, request.body, request.size)
                entrance = EntranceHandle(self, format, request)
                return await cast(Callable[[Call, Entrance], Awaitable[Reply]], action.run)(call, entrance)
        raise NotAllowed(f"{request.method} is not possible for {request.path}")

    async def seen(self, repository: Repository, path: str, ctx: Context, actor: Actor) -> Asset | None:
        """The asset that the actor's GET of a path would send."""
        if not repository.online or not may(actor, Permission.READ, repository, path).allowed:
            return None
        format = self.catalog.format(repository)
        try:
            route, params = format.match("GET", format.canonical(path))
            found = await self.content(repository, route, ctx.at(path, params), Visit(actor))
        except (NotFound, Blocked, Unavailable):
            return None
        return None if found is None else found.asset

    async def _held(self, route: Route, ctx: Context, found: Found) -> bool:
        """A client that asks whether an expendable file is there may be about to refer to it."""
        if found.asset is None or not isinstance(route, File) or route.expendable(ctx, found.asset) is None:
            return True
        return await self.holding.hold(found.asset)

    # -- reading -------------------------------------------------------------------------------------------------

    async def content(self, repository: Repository, route: Route, ctx: Context, visit: Visit) -> Found | None:
        """What a GET sends: one path for files, documents and checksums."""
        if isinstance(route, Checksum):
            return await self._checksum(repository, ctx, visit)
        if isinstance(route, PublicKey) and repository.type is not RepositoryType.PROXY:
            return await self._public_key(repository, route, ctx)
        if isinstance(route, File):
            found = await self.file(repository, route, ctx, visit)
            return found and found.with_headers(route.headers(ctx, found.as_content()))
        if isinstance(route, DocumentSet):
            return await self._published(repository, route, ctx, visit)
        assert isinstance(route, Document)
        edition = await self.edition(repository, route, ctx, visit)
        return None if edition is None else await self._render(edition, route, ctx)

    async def file(self, repository: Repository, route: File, ctx: Context, visit: Visit) -> Found | None:
        inside = self.inside(repository, route, ctx)
        if inside is None:
            return None
        return await self._sources[repository.type].file(repository, route, inside, visit)

    async def _published(
        self, repository: Repository, route: DocumentSet[Any], ctx: Context, visit: Visit
    ) -> Found | None:
        inside = self.inside(repository, route, ctx)
        if inside is None:
            return None
        if repository.type is RepositoryType.PROXY:
            return await self.proxies.published(repository, route, inside, visit)
        return await self.publisher.found(repository, route, inside, visit)

    async def _public_key(self, repository: Repository, route: PublicKey, ctx: Context) -> Found:
        keys = await self.keyring.keys(repository)
        return Found(
            body=Rendered(keys.public(armored=route.armored)),
            content_type=route.content_type(ctx),
            etag=f'"{hashlib.sha256(keys.edition.encode()).hexdigest()[:40]}"',
            modified=max((row.created for row in keys.rows if row.created is not None), default=None),
        )

    async def edition(
        self, repository: Repository, document: Derived[Any], ctx: Context, visit: Visit
    ) -> Edition[Any] | None:
        inside = self.inside(repository, document, ctx)
        if inside is None:
            return None
        return await self._sources[repository.type].document(repository, document, inside, visit)

    async def model(self, edition: Edition[Any], document: Document[Any], ctx: Context) -> Any:
        """The model of an edition, remembered."""
        key = ("model", edition.version, document.path, ctx.path, _asked(document, ctx))
        known = self._models.get(key)
        if known is None:
            known = await edition.model()
            if known is not None:
                self._models.put(key, known)
        return known

    def members(self, repository: Repository, ctx: Context, visit: Visit) -> Sequence[Repository]:
        """The members of a group that exist, are online, may be read by the actor, and do not lie behind."""
        found = (self.catalog.find(name) for name in repository.members)
        return [
            member
            for member in found
            if member is not None
            and member.online
            and member.id not in visit.behind
            and may(visit.actor.behind(), Permission.READ, member, ctx.path).allowed
        ]

    def upstreams_behind(self, repository: Repository, visit: Visit) -> list[Repository]:
        """The proxies that a repository is, or that its members are."""
        if repository.type is RepositoryType.PROXY:
            return [repository]
        inside = visit.entering(repository.id)
        found: list[Repository] = []
        for name in repository.members:
            member = self.catalog.find(name)
            if member is None or not member.online or member.id in inside.behind:
                continue
            if may(visit.actor.behind(), Permission.READ, member, None).allowed:
                found.extend(self.upstreams_behind(member, inside))
        return list({each.id: each for each in found}.values())

    def inside(self, repository: Repository, route: File | Derived[Any], ctx: Context) -> Context | None:
        """The context as this repository sees it; `None` where its settings refuse the path.

        Raises `Blocked` where its routing rule does.
        """
        target = "/" + ctx.path
        if not routed(repository.routing_rule, target):
            raise Blocked(BLOCKED)
        ctx = replace(ctx, repository=repository.name, settings=self.catalog.options(repository))
        try:
            route.admit(ctx)
        except Invalid:
            return None
        return ctx

    async def _checksum(self, repository: Repository, ctx: Context, visit: Visit) -> Found | None:
        format = self.catalog.format(repository)
        path = ctx["path"]
        route, params = format.match("GET", path)
        algorithm = ctx["algo"]
        found = await self.content(repository, route, self._negotiated(ctx.at(path, params), route), visit)
        if found is None:
            return None
        digest = found.digests.get(algorithm) if found.digests else await _digest(found, algorithm)
        return replace(
            found,
            body=Rendered(digest.encode()),
            content_type="text/plain",
            etag=f'"{hashlib.sha1(digest.encode(), usedforsecurity=False).hexdigest()}"',
            digests=None,
            attributes=EMPTY,
            headers={},
            asset=None,
        )

    async def _render(self, edition: Edition[Any], document: Document[Any], ctx: Context) -> Found | None:
        base = ctx.link("")
        query = tuple(sorted(ctx.query.items()))
        key = (edition.version, document.path, ctx.path, query, ctx.accept, base)
        rendered = self._rendered.get(key)
        if rendered is None:
            model = await self.model(edition, document, ctx)
            if model is None:
                return None
            rendered = await asyncio.to_thread(document.dump, ctx, model), document.headers(ctx, model)
            self._rendered.put(key, rendered, weight=len(rendered[0]) + 256)
        data, headers = rendered
        identity = "\0".join([edition.version, ctx.path, repr(query), ctx.accept, base])
        return Found(
            body=Rendered(data),
            content_type=ctx.accept,
            etag=f'"{hashlib.sha256(identity.encode()).hexdigest()[:40]}"',
            modified=edition.modified,
            fresh_for=edition.fresh_for,
            headers=headers,
            vary="Accept" if len(document.media_types) > 1 else "",
        )

    # -- writing -------------------------------------------------------------------------------------------------

    def place(self, repository: Repository, actor: Actor, addressed: Repository | None = None) -> Place:
        group = None if addressed is None or addressed.id == repository.id else addressed
        return Place(repository, self.catalog.format(repository), actor, group)

    def writable(self, repository: Repository) -> Repository:
        """The hosted repository that a write goes to: itself, or the writable member of a group."""
        if repository.type is RepositoryType.HOSTED:
            return repository
        if repository.writable_member is not None:
            return self.writable(self.catalog.get(repository.writable_member))
        kind = "proxy" if repository.type is RepositoryType.PROXY else "group without a writable member"
        raise NotAllowed(f"{repository.name} is read-only: it is a {kind}")

    def hosted(
        self, repository: Repository, actor: Actor, ctx: Context, request: Request | None = None
    ) -> HostedHandle:
        """What an action or an upload holds of a hosted repository."""
        inside = replace(ctx, repository=repository.name, settings=self.catalog.options(repository))
        addressed = None if request is None else request.repository
        return HostedHandle(self, self.place(repository, actor, addressed), inside, request)

    async def _write(self, request: Request, format: Format, route: Drop, ctx: Context) -> Reply:
        target = self._target(request, Permission.DELETE if request.method == "DELETE" else Permission.ADD)
        hosted = self.hosted(target, request.actor, ctx, request)
        if request.method == "DELETE":
            await hosted.deposit(Removal(path=request.path))
            return Reply(204)
        route.admit(replace(ctx, settings=self.catalog.options(target)))
        draft = await hosted.draft(request.body)
        await hosted.drop({request.path: draft}, content_type=request.headers.get("content-type", ""))
        return Reply(201)

    async def _act(self, request: Request, format: Format, action: Action, ctx: Context) -> Reply:
        if action.on == ANY:
            if action.needs is not None:
                self._require(request, action.needs)
            view = ViewHandle(self, request, ctx)
            call = Call(request.method, ctx, request.headers, request.body, request.size)
            return await cast(Callable[[Call, View], Awaitable[Reply]], action.run)(call, view)
        target = self._target(request, action.needs)
        hosted = self.hosted(target, request.actor, ctx, request)
        ctx = replace(ctx, repository=target.name, settings=hosted.settings)
        call = Call(request.method, ctx, request.headers, request.body, request.size)
        return await cast(Callable[[Call, Hosted], Awaitable[Reply]], action.run)(call, hosted)

    def _target(self, request: Request, needs: Permission | None) -> Repository:
        """Where a write goes, once the actor may do something like it there; each path is checked at the deposit."""
        if needs is not None:
            self._require(request, needs)
        target = self.writable(request.repository)
        if not target.online:
            raise Offline("Repository offline")
        if needs is not None:
            require_any(self.place(target, request.actor, request.repository), needs, request.path)
        return target

    def _require(self, request: Request, action: Permission) -> None:
        require_any(self.place(request.repository, request.actor), action, request.path)

    def uploads(self, repository: Repository) -> Uploads:
        return Uploads(self.database, self.stores, repository, max_body=self._max_body)

    # -- contexts ------------------------------------------------------------------------------------------------

    def _context(self, request: Request, route: Route, params: Mapping[str, str]) -> Context:
        ctx = Context(
            repository=request.repository.name,
            path=request.path,
            params=params,
            query=request.query,
            accept=request.headers.get("accept", ""),
            settings=self.catalog.options(request.repository),
            link=request.link,
            method=request.method,
            pairs=request.pairs,
        )
        return self._negotiated(ctx, route)

    def _negotiated(self, ctx: Context, route: Route) -> Context:
        if not isinstance(route, Document):
            return ctx
        return replace(ctx, accept=choose(ctx.accept, route.media_types))


def _asked(document: Document[Any], ctx: Context) -> tuple[tuple[str, str], ...]:
    return tuple((name, ctx.query[name]) for name in document.query if name in ctx.query)


async def _digest(found: Found, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    async for chunk in found.body.chunks():
        digest.update(chunk)
    return digest.hexdigest()
