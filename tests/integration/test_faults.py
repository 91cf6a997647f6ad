"""A server in a process of its own, and what must survive its sudden end, its neighbours and a full disk."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import resource
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import web

from pakhus.app import Application, create
from pakhus.database import assets
from pakhus.domain.repository import RepositoryType
from pakhus.settings import load
from tests.clients.server import ADMIN, Server
from tests.integration.upstream import Gated, upstream
from tests.integration.wire import LOGIN, connected

MIB = 1 << 20
ROUNDS = 2
CLIENTS = 100


@asynccontextmanager
async def inside(data: Path) -> AsyncIterator[Application]:
    """The administrator's hands in a data directory, with or without servers on it."""
    environ = {"PAKHUS_BOOTSTRAP_ADMIN_PASSWORD": ADMIN[1], "PAKHUS_BOOTSTRAP_DEFAULT_REPOSITORIES": "false"}
    async with create(load(data=data, environ=environ).settings).running() as application:
        yield application


@dataclass
class Yard:
    """A data directory and the servers on it."""

    data: Path
    servers: list[Server]

    async def create(self, type: str, name: str, **body: Any) -> None:
        async with inside(self.data) as application:
            await application.services.repositories.create("raw", RepositoryType(type), {"name": name, **body})

    async def start(self, **settings: str) -> Server:
        server = Server(self.data, settings=settings)
        server.log = self.data.with_name(f"{len(self.servers)}.log")
        self.servers.append(server)
        return await asyncio.to_thread(server.start)

    def stop(self) -> None:
        for server in self.servers:
            server.stop(signal.SIGKILL)
            server.http.close()

    def drafts(self) -> list[Path]:
        return list((self.data / "blobs" / "default" / "drafts").iterdir())

    def blobs(self) -> list[Path]:
        content = self.data / "blobs" / "default" / "content"
        return [path for path in content.rglob("*") if path.is_file() and path.suffix != ".json"]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = Yard(tmp_path / "data", [])
    yield made
    made.stop()


def client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(auth=ADMIN, timeout=60, trust_env=False)


# -- kill -9 -------------------------------------------------------------------------------------------------------


async def test_killing_the_server_in_the_middle_of_uploads_loses_nothing_it_acknowledged(yard: Yard) -> None:
    """Whatever was acknowledged is there, whatever is there is whole, and the sweep frees the rest."""
    await yard.create("hosted", "raw")
    sent: dict[str, bytes] = {}
    acknowledged: set[str] = set()
    for number in range(ROUNDS):
        server = await yard.start()
        async with asyncio.TaskGroup() as tasks:
            for lane in range(4):
                tasks.create_task(uploading(server, f"{number}/{lane}", sent, acknowledged))
            tasks.create_task(stuck_upload(server, f"{number}/stuck"))
            enough = len(acknowledged) + random.randint(5, 40)
            while len(acknowledged) < enough:
                await asyncio.sleep(random.uniform(0.001, 0.02))
            server.stop(signal.SIGKILL)
    assert acknowledged
    server = await yard.start()
    async with client() as http:
        for path, body in sent.items():
            found = await http.get(server.at("raw", path))
            assert found.status_code == 200 or path not in acknowledged, path
            assert found.status_code == 404 or found.content == body, path
        for number in range(ROUNDS):
            assert (await http.get(server.at("raw", f"{number}/stuck"))).status_code == 404
    assert yard.drafts()
    server.stop()
    async with inside(yard.data) as application:
        await application.services.sweep.run(grace=timedelta(0))
        repository = application.services.catalog.get("raw")
        kept = await application.services.database.read(assets.page, repository.id, "raw", after=0, limit=100_000)
    assert yard.drafts() == []
    assert {path.name for path in yard.blobs()} == {asset.blob.key for asset in kept}
    assert acknowledged <= {asset.path for asset in kept}


async def uploading(server: Server, folder: str, sent: dict[str, bytes], acknowledged: set[str]) -> None:
    """One file after the other until the server is gone."""
    with suppress(httpx2.TransportError):
        async with client() as http:
            for number in range(10_000):
                path, body = f"{folder}/{number}", secrets.token_bytes(random.choice((10, 100_000, 2_000_000)))
                sent[path] = body
                if (await http.put(server.at("raw", path), content=body)).status_code == 201:
                    acknowledged.add(path)


async def stuck_upload(server: Server, path: str) -> None:
    """Half a file, then nothing until the end."""
    async with connected(server.url) as wire:
        head = f"PUT /repository/raw/{path} HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\nContent-Length: {2 * MIB}\r\n\r\n"
        await wire.send(head, bytes(MIB))
        await wire.rest()


async def test_killing_the_server_in_the_middle_of_a_fill_leaves_no_half_file(yard: Yard) -> None:
    body = secrets.token_bytes(4 * MIB)
    async with upstream() as far:
        gated = far.handler = Gated(body)
        await yard.create("proxy", "proxy", proxy={"remoteUrl": far.url})
        server = await yard.start()
        async with client() as http:
            async with connected(server.url) as wire:
                await wire.send(f"GET /repository/proxy/file HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\n\r\n")
                await wire.reader.readexactly(MIB)
                server.stop(signal.SIGKILL)
                assert len(await wire.rest()) < 3 * MIB
            gated.gate.set()
            assert yard.drafts()
            assert yard.blobs() == []
            server = await yard.start()
            found = await http.get(server.at("proxy", "file"))
    assert found.content == body
    assert len(far.seen) == 2
    server.stop()
    async with inside(yard.data) as application:
        swept = await application.services.sweep.run(grace=timedelta(0))
    assert swept.drafts == 1
    assert (len(yard.drafts()), len(yard.blobs())) == (0, 1)


# -- shutdown ------------------------------------------------------------------------------------------------------


async def test_a_shutdown_lets_transfers_finish(yard: Yard) -> None:
    body = secrets.token_bytes(32 * MIB)
    await yard.create("hosted", "raw")
    server = await yard.start()
    async with client() as http:
        await http.put(server.at("raw", "large"), content=body)
    async with connected(server.url) as down, connected(server.url) as up, connected(server.url) as idle:
        await down.send(f"GET /repository/raw/large HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\n\r\n")
        await down.reader.readuntil(b"\r\n\r\n")
        head = f"PUT /repository/raw/up HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\nContent-Length: 4\r\n"
        await up.send(head + "Expect: 100-continue\r\n\r\n")
        assert (await up.answer()).status == 100
        os.kill(server.pid, signal.SIGTERM)
        assert await idle.rest() == b""
        assert server.process is not None
        assert server.process.poll() is None
        await up.send("done")
        assert (await up.answer()).status == 201
        assert await down.reader.readexactly(len(body)) == body
        assert await asyncio.to_thread(server.process.wait, 20) == 0
    async with inside(yard.data) as application:
        repository = application.services.catalog.get("raw")
        kept = await application.services.database.read(assets.page, repository.id, "raw", after=0, limit=10)
    assert {asset.path: asset.downloads for asset in kept} == {"large": 1, "up": 0}


# -- two processes on one data directory ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Two servers that share everything."""
    shared = Yard(tmp_path_factory.mktemp("pair") / "data", [])
    asyncio.run(shared.start())
    asyncio.run(shared.start())
    yield shared
    shared.stop()


async def test_two_processes_fetch_once(pair: Yard) -> None:
    body = secrets.token_bytes(4 * MIB)
    one, other = pair.servers
    async with upstream() as far, client() as http:
        gated = far.handler = Gated(body)
        await pair.create("proxy", "once", proxy={"remoteUrl": far.url})
        asked = [asyncio.create_task(http.get(one.at("once", "file")))]
        await gated.asked.wait()
        asked += [asyncio.create_task(http.get(server.at("once", "file"))) for server in (other, one, other)]
        await asyncio.sleep(0.5)  # the other process waits for a row, which nobody else can see
        gated.gate.set()
        assert {(await each).content == body for each in asked} == {True}
        assert far.seen == ["GET /file"]


async def test_of_writers_in_two_processes_one_wins_and_both_show_it(pair: Yard) -> None:
    await pair.create("hosted", "writers", storage={"writePolicy": "ALLOW_ONCE"})
    async with client() as http:
        bodies = [secrets.token_bytes(MIB) for _ in range(8)]
        puts = [http.put(pair.servers[i % 2].at("writers", "x"), content=body) for i, body in enumerate(bodies)]
        statuses = [answer.status_code for answer in await asyncio.gather(*puts)]
        assert sorted(statuses) == [201] + [400] * 7
        for server in pair.servers:
            assert (await http.get(server.at("writers", "x"))).content == bodies[statuses.index(201)]


async def test_a_hundred_clients_of_one_cold_file_take_one_fetch_and_little_memory(pair: Yard) -> None:
    piece, pieces = secrets.token_bytes(MIB), 8
    wanted = hashlib.sha256(piece * pieces).digest()
    gate = asyncio.Event()

    async def large(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(MIB * pieces)})
        await response.prepare(request)
        await gate.wait()
        for _ in range(pieces):
            await response.write(piece)
        return response

    server = pair.servers[0]
    async with upstream() as far:
        far.handler = large
        await pair.create("proxy", "cold", proxy={"remoteUrl": far.url})
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # forget how much it was at most
        before = memory(server, "VmRSS")
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(digest_of(server, "cold/file", MIB * pieces)) for _ in range(CLIENTS)]
            while not far.seen:
                await asyncio.sleep(0.01)
            gate.set()
        assert {each.result() for each in reading} == {wanted}
        assert len(far.seen) == 1
    grown = memory(server, "VmHWM") - before
    # A copy for each client would be 800 MiB; a few pieces for each are allowed.
    assert grown < 120 * MIB, f"{grown / MIB:.0f} MiB"


async def digest_of(server: Server, path: str, size: int) -> bytes:
    digest = hashlib.sha256()
    async with connected(server.url) as wire:
        await wire.send(f"GET /repository/{path} HTTP/1.1\r\nHost: pakhus\r\n{LOGIN}\r\n\r\n")
        await wire.reader.readuntil(b"\r\n\r\n")
        while size:
            chunk = await wire.reader.read(min(size, 256 * 1024))
            assert chunk
            digest.update(chunk)
            size -= len(chunk)
    return digest.digest()


def memory(server: Server, field: str) -> int:
    """Bytes, of `VmRSS` (now) or `VmHWM` (at most so far)."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) * 1024


# -- no room -------------------------------------------------------------------------------------------------------


async def test_a_file_larger_than_files_may_be_is_507_and_leaves_nothing(pair: Yard) -> None:
    server = pair.servers[0]
    before = len(pair.blobs())
    async with upstream() as far, client() as http:
        far.files["large"] = secrets.token_bytes(12 * MIB)
        await pair.create("hosted", "limited")
        await pair.create("proxy", "limited-proxy", proxy={"remoteUrl": far.url})
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (8 * MIB, resource.RLIM_INFINITY))
        answer = await http.put(server.at("limited", "large"), content=bytes(12 * MIB))
        assert answer.status_code == 507
        assert answer.content
        with suppress(httpx2.RemoteProtocolError):
            assert (await http.get(server.at("limited-proxy", "large"))).status_code == 507
        assert (await http.get(server.at("limited", "large"))).status_code == 404
        assert (await http.put(server.at("limited", "small"), content=b"fits")).status_code == 201
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert (await http.get(server.at("limited", "small"))).content == b"fits"
        assert (await http.get(server.at("limited-proxy", "large"))).content == far.files["large"]
    assert pair.drafts() == []
    assert len(pair.blobs()) == before + 2


@pytest.fixture
def little(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    where = tmp_path / "little"
    where.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(where)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


async def test_a_full_disk_is_507_until_there_is_room_again(yard: Yard, little: Path) -> None:
    """Database, blobs and log on one full disk: nothing acknowledged is lost, nothing refused is seen."""
    yard.data = little / "data"
    await yard.create("hosted", "raw")
    server = await yard.start()
    acknowledged: dict[str, bytes] = {}
    async with client() as http:
        for size in (MIB, 64 * 1024, 1024):
            for number in range(200):
                path, body = f"{size}/{number}", secrets.token_bytes(size)
                status = (await http.put(server.at("raw", path), content=body)).status_code
                if status != 201:
                    assert status == 507
                    assert (await http.get(server.at("raw", path))).status_code == 404
                    break
                acknowledged[path] = body
        for path, body in acknowledged.items():
            assert (await http.get(server.at("raw", path))).content == body
        subprocess.run(["mount", "-o", "remount,size=64m", str(little)], check=True)
        assert (await http.put(server.at("raw", "again"), content=bytes(MIB))).status_code == 201
    assert yard.drafts() == []
    server.stop()
