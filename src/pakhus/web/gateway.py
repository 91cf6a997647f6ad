"""The front door: URLs of repositories go to the engine, everything else falls through to the REST application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pakhus.domain.errors import (
    Forbidden,
    NotFound,
    OutOfScope,
    PakhusError,
    RepositoryNotFound,
    Unauthenticated,
)
from pakhus.domain.initiator import current, identified
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.engine.downloads import Downloads
from pakhus.engine.found import Found
from pakhus.engine.request import Entering, Request
from pakhus.kit.context import Context, Reply
from pakhus.kit.format import BASIC, BEARER, Credential, Format
from pakhus.services.download_log import DownloadLog
from pakhus.web import problems
from pakhus.web.addresses import Address, Addresses
from pakhus.web.exchange import App, Exchange, Gone, Origins, Receive, Scope, Send
from pakhus.web.express import Express
from pakhus.web.identify import Accounts, by_remote_user, identify, initiator_of
from pakhus.web.limits import Limits
from pakhus.web.respond import send_found, send_reply


class Folders(Protocol):
    """Answers GETs of folders."""

    async def __call__(self, request: Request) -> Found | Reply | None: ...


@dataclass(slots=True)
class _Asked:
    """What is known of a request, as far as it has come."""

    address: Address | None = None
    format: Format | None = None
    repository: Repository | None = None
    started: bool = False

    def challenge(self, catalog: Catalog, exchange: Exchange) -> str:
        """What the format tells a client to log in with; empty for Basic."""
        if self.format is None or self.address is None:
            return ""
        repository = self.repository
        return self.format.challenge(
            Context(
                repository="" if repository is None else repository.name,
                path=self.address.path,
                params={},
                query=exchange.query,
                accept="",
                settings=None if repository is None else catalog.options(repository),
                link=self.address.link,
                method=exchange.method,
            )
        )


class Gateway:
    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        downloads: Downloads,
        download_log: DownloadLog,
        express: Express,
        origins: Origins,
        folders: Folders,
        rest: App,
        *,
        max_body: int | None = None,
        limits: Limits,
        remote_user: str = "",
    ) -> None:
        self._engine = engine
        self._accounts = accounts
        self._downloads = downloads
        self._download_log = download_log
        self._express = express
        self._origins = origins
        self._folders = folders
        self._rest = rest
        self._max_body = max_body
        self._addresses = Addresses(engine.catalog, origins)
        self._limits = limits
        self._remote_user = remote_user.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, max_body=self._max_body)
        if self._addresses.leads_inside(exchange):
            await self._answer(exchange)
        else:
            await self._pass_on(exchange)

    async def _pass_on(self, exchange: Exchange) -> None:
        """To the REST application, which is told who asks and at which address."""
        state = exchange.scope.setdefault("state", {})
        try:
            await self._engine.catalog.refresh()
            state["base_url"] = self._origins.base_url(exchange)
            actor = await self._actor(exchange)
            exchange.check_size()
        except PakhusError as error:
            state["refused"] = error
            await send_reply(exchange, self._closing(exchange, problems.reply_for(error, None)))
            return
        state["actor"] = actor
        identified(initiator_of(actor, exchange))
        exchange.note(actor=actor.user)
        await self._rest(exchange.scope, exchange.receive, exchange.send)

    async def _answer(self, exchange: Exchange) -> None:
        asked = _Asked()
        stamp = self._express.stamp()
        try:
            await self._engine.catalog.refresh()
            answer = await self._handle(exchange, asked)
            asked.started = True
            if isinstance(answer, Reply):
                await send_reply(exchange, answer)
            else:
                await self._send(exchange, answer, stamp)
        except Gone:
            exchange.note(outcome="client_gone")
        except PakhusError as error:
            exchange.note(outcome="refused", reason=error.message)
            exchange.scope["state"]["refused"] = error
            reply = problems.reply_for(error, asked.format, asked.challenge(self._engine.catalog, exchange))
            await send_reply(exchange, self._closing(exchange, reply))
        except Exception as error:
            if asked.started:
                raise
            exchange.note(outcome="incident")
            await send_reply(exchange, self._closing(exchange, problems.incident(error)))

    async def _send(self, exchange: Exchange, found: Found, stamp: bytes) -> None:
        def counted(asset_id: int) -> None:
            self._downloads.count(asset_id)
            if found.asset is not None:
                self._download_log.add(current(), found.asset.repository, found.asset.path, found.body.size or 0)

        headers = await send_found(exchange, found, count=counted)
        key = exchange.scope["state"].get("ticket")
        if key is not None and headers is not None and not self._limits.on_reads:
            await self._express.offer(key, found, headers, stamp, exchange.logged())

    async def _handle(self, exchange: Exchange, asked: _Asked) -> Found | Reply:
        asked.address = address = self._addresses.of(exchange)
        asked.format = address.format
        if address.repository is None:
            return await self._enter(exchange, address)
        if not address.is_open:
            raise RepositoryNotFound(f"there is no repository '{address.repository}' here")
        asked.repository = repository = self._engine.catalog.get(address.repository)
        asked.format = format = self._engine.catalog.format(repository)
        exchange.note(repository=repository.name, format=repository.format)
        actor = await self._actor(exchange, format.credentials, format=format.name)
        exchange.note(actor=actor.user)
        identified(initiator_of(actor, exchange))
        exchange.check_size()
        request = Request(
            repository=repository,
            method=exchange.method,
            path=format.canonical(address.path),
            query=exchange.query,
            pairs=exchange.pairs,
            headers=exchange.headers,
            body=exchange.body(),
            size=exchange.size,
            actor=actor,
            link=address.link,
            locate=address.locate,
        )
        if (
            actor.anonymous
            and not actor.passing
            and not format.open_to_anonymous(self._engine.catalog.options(repository))
        ):
            raise Unauthenticated("authentication is required")
        try:
            return await self._found(request, format)
        except OutOfScope as error:
            if actor.passing:
                raise Unauthenticated(error.message) from error
            raise
        except Forbidden as error:
            if actor.anonymous:
                raise Unauthenticated(f"authentication is required: {error.message}") from error
            raise

    async def _actor(
        self, exchange: Exchange, credentials: Sequence[Credential] = (BASIC, BEARER), *, format: str = ""
    ) -> Actor:
        """Who asks. Raises `TooManyRequests` for who asks too often."""
        client = self._origins.address(exchange)
        self._limits.arrive(exchange.method, client)
        named = exchange.headers.get(self._remote_user, "") if self._remote_user else ""
        if named and self._origins.is_by_proxy(exchange) and "authorization" not in exchange.headers:
            actor = await by_remote_user(exchange, self._accounts, named, client)
        else:
            actor = await identify(exchange, self._accounts, client, credentials, format=format)
        self._limits.identified(exchange.method, actor)
        return actor

    async def _enter(self, exchange: Exchange, address: Address) -> Reply:
        format = address.format
        assert format is not None
        actor = await self._actor(exchange, format.credentials, format=format.name)
        exchange.note(actor=actor.user, format=format.name)
        identified(initiator_of(actor, exchange))
        exchange.check_size()
        entering = Entering(
            method=exchange.method,
            path=address.path,
            query=exchange.query,
            pairs=exchange.pairs,
            headers=exchange.headers,
            body=exchange.body(),
            size=exchange.size,
            actor=actor,
            link=address.link,
            locate=address.locate,
        )
        return await self._engine.enter(entering, format)

    async def _found(self, request: Request, format: Format) -> Found | Reply:
        folder = request.method in ("GET", "HEAD") and (not request.path or request.path.endswith("/"))
        if folder and format.lists_folders and (listing := await self._folders(request)) is not None:
            return listing
        try:
            return await self._engine.handle(request)
        except NotFound:
            if folder and not format.lists_folders and (listing := await self._folders(request)) is not None:
                return listing
            raise

    def _closing(self, exchange: Exchange, reply: Reply) -> Reply:
        """A client that waits for leave to send its body does not send it now (RFC 9110, section 10.1.1).

        Then the next request could not be told from the body.
        """
        if exchange.consumed or "expect" not in exchange.headers:
            return reply
        return Reply(reply.status, reply.body, {**reply.headers, "connection": "close"})
