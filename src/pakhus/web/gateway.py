"""The front door: URLs of repositories go to the engine, everything else falls through to the REST application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pakhus.domain.errors import (
    BadPath,
    Forbidden,
    NotFound,
    PakhusError,
    RepositoryNotFound,
    Unauthenticated,
)
from pakhus.domain.repository import Repository
from pakhus.domain.security import Actor
from pakhus.engine.content import Engine, Request
from pakhus.engine.downloads import Downloads
from pakhus.engine.found import Found
from pakhus.kit.context import Reply
from pakhus.kit.format import BASIC, BEARER, Credential, Format
from pakhus.kit.paths import flaw, quoted, template
from pakhus.web import problems
from pakhus.web.exchange import App, Exchange, Gone, Origins, Receive, Scope, Send, decoded
from pakhus.web.express import Express
from pakhus.web.identify import Accounts, by_remote_user, identify
from pakhus.web.limits import Limits
from pakhus.web.respond import send_found, send_reply

PREFIX = "/repository/"


class Folders(Protocol):
    """Answers GETs of folders."""

    async def __call__(self, request: Request) -> Found | Reply | None: ...


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL means: a path in a repository, and how links are written back in the client's terms."""

    repository: str
    path: str
    link: Callable[[str], str]


class Gateway:
    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        downloads: Downloads,
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
        self._express = express
        self._origins = origins
        self._folders = folders
        self._rest = rest
        self._max_body = max_body
        self._limits = limits
        self._remote_user = remote_user.lower()
        self._mounts = [
            (template(mount.outside), mount) for format in engine.catalog.formats.values() for mount in format.mounts
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, max_body=self._max_body)
        if exchange.target.startswith(PREFIX) or self._mounted(exchange):
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
            await send_reply(exchange, self._closing(exchange, problems.reply_for(error, None)))
            return
        state["actor"] = actor
        exchange.note(actor=actor.user)
        await self._rest(exchange.scope, exchange.receive, exchange.send)

    async def _answer(self, exchange: Exchange) -> None:
        format: Format | None = None
        started = False
        stamp = self._express.stamp()
        try:
            await self._engine.catalog.refresh()
            address = self._address(exchange)
            repository = self._engine.catalog.get(address.repository)
            format = self._engine.catalog.format(repository)
            exchange.note(repository=repository.name, format=repository.format)
            answer = await self._handle(exchange, repository, format, address)
            started = True
            if isinstance(answer, Reply):
                await send_reply(exchange, answer)
            else:
                await self._send(exchange, answer, stamp)
        except Gone:
            exchange.note(outcome="client_gone")
        except PakhusError as error:
            exchange.note(outcome="refused", reason=error.message)
            await send_reply(exchange, self._closing(exchange, problems.reply_for(error, format)))
        except Exception as error:
            if started:
                raise
            exchange.note(outcome="incident")
            await send_reply(exchange, self._closing(exchange, problems.incident(error)))

    async def _send(self, exchange: Exchange, found: Found, stamp: bytes) -> None:
        headers = await send_found(exchange, found, count=self._downloads.count)
        key = exchange.scope["state"].get("ticket")
        if key is not None and headers is not None and not self._limits.on_reads:
            await self._express.offer(key, found, headers, stamp, exchange.logged())

    async def _handle(
        self, exchange: Exchange, repository: Repository, format: Format, address: Address
    ) -> Found | Reply:
        actor = await self._actor(exchange, format.credentials, format=format.name)
        exchange.note(actor=actor.user)
        exchange.check_size()
        path = format.canonical(address.path)
        request = Request(
            repository=repository,
            method=exchange.method,
            path=path,
            query=exchange.query,
            headers=exchange.headers,
            body=exchange.body(),
            size=exchange.size,
            actor=actor,
            link=address.link,
        )
        try:
            return await self._found(request, format)
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

    # -- addresses -------------------------------------------------------------------------------------------------

    def _mounted(self, exchange: Exchange) -> bool:
        return any(pattern.match(exchange.target) is not None for pattern, _ in self._mounts)

    def _address(self, exchange: Exchange) -> Address:
        base = self._origins.base_url(exchange)
        if not exchange.target.startswith(PREFIX):
            return self._mount_address(exchange, base)
        name, slash, rest = exchange.target[len(PREFIX) :].partition("/")
        if not slash:
            raise BadPath(f"the URL of a repository ends with a slash: {PREFIX}{decoded(name)}/")
        name, path = decoded(name), _checked(rest)
        return Address(name, path, lambda inner: f"{base}{PREFIX}{name}/{quoted(inner)}")

    def _mount_address(self, exchange: Exchange, base: str) -> Address:
        target = _checked(exchange.target.lstrip("/"))
        for pattern, mount in self._mounts:
            params = pattern.match("/" + target)
            if params is None or "repository" not in params:
                continue
            outside = mount.outside.replace("{repository}", params["repository"])
            prefix, inner = outside.partition("{rest")[0], mount.inside.partition("{rest")[0]
            inside = mount.inside.replace("{rest}", params.get("rest", ""))

            def link(path: str, prefix: str = prefix, inner: str = inner, name: str = params["repository"]) -> str:
                if inner and path.startswith(inner):
                    return f"{base}{prefix}{quoted(path[len(inner) :])}"
                return f"{base}{PREFIX}{name}/{quoted(path)}"

            return Address(params["repository"], inside, link)
        raise RepositoryNotFound("Repository not found")

    def _closing(self, exchange: Exchange, reply: Reply) -> Reply:
        """A client that waits for leave to send its body does not send it now (RFC 9110, section 10.1.1).

        Then the next request could not be told from the body.
        """
        if exchange.consumed or "expect" not in exchange.headers:
            return reply
        return Reply(reply.status, reply.body, {**reply.headers, "connection": "close"})


def _checked(encoded: str) -> str:
    path = decoded(encoded)
    if problem := flaw(path):
        raise BadPath(problem)
    return path
