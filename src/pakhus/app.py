"""The composition root: settings → objects → ASGI application → server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path

import structlog
import uvloop

from pakhus import __version__, logs
from pakhus.database import schema
from pakhus.database.generation import Generation
from pakhus.database.repositories import StoreRow
from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.engine.browse import Browser
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.engine.downloads import Downloads
from pakhus.engine.outbox import Outbox
from pakhus.engine.sidecars import Sidecars
from pakhus.engine.stores import Stores
from pakhus.engine.sweep import Sweep
from pakhus.kit.format import Format
from pakhus.remote.guard import Guard
from pakhus.remote.upstreams import HttpUpstreams
from pakhus.rest.app import create as create_rest
from pakhus.services import checks, chores
from pakhus.services.access import Access
from pakhus.services.accounts import Accounts
from pakhus.services.blobstores import BlobStores
from pakhus.services.bootstrap import PASSWORD_FILE, Bootstrap, Start
from pakhus.services.capabilities import Capabilities
from pakhus.services.cleanup import Cleanup
from pakhus.services.contents import Contents
from pakhus.services.freeze import Freeze
from pakhus.services.health import Health
from pakhus.services.mail import Mail
from pakhus.services.metrics import Metrics
from pakhus.services.node import Node
from pakhus.services.outbound import OutboundSettings
from pakhus.services.passwords import Passwords
from pakhus.services.repositories import Repositories
from pakhus.services.roles import Roles
from pakhus.services.routing import RoutingRules
from pakhus.services.s3 import S3, S3BlobStores, s3_settings
from pakhus.services.search import Search
from pakhus.services.services import Services
from pakhus.services.tags import Tags
from pakhus.services.tasks import Tasks
from pakhus.services.trust import Trust
from pakhus.services.uploads import Uploads
from pakhus.services.users import Users
from pakhus.services.versions import Versions
from pakhus.settings import Settings, signing_secret
from pakhus.storage.file import FileStore
from pakhus.storage.s3 import S3Store
from pakhus.storage.store import BlobStore
from pakhus.web.bounded import Timeouts
from pakhus.web.exchange import App, Origins
from pakhus.web.express import Express, Ticket
from pakhus.web.folders import Folders
from pakhus.web.gateway import Gateway
from pakhus.web.legacy import LegacyUrls
from pakhus.web.middleware import Middleware
from pakhus.web.protocol import Lane
from pakhus.web.server import Listen, serve

log = structlog.get_logger()

EDITION = "COMMUNITY"
FLUSH_SECONDS = 5.0
LINES_SECONDS = 0.5
SWEEP_SECONDS = 3600.0
TASK_SECONDS = 5.0
QUOTA_SECONDS = 10.0
GRACE = timedelta(hours=24)


def formats() -> list[Format]:
    """All installed formats, by name."""
    found = [entry.load()() for entry in entry_points(group="pakhus.formats")]
    return sorted(found, key=lambda format: str(format.name))


@dataclass
class Application:
    """A composed server: `asgi` answers requests between `start` and `stop`."""

    settings: Settings
    services: Services
    asgi: App
    upstreams: HttpUpstreams
    bootstrap: Bootstrap
    outbox: Outbox
    lane: Lane
    lines: logs.Lines
    show: Callable[[str], None] = lambda password: None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        await self.bootstrap.run(_start(self.settings), show=self.show)
        await self.services.catalog.refresh()
        await chores.first(self.services)
        self.services.database.on_recorded = self.outbox.wake
        self._tasks = [
            asyncio.create_task(self.outbox.run(), name="outbox"),
            asyncio.create_task(self._every(FLUSH_SECONDS, self._flush), name="flush"),
            asyncio.create_task(self._every(LINES_SECONDS, self._write_lines), name="lines"),
            asyncio.create_task(self._every(SWEEP_SECONDS, self._sweep), name="sweep"),
            asyncio.create_task(self._every(TASK_SECONDS, self.services.tasks.tick), name="tasks"),
        ]
        if self.settings.storage.quota == "refuse":
            self._tasks.append(asyncio.create_task(self._every(QUOTA_SECONDS, self.measure), name="quotas"))

    async def measure(self) -> None:
        """Find out which blob stores are beyond their quota: they take nothing from now on."""
        self.services.stores.full = await self.services.blobstores.full()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.services.tasks.close()
        await self.services.engine.proxies.fills.close()
        await self._flush()
        self.lines.flush()
        await self.upstreams.close()
        self.services.database.close()

    async def _flush(self) -> None:
        await self.services.downloads.flush()
        await self.services.accounts.flush()

    async def _write_lines(self) -> None:
        self.lines.flush()

    async def _sweep(self) -> None:
        await self.services.sweep.run(grace=GRACE)

    async def _every(self, seconds: float, work: Callable[[], object]) -> None:
        """Do something again and again; a failure is logged, and the next turn comes."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()  # type: ignore[misc]
            except Exception:
                log.exception("background_work_failed", work=getattr(work, "__name__", ""))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Application]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.stop)
            await self.start()
            yield self


@dataclass(frozen=True, slots=True)
class Clock:
    """The time: of day for what is written down, monotonic seconds for what is measured."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    seconds: Callable[[], float] = time.monotonic


def create(
    settings: Settings,
    *,
    show: Callable[[str], None] = lambda password: None,
    clock: Clock = Clock(),
    guard: Guard | None = None,
    installed: Sequence[Format] | None = None,
) -> Application:
    """Everything, wired, on a migrated database; nothing runs before `start`."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o750)
    secret = signing_secret(settings)
    vault = Vault(secret)
    installed = formats() if installed is None else installed
    database = Database(
        settings.database_dsn,
        Generation(settings.data / "generation"),
        connections=settings.database.max_conns,
        kept=settings.database.min_conns,
        idle_seconds=settings.database.max_idle_sec,
        now=clock.now,
    )
    schema.migrate(database)
    catalog = Catalog(database, vault, installed)
    stores = Stores(catalog, lambda row: _store(row, settings.data))
    upstreams = HttpUpstreams(guard=guard, clock=clock.seconds)
    passwords = Passwords(min_length=settings.auth.password_min_length)
    accounts = Accounts(
        database,
        passwords,
        formats=[format.name for format in installed],
        secret=secret,
        jwt_hours=settings.auth.jwt_expiry_hours,
        token_max_days=settings.auth.token_max_days,
        now=clock.now,
        seconds=clock.seconds,
    )
    limit = settings.http.max_body_mb
    max_body = None if limit is None else limit << 20
    engine = Engine(
        database, catalog, stores, upstreams, accounts, now=clock.now, seconds=clock.seconds, max_body=max_body
    )
    repositories = Repositories(database, catalog, vault)
    blobstores = BlobStores(database, catalog, stores, settings.data / "blobs")
    s3 = S3BlobStores(database, catalog, blobstores, vault, settings.data / "spool")
    browser, search = Browser(database, catalog), Search(database, catalog)
    mail, freeze = Mail(database, vault), Freeze(database, catalog)
    services = Services(
        data=settings.data,
        now=clock.now,
        database=database,
        catalog=catalog,
        stores=stores,
        engine=engine,
        downloads=Downloads(database, clock.now),
        sweep=Sweep(database, stores),
        accounts=accounts,
        passwords=passwords,
        repositories=repositories,
        users=Users(database, passwords, settings.data),
        roles=Roles(database, list(catalog.formats)),
        access=Access(database),
        blobstores=blobstores,
        s3=s3,
        routing=RoutingRules(database, catalog),
        contents=Contents(database, catalog, engine),
        search=search,
        uploads=Uploads(catalog, engine),
        browser=browser,
        cleanup=Cleanup(database, catalog, engine, clock.now),
        tasks=Tasks(database, mail, clock.now, paused=lambda: freeze.paused),
        freeze=freeze,
        capabilities=Capabilities(database, catalog),
        outbound=OutboundSettings(database, catalog, vault),
        trust=Trust(database, catalog),
        mail=mail,
        tags=Tags(database, catalog, engine, search),
        versions=Versions(database, catalog),
        node=Node(settings.data, lambda: str(uuid.uuid4())),
        health=Health(database, catalog, stores, blobstores, settings.data, clock.now),
    )
    services.cleanup.before = services.downloads.flush
    services.tasks.offer(chores.kinds(services))
    services.health.more.update(checks.of(services, upstreams.status))
    metrics = Metrics(services)
    lines = logs.Lines()
    lane = Lane(_express(services, metrics, lines, clock, _server(settings)))
    asgi = _asgi(settings, services, metrics, lane.express, max_body)
    outbox = Outbox(database, {"publish": engine.publisher, "sidecars": Sidecars(database, stores)})
    bootstrap = Bootstrap(database, catalog, repositories, passwords, settings.data)
    return Application(settings, services, asgi, upstreams, bootstrap, outbox, lane, lines, show)


def _express(services: Services, metrics: Metrics, lines: logs.Lines, clock: Clock, server: str) -> Express:
    formats = services.catalog.formats.values()
    headers = {each.header for format in formats for each in format.credentials}
    express = Express(
        services.database.generation,
        services.downloads,
        server=server,
        credentials=sorted(headers),
        clock=clock.seconds,
    )

    def replayed(ticket: Ticket, status: int, sent: int, request_id: str, client: str) -> None:
        lines.add(ticket.log, request_id, status, sent, client)
        metrics.replayed(status, ticket.format, sent)

    express.replayed = replayed
    return express


def _asgi(settings: Settings, services: Services, metrics: Metrics, express: Express, max_body: int | None) -> App:
    gateway = Gateway(
        services.engine,
        services.accounts,
        services.downloads,
        express,
        Origins(settings.http.base_url, settings.http.trusted_proxies, override=lambda: services.capabilities.base_url),
        Folders(services.engine, services.browser),
        create_rest(services, metrics, version=__version__, nexus_version=settings.http.nexus_version),
        max_body=max_body,
    )
    named = LegacyUrls(gateway, lambda: services.capabilities.legacy_urls)
    return Middleware(named, server=_server(settings), observe=metrics.observe)


def _server(settings: Settings) -> str:
    """The `Server` header: Nexus's clients read its version there."""
    return f"Nexus/{settings.http.nexus_version} ({EDITION})"


def _store(row: StoreRow, data: Path) -> BlobStore:
    """The blob store that a row describes; relative paths lie below the data directory's `blobs`."""
    if row.type == S3:
        return S3Store(row.name, s3_settings(row.settings), data / "spool" / row.name)
    return FileStore(row.name, data / "blobs" / str(row.settings.get("path") or row.name))


def _start(settings: Settings) -> Start:
    return Start(
        username=settings.bootstrap.admin_username,
        password=settings.bootstrap.admin_password.get_secret_value(),
        email=settings.bootstrap.admin_email,
        anonymous=settings.auth.anonymous_enabled,
        repositories=settings.bootstrap.default_repositories,
        upstreams=settings.bootstrap.upstreams,
        blobs=settings.blob_path.absolute(),
    )


def run(settings: Settings) -> int:
    """Serve until a signal comes. The exit code of `pakhus serve`."""
    logs.configure(level=settings.log.level, format=settings.log.format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    tls = settings.http.tls
    listen = Listen(
        settings.http.host,
        settings.http.port,
        tls.cert_file if tls.enabled else None,
        tls.key_file if tls.enabled else None,
    )
    application = create(settings, show=lambda password: _show(settings, listen, password))
    async with application.running():
        return (
            0
            if await serve(
                application.asgi, listen, application.lane, timeouts(settings), ready=lambda: _announce(listen)
            )
            else 1
        )


def _announce(listen: Listen) -> None:
    print(f"Pakhus {__version__} serves on {listen.url}", flush=True)  # noqa: T201 -- for the person who started it


def timeouts(settings: Settings) -> Timeouts:
    return Timeouts(settings.http.read_timeout_sec, settings.http.write_timeout_sec)


def _show(settings: Settings, listen: Listen, password: str) -> None:
    user, path = settings.bootstrap.admin_username, settings.data / PASSWORD_FILE
    print(f"\nSign in at {listen.url} as {user} with the password {password}", flush=True)  # noqa: T201
    print(f"(kept in {path} until it is changed)\n", flush=True)  # noqa: T201
