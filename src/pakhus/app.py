"""The composition root: settings → objects → ASGI application → server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.metadata import entry_points

import structlog
import uvloop

from pakhus import __version__, logs
from pakhus.database import events, schema
from pakhus.database.generation import Generation
from pakhus.database.transaction import Database
from pakhus.database.vault import Vault
from pakhus.engine.catalog import Catalog
from pakhus.engine.content import Engine
from pakhus.engine.downloads import Downloads
from pakhus.engine.keyring import Keyring
from pakhus.engine.outbox import Outbox
from pakhus.engine.sidecars import Sidecars
from pakhus.engine.stores import Stores
from pakhus.engine.sweep import Sweep
from pakhus.engine.unreferenced import Unreferenced
from pakhus.kit.format import Format
from pakhus.remote.guard import Guard
from pakhus.remote.upstreams import HttpUpstreams
from pakhus.rest.app import create as create_rest
from pakhus.services import checks, chores
from pakhus.services.access import Access
from pakhus.services.administration import Administration
from pakhus.services.audit import Audit
from pakhus.services.audit_chain import ANCHORS, Anchors, Chain, Seal
from pakhus.services.blobstores import BlobStores
from pakhus.services.bootstrap import PASSWORD_FILE, Bootstrap, start_of
from pakhus.services.clock import SYSTEM, Clock
from pakhus.services.contents import Contents
from pakhus.services.doors import Frame
from pakhus.services.download_log import DownloadLog
from pakhus.services.explain import Explain
from pakhus.services.federation.wiring import federation
from pakhus.services.health import Health
from pakhus.services.identity.wiring import identification
from pakhus.services.metrics import Metrics
from pakhus.services.passwords import Passwords
from pakhus.services.privileges import Privileges
from pakhus.services.refusals import Refusals
from pakhus.services.repositories import Repositories
from pakhus.services.roles import Roles
from pakhus.services.routing import RoutingRules
from pakhus.services.s3 import store_of
from pakhus.services.selectors import Selectors
from pakhus.services.services import Services
from pakhus.services.uploads import Uploads
from pakhus.services.users import Users
from pakhus.services.webhook_delivery import Deliverer
from pakhus.services.webhooks import Announcer, Webhooks
from pakhus.settings import Settings, signing_secret
from pakhus.web.bounded import Timeouts
from pakhus.web.exchange import App, Origins
from pakhus.web.express import Express, Ticket
from pakhus.web.folders import Folders
from pakhus.web.gateway import Gateway
from pakhus.web.legacy import LegacyUrls
from pakhus.web.limits import Limits
from pakhus.web.middleware import Middleware
from pakhus.web.protocol import Lane
from pakhus.web.server import Listen, serve

log = structlog.get_logger()

EDITION = "COMMUNITY"
FLUSH_SECONDS = 5.0
LINES_SECONDS = 0.5
FOLLOW_SECONDS = 1.0
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
        await self.bootstrap.run(start_of(self.settings), show=self.show)
        await self.services.catalog.refresh()
        await chores.first(self.services)
        if await self.services.database.write(events.rebase):
            log.warning("outbox_started_anew")
        await self.services.download_log.refresh()
        self.services.database.on_recorded = self.outbox.wake
        self._tasks = [
            asyncio.create_task(self.outbox.run(), name="outbox"),
            asyncio.create_task(self.services.deliverer.run(), name="webhooks"),
            asyncio.create_task(self._every(FLUSH_SECONDS, self._flush), name="flush"),
            asyncio.create_task(self._every(LINES_SECONDS, self._write_lines), name="lines"),
            asyncio.create_task(self._every(FOLLOW_SECONDS, self.services.database.follow), name="follow"),
            asyncio.create_task(self._every(SWEEP_SECONDS, self._sweep), name="sweep"),
            asyncio.create_task(self._every(TASK_SECONDS, self.services.tasks.tick), name="tasks"),
            asyncio.create_task(self._every(SWEEP_SECONDS, self._prune), name="prune"),
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
        await self.services.engine.close()
        await self._flush()
        await self.services.refusals.flush(end=True)
        await self.outbox.release()
        self.lines.flush()
        await self.upstreams.close()
        self.services.database.close()

    async def _flush(self) -> None:
        await self.services.downloads.flush()
        await self.services.accounts.flush()
        await self.services.refusals.flush()
        await self.services.download_log.flush()

    async def _write_lines(self) -> None:
        self.lines.flush()

    async def _sweep(self) -> None:
        await self.services.sweep.run(grace=GRACE)
        await self.services.accounts.sweep()

    async def _prune(self) -> None:
        await self.services.audit.prune()
        await self.services.webhooks.prune()

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


def create(
    settings: Settings,
    *,
    show: Callable[[str], None] = lambda password: None,
    clock: Clock = SYSTEM,
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
    stores = Stores(catalog, lambda row: store_of(row, settings.data))
    upstreams = HttpUpstreams(guard=guard, clock=clock.seconds)
    passwords = Passwords(
        min_length=settings.auth.password_min_length, refuse_common=settings.auth.password_refuse_common
    )
    identity = identification(
        database,
        passwords,
        settings.auth,
        secret=secret,
        formats=[format.name for format in installed],
        now=clock.now,
        seconds=clock.seconds,
    )
    keyring = Keyring(
        database,
        vault,
        algorithm=settings.signing.algorithm,
        overlap=timedelta(days=settings.signing.overlap_days),
        now=clock.now,
    )
    max_body = None if settings.http.max_body_mb is None else settings.http.max_body_mb << 20
    engine = Engine(
        database,
        catalog,
        stores,
        upstreams,
        identity.accounts,
        keyring,
        now=clock.now,
        seconds=clock.seconds,
        max_body=max_body,
    )
    frame = Frame(
        settings.http.port, settings.http.tls.cert_file is not None and settings.http.tls.key_file is not None
    )
    repositories = Repositories(database, catalog, vault, keyring, frame)
    blobstores = BlobStores(database, catalog, stores, settings.data / "blobs")
    seal = Seal(secret)
    audit = Audit(database, seal, now=clock.now)
    webhooks = Webhooks(database, vault, now=clock.now)
    contents = Contents(database, catalog, engine)
    services = Services(
        data=settings.data,
        now=clock.now,
        database=database,
        catalog=catalog,
        stores=stores,
        engine=engine,
        keyring=keyring,
        downloads=Downloads(database, clock.now),
        sweep=Sweep(database, stores, Unreferenced(database, catalog, clock.now), clock.now),
        accounts=identity.accounts,
        federation=federation(database, upstreams, identity, secret=secret, now=clock.now, seconds=clock.seconds),
        identification=identity,
        realms=identity.realms,
        tokens=identity.tokens,
        passwords=passwords,
        repositories=repositories,
        users=Users(database, passwords, identity.realms, settings.data),
        roles=Roles(database, catalog),
        privileges=Privileges(database, catalog),
        selectors=Selectors(database, catalog, contents),
        explain=Explain(database, catalog, engine),
        access=Access(database, identity.realms),
        blobstores=blobstores,
        routing=RoutingRules(database, catalog),
        contents=contents,
        uploads=Uploads(catalog, engine),
        **Administration.made(engine, blobstores, vault, data=settings.data, now=clock.now),
        audit=audit,
        webhooks=webhooks,
        deliverer=Deliverer(database, webhooks, upstreams, now=clock.now),
        refusals=Refusals(database, now=clock.now, seconds=clock.seconds),
        download_log=DownloadLog(database, audit, now=clock.now),
        health=Health(database, catalog, stores, blobstores, settings.data, clock.now),
    )
    services.cleanup.before = services.downloads.flush
    services.tasks.offer(chores.kinds(services))
    services.health.more.update(checks.of(services, upstreams.status))
    metrics = Metrics(services)
    lines = logs.Lines()
    lane = Lane(_express(services, metrics, lines, clock, settings))
    asgi = _asgi(settings, services, metrics, lane.express, max_body, clock)
    chain = Chain(database, seal, Anchors(settings.data / ANCHORS), now=clock.now, seconds=clock.seconds)
    outbox = Outbox(
        database,
        {
            "audit": chain,
            "webhooks": Announcer(database, catalog, wake=services.deliverer.wake),
            "publish": engine.publisher,
            "sidecars": Sidecars(database, stores),
        },
    )
    bootstrap = Bootstrap(database, catalog, repositories, passwords, settings.data)
    return Application(settings, services, asgi, upstreams, bootstrap, outbox, lane, lines, show)


def _express(services: Services, metrics: Metrics, lines: logs.Lines, clock: Clock, settings: Settings) -> Express:
    formats = services.catalog.formats.values()
    headers = {each.header for format in formats for each in format.credentials} | (
        {settings.auth.remote_user_header} - {""}
    )
    express = Express(
        services.database.generation,
        services.downloads,
        server=_server(settings),
        credentials=sorted(headers),
        clock=clock.seconds,
    )

    def replayed(ticket: Ticket, status: int, sent: int, request_id: str, client: str) -> None:
        lines.add(ticket.log, request_id, status, sent, client)
        if status == 200 and ticket.asset is not None and services.download_log.enabled:
            who = replace(ticket.who, request_id=request_id, address=client)
            services.download_log.add(who, ticket.asset.repository, ticket.asset.path, sent)
        metrics.replayed(status, ticket.format, sent)

    express.replayed = replayed
    return express


def _asgi(
    settings: Settings, services: Services, metrics: Metrics, express: Express, max_body: int | None, clock: Clock
) -> App:
    http = settings.http
    limits = Limits(
        per_user=http.rate_limit_per_user,
        per_address=http.rate_limit_per_address,
        reads=http.rate_limit_reads,
        exempt=http.rate_limit_exempt,
        seconds=clock.seconds,
    )
    gateway = Gateway(
        services.engine,
        services.accounts,
        services.downloads,
        services.download_log,
        express,
        Origins(http.base_url, http.trusted_proxies, override=lambda: services.capabilities.base_url),
        Folders(services.engine, services.browser),
        create_rest(services, metrics, version=__version__, nexus_version=http.nexus_version),
        max_body=max_body,
        limits=limits,
        remote_user=settings.auth.remote_user_header,
    )
    named = LegacyUrls(gateway, lambda: services.capabilities.legacy_urls)
    return Middleware(named, server=_server(settings), observe=metrics.observe, refuse=services.refusals.add)


def _server(settings: Settings) -> str:
    """The `Server` header: Nexus's clients read its version there."""
    return f"Nexus/{settings.http.nexus_version} ({EDITION})"


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
        tls.cert_file,
        tls.key_file,
        tls=tls.enabled,
    )
    application = create(settings, show=lambda password: _show(settings, listen, password))
    async with application.running():
        return (
            0
            if await serve(
                application.asgi,
                listen,
                application.lane,
                timeouts(settings),
                application.services.catalog,
                ready=lambda: _announce(listen),
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
